"""Synthetic faces: drawn people for the demo data set."""
