"""Data sets: choose, check, look at, build."""

from dashboard.datasets.view import view

view()
