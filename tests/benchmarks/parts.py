"""The parts of `make bench`, in their order: the functions that return Rows or a Curve."""

PARTS: dict[str, tuple[str, ...]] = {
    "embed": ("tests.benchmarks.embedding:rows",),
    "one-crop": ("tests.benchmarks.recognition:rows",),
    "search": ("tests.benchmarks.search:rows",),
    "server": ("tests.benchmarks.server:rows",),
    "enrolment": ("tests.benchmarks.enrolment:rows",),
    "ingest": ("tests.benchmarks.ingest:rows",),
    "epochs": ("tests.benchmarks.epochs:rows",),
    "browser": ("tests.benchmarks.browser:rows",),
    "accuracy": ("tests.benchmarks.accuracy:rows",),
    "engines": ("tests.benchmarks.engines:rows",),
    "growth": (
        "core.bench.measurements:search_curve",
        "core.bench.photographs:curve",
        "tests.benchmarks.pairs:curve",
    ),
}
