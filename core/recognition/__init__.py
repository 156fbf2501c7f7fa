"""Recognition: probes, decisions, results, batches, and gallery files."""
