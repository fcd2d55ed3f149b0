"""CodeHunch: a language server with a hunch about your code."""

import os

__version__ = "0.1.0"

# onnxruntime's Linux wheels (1.31) keep a device id and a queue of usage events in the home folder once imported.
# Nothing leaves this machine unless the person asks for it by name; the library reads this when it loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
