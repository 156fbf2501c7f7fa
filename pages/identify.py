"""Identify people in photographs, or compare two."""

from dashboard.identify_view import view

view()
