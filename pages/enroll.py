"""Enrol a person from photographs."""

from dashboard.enrol_view import view

view()
