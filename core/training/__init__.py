"""Training: recipes are data, one engine runs them; runs are jobs that can be watched, stopped and resumed.

`recipe`, `presets`, `overrides`, `config`, `schedule`, `lines`, `estimate` and `history` import no torch: pages and the command
line list presets, check settings and tell times with them. Everything else is imported in the run's own process.
"""
