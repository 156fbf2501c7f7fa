"""The Identify page."""
