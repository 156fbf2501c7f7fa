"""Privacy: erasure, backups and caches, residue scan, retention."""
