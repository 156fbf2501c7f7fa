"""Public benchmarks, read from the user's own copy and run by their published protocols."""

from core.evaluation.benchmarks.layouts import NAMES, BenchmarkMissing, named_people, require_layout
from core.evaluation.benchmarks.run import run_benchmark

__all__ = ["NAMES", "BenchmarkMissing", "named_people", "require_layout", "run_benchmark"]
