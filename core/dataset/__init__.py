"""Data sets: sources, ingest, splits without leakage, the manifest, degradation, and checks before training."""
