"""The Gallery page: the people who are enrolled."""

from dashboard.gallery.view import view

view()
