"""Data sets: choose, check, look at, build."""

from dashboard.dataset_view import view

view()
