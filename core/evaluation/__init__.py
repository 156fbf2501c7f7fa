"""Figures that a reviewer would accept: verification from pairs files and from all pairs, with intervals."""
