"""Face detection, alignment to EdgeFace's template, and quality. Without torch."""
