"""The `dataset` commands."""
