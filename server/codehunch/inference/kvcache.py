"""The key/value cache of a request, kept where onnxruntime computed it.

Outputs of one step are bound as inputs of the next: no array crosses into Python but the logits. What is copied is the
cache once at the start, for the beams, and where a beam search changes the order of its beams. Inside the graph,
``Concat`` still writes the longer cache to a new place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from codehunch.inference.decoding import Floats

LOGITS = "logits"


class KeyValueCache:
    """Values by input name, each of shape (beams, heads, positions, size of a head), bound to one session."""

    def __init__(
        self,
        session: ort.InferenceSession,
        values: Mapping[str, NDArray[Any]],
        beams: int = 1,
        shared: Collection[str] = (),
    ) -> None:
        """``values`` are of one beam, or of all; names the session does not take are left out.

        Those of ``shared`` stay as they are: one copy for all beams, which the graph must be able to read so.
        """
        self._session = session
        self._device = "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"
        names = {node.name for node in session.get_inputs()}
        self._outputs = [node.name for node in session.get_outputs()]
        self._binding = session.io_binding()
        self._values: dict[str, ort.OrtValue] = {}
        self._held: dict[str, NDArray[Any]] = {}
        for name, value in values.items():
            if name in names:
                whole = name in shared or len(value) == beams
                repeated = value if whole else np.repeat(value, beams, axis=0)
                self._bind(name, ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(repeated), self._device))

    @property
    def positions(self) -> int:
        """Of the longest value: tokens read so far, of the prompt or of the answer."""
        return max(int(value.shape()[2]) for value in self._values.values())

    def bind(self, name: str, array: NDArray[Any]) -> None:
        """Give an input that is no part of the cache. It stays given until it is given anew."""
        self._held[name] = np.ascontiguousarray(array)  # The binding points into it.
        self._binding.bind_cpu_input(name, self._held[name])

    def step(self) -> Floats:
        """Run the session: logits (beams, tokens, vocabulary). The cache is then the longer one."""
        # Anew for every step: an output keeps the place, and so the size, of the run before.
        for name in self._outputs:
            self._binding.bind_output(name, "cpu" if name == LOGITS else self._device)
        self._session.run_with_iobinding(self._binding)
        logits: Floats | None = None
        for name, value in zip(self._outputs, self._binding.get_outputs(), strict=True):
            if name == LOGITS:
                logits = value.numpy()
            elif (past := name.replace("present", "past_key_values")) in self._values:
                self._bind(past, value)
        assert logits is not None
        return logits

    def reorder(self, order: NDArray[np.int64], names: Iterable[str] | None = None) -> None:
        """Make beam ``i`` go on from beam ``order[i]``, in the named values, all where ``None``."""
        for name in list(self._values if names is None else names):
            value = self._values[name].numpy()[order]
            self._bind(name, ort.OrtValue.ortvalue_from_numpy(value, self._device))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def _bind(self, name: str, value: ort.OrtValue) -> None:
        self._values[name] = value
        self._binding.bind_ortvalue_input(name, value)
