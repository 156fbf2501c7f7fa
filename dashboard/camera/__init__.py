"""The browser's camera: permission, stream, settings."""
