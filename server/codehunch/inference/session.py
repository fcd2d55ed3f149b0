"""onnxruntime sessions: the one place that decides on providers, threads and memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import onnxruntime as ort

from codehunch.inference.errors import InferenceError

logger = logging.getLogger(__name__)

PROVIDERS: dict[str, str] = {
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Short names in the order of preference. Only the CPU provider is always there."""

CPU = PROVIDERS["cpu"]
_MOST_THREADS = 4


def default_threads(cores: int | None = None) -> int:
    """Threads of one operator: every core but one, which stays the editor's, and at most four.

    The default models are small: past four threads the hand-over costs more than it brings.
    """
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_THREADS, cores - 1))


def choose_providers(available: Iterable[str], wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """The onnxruntime provider names to try, best first; the CPU closes every choice.

    ``wanted`` holds short names (``"cuda"``) or onnxruntime's own. Unknown and unavailable ones are
    logged and left out: a setting copied from another machine must not stop the work.
    """
    there = set(available)
    chosen = []
    for name in PROVIDERS if wanted is None else wanted:
        provider = PROVIDERS.get(name.lower(), name)
        if provider in there:
            chosen.append(provider)
        elif wanted is not None and provider != CPU:
            logger.warning("no provider %s in the installed onnxruntime: the CPU takes its place", name)
    return tuple(dict.fromkeys([*(provider for provider in chosen if provider != CPU), CPU]))


def create_session(
    path: str | Path, threads: int | None = None, providers: Sequence[str] | None = None
) -> ort.InferenceSession:
    """A session over the ONNX graph in ``path``.

    ``threads`` is the number of intra-op threads (None: ``default_threads()``); ``providers`` are short
    names of ``PROVIDERS`` in order of preference (None: whatever is installed). A provider that fails to
    load is logged and the CPU takes over. Raises InferenceError naming the file when the graph is missing,
    corrupt or needs operators this onnxruntime lacks.
    """
    file = Path(path)
    if not file.is_file():
        raise InferenceError(f"{file}: no such graph; run `codehunch bundles verify`")
    chosen = choose_providers(ort.get_available_providers(), providers)
    session = None
    if chosen != (CPU,):
        session = _accelerated(file, threads, chosen)
    if session is None:
        try:
            session = _open(file, threads, (CPU,))
        except Exception as error:  # onnxruntime's exceptions share no base but Exception.
            raise InferenceError(
                f"{file}: not a graph onnxruntime {ort.__version__} can run ({reason_of(error)});"
                " run `codehunch bundles verify` and install the bundle again"
            ) from error
    return session


def require_names(
    session: ort.InferenceSession, path: str | Path, inputs: Iterable[str], outputs: Iterable[str]
) -> None:
    """Raises InferenceError unless the graph has all these inputs and outputs."""
    for what, needed, found in (
        ("input", inputs, session.get_inputs()),
        ("output", outputs, session.get_outputs()),
    ):
        names = [node.name for node in found]
        missing = [name for name in needed if name not in names]
        if missing:
            raise InferenceError(
                f"{path}: the graph has no {what} {', '.join(missing)} (it has {', '.join(names)});"
                " it was exported for another task"
            )


def _accelerated(file: Path, threads: int | None, chosen: tuple[str, ...]) -> ort.InferenceSession | None:
    """The session on the chosen providers, or None after logging why only the CPU is left."""
    try:
        # The C++ side reports a missing driver at error level on stderr; our one log line replaces that.
        ort.set_default_logger_severity(4)
        session = _open(file, threads, chosen)
    except Exception as error:
        logger.warning("%s failed to load %s (%s): falling back to the CPU", chosen[0], file.name, reason_of(error))
        return None
    finally:
        ort.set_default_logger_severity(2)
    for provider in set(chosen) - set(session.get_providers()):
        # onnxruntime skips a provider whose libraries are missing without raising.
        logger.warning("%s is not usable on this machine: falling back to %s", provider, session.get_providers()[0])
    return session


def _open(file: Path, threads: int | None, providers: Sequence[str]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads if threads is not None else default_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    # Spinning threads keep a core busy between two keystrokes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Every input length would otherwise leave its own plan behind. The arena stays: callers bound their
    # batches, so it settles at one size, below what page-by-page allocation peaks at.
    options.enable_mem_pattern = False
    # Without VNNI, x86 adds products of unsigned activations and signed weights in 16 bits, where eight-bit weights
    # saturate. There, and nowhere else, such products run as unsigned ones, which is slower and right.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # On CPUs the fused sum and normalisation is not vectorised: the two operators it replaces take a third of its time.
    slower = ["SkipLayerNormFusion"] if tuple(providers) == (CPU,) else []
    # onnxruntime announces its own fallback by print(), and stdout belongs to others: ours replaces it.
    return ort.InferenceSession(
        str(file), options, providers=list(providers), disabled_optimizers=slower, enable_fallback=0
    )


def reason_of(error: Exception) -> str:
    """The first line of what onnxruntime says."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
