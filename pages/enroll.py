"""Enrol a person from photographs."""

from dashboard.enrol.view import view

view()
