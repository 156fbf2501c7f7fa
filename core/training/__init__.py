"""Training: recipes are data that one engine runs, as jobs that can be watched, stopped and resumed.

`recipe`, `presets`, `overrides`, `config`, `schedule`, `log_format`, `estimate` and `history` import no torch, for
pages and commands. The other modules are imported in the run's own process.
"""
