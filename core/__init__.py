"""EdgeFace Studio's library: recognise very small faces, from photograph to name."""

__version__ = "0.1.0"
