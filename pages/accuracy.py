"""Measure accuracy: per person, per resolution, per threshold."""

from dashboard.accuracy_view import view

view()
