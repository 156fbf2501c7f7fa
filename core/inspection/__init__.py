"""Inspection of single faces: the effect of super-resolution on pixels, quality figures and recognition."""
