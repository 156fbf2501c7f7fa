"""The `enroll` commands."""
