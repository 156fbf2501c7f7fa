"""Long work as processes of their own: one folder a run, kept whatever happens to the process."""
