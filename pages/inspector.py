"""Look closely at what super-resolution makes of a face."""

from dashboard.inspector.view import view

view()
