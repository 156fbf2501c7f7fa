"""Drawn people for the demo data set."""
