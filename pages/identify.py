"""Identify people in photographs, or compare two."""

from dashboard.identify.view import view

view()
