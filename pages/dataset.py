"""Data sets: create, check, browse, split."""

from dashboard.datasets.view import view

view()
