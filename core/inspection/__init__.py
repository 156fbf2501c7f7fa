"""One face looked at closely: what super-resolution made of it, in pixels, in figures and for recognition."""
