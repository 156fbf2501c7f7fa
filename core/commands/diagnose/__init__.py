"""The `diagnose` commands."""
