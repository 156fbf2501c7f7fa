"""The Enrol page."""
