"""EdgeFace: from an aligned 112 px crop to a 512-d unit embedding."""
