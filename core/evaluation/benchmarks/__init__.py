"""The field's benchmarks from the user's own copy, by their published layouts and protocols."""

from core.evaluation.benchmarks.layouts import NAMES, BenchmarkMissing, require_layout
from core.evaluation.benchmarks.run import run_benchmark

__all__ = ["NAMES", "BenchmarkMissing", "require_layout", "run_benchmark"]
