"""Why figures are as they are: weights, embeddings, similarities and the gallery's health."""

from dashboard.diagnostics.view import view

view()
