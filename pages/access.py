"""Who may sign in, and what was done."""

from dashboard.access_view import view

view()
