"""Look closely at what super-resolution makes of a face."""

from dashboard.inspector_view import view

view()
