"""Training: recipes and settings, the engine, and what a run has told so far. What pages read here needs no torch."""
