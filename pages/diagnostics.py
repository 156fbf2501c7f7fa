"""Why figures are as they are: weights, embeddings, similarities and the gallery's health."""

from dashboard.diagnostics_view import view

view()
