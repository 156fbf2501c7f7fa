"""Model files: which encoder and upscaler are in use, files and their headers, registries, download."""
