"""Launch a training, watch it, compare runs."""

from dashboard.training.view import view

view()
