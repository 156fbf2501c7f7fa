"""Long work as separate processes, with one folder for each run."""
