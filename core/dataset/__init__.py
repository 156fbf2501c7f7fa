"""Data sets: read as people have them, split honestly, described by a manifest, and checked before anyone trains."""
