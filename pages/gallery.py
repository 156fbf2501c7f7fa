"""Look after the people who are enrolled."""

from dashboard.gallery_view import view

view()
