"""The `gallery` commands."""
