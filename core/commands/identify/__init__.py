"""The `identify` commands."""
