"""Who may do what: people with roles, passwords, the trail of what was done. Whoever can read the data folder is beyond
roles."""
