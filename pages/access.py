"""The Access page: accounts and the audit trail."""

from dashboard.access.view import view

view()
