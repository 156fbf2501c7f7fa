"""Measure accuracy: per person, per resolution, per threshold."""

from dashboard.accuracy.view import view

view()
