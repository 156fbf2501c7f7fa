"""Inspector: the effect of super-resolution on a face."""

from dashboard.inspector.view import view

view()
