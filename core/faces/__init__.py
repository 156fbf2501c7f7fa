"""Faces in a photograph: found, aligned to EdgeFace's template, and judged. No torch here."""
