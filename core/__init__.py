"""EdgeFace Studio's library: recognise very small faces, from photograph to name."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports sessions, models and errors to its maker, on Linux and macOS since 1.29, and keeps a number of
# the machine in ~/.cache. It looks for this once, before its first session.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
