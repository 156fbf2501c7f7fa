"""Training: recipes are data, one engine runs them; runs are jobs that can be watched, stopped and resumed.

`recipe`, `presets`, `overrides`, `config`, `schedule`, `lines` and `estimate` import no torch: pages and the command
line list presets, check settings and tell times with them; so does `history`, which reads what a run has told.
Everything else is imported in the run's own process.
"""
