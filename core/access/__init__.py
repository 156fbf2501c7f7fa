"""Roles and permissions, sign-in and the audit trail. The owner of the data folder isn't subject to role checks."""
