"""The field's benchmarks from the user's own copy, by their published layouts and protocols."""

from core.evaluation.benchmarks.layouts import NAMES, BenchmarkMissing, named_people, require_layout
from core.evaluation.benchmarks.run import run_benchmark

__all__ = ["NAMES", "BenchmarkMissing", "named_people", "require_layout", "run_benchmark"]
