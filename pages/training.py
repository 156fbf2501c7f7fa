"""Launch a training, watch it, compare runs."""

from dashboard.training_view import view

view()
