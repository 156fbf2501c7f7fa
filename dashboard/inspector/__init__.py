"""The Inspector page."""
