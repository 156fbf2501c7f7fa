"""Who may sign in, and what was done."""

from dashboard.access.view import view

view()
