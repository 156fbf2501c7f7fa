"""From a probe to an answer: probes, results, decisions, batches, gallery files."""
