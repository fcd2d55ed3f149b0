"""Run graphs on the processor this is started on: ``emulated.py FOLDER`` answers every ``NAME.npz`` beside a graph.

``FOLDER/feeds/NAME.npz`` holds the inputs of ``FOLDER/NAME.onnx``; the outputs go to ``FOLDER/out/NAME.npz``. A name
that begins with ``bare-`` is run without the engine's settings.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from codehunch.inference.session import create_session


def main(folder: Path) -> None:
    """One session per graph, one thread."""
    (folder / "out").mkdir(exist_ok=True)
    for feeds in sorted((folder / "feeds").glob("*.npz")):
        path = folder / f"{feeds.stem}.onnx"
        if feeds.stem.startswith("bare-"):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        else:
            session = create_session(path, 1, ["cpu"])
        names = [node.name for node in session.get_outputs()]
        found = session.run(names, dict(np.load(feeds)))
        np.savez(folder / "out" / feeds.stem, **dict(zip(names, found, strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
