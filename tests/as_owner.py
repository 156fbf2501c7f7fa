"""The first line of a Python program that a test starts: in it the owner of the data folder acts."""

AS_OWNER = "from core.access.actor import owner, resolve_with; resolve_with(owner)\n"
