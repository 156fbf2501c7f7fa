"""Diagnostics: weights, embeddings, similarities and the health of the gallery."""

from dashboard.diagnostics.view import view

view()
