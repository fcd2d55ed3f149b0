"""Decoder-only graphs with a key/value cache, such as GPT-2, LLaMA and Qwen2, over onnxruntime.

One graph reads any number of tokens after a past of any length; the prompt is read after a past of none. One prompt at
a time; its beams or samples are one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codehunch.inference.decoding import Answer, Decoding, Floats, decode
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.inference.session import create_session, require_names

_PAST = "past_key_values."
_OTHERS = ("input_ids", "attention_mask", "position_ids")
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Causal:
    """One loaded decoder-only model, with the calls of Seq2Seq. Calls hold no state between each other."""

    def __init__(
        self,
        graph: Path,
        ends: Collection[int],
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        """``ends``: the tokens that finish an answer. Raises InferenceError for a graph of another kind."""
        self._session = create_session(graph, threads, providers)
        self._ends = tuple(ends)
        require_names(self._session, graph, ["input_ids"], ["logits"])
        self._inputs = {node.name: node for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._past = {name: _empty(node, graph) for name, node in self._inputs.items() if name.startswith(_PAST)}
        unknown = [name for name in self._inputs if name not in self._past and name not in _OTHERS]
        if unknown or not self._past:
            what = f"asks for {', '.join(unknown)}" if unknown else "has no past_key_values"
            raise InferenceError(f"{graph}: the graph {what}; it was exported for another task")
        require_names(self._session, graph, [], [name.replace("past_key_values", "present") for name in self._past])

    def generate(
        self,
        prompt: Sequence[int],
        decoding: Decoding,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Answer, ...]:
        """See TextModel.generate."""
        return decode(_Run(self, prompt, deadline, cancelled), decoding, self._ends)

    def first(self, prompt: Sequence[int]) -> tuple[Floats, dict[str, Floats]]:
        """Read a prompt: logits (1, vocabulary) of the token after it, and the cache."""
        cache = dict(self._past)
        return self.following(np.asarray([prompt], dtype=np.int64), cache), cache

    def following(self, tokens: NDArray[np.int64], cache: dict[str, Floats]) -> Floats:
        """Feed tokens (beams, tokens): logits (beams, vocabulary) of what follows. Updates ``cache`` in place."""
        past = next(iter(cache.values())).shape[2]
        beams, count = tokens.shape
        given: dict[str, Any] = {
            "input_ids": tokens,
            "attention_mask": np.ones((beams, past + count), dtype=np.int64),
            "position_ids": np.tile(np.arange(past, past + count, dtype=np.int64), (beams, 1)),
        }
        feed = {name: value for name, value in given.items() if name in self._inputs} | cache
        for name, value in zip(self._outputs, self._session.run(None, feed), strict=True):
            if name == "logits":
                logits: Floats = value[:, -1].astype(np.float32, copy=False)
            elif name.startswith("present."):
                cache[name.replace("present", "past_key_values")] = value
        return logits


class _Run:
    """The cache of one request, its deadline and its cancel flag."""

    def __init__(
        self, model: Causal, prompt: Sequence[int], deadline: float | None, cancelled: Callable[[], bool] | None
    ) -> None:
        self._model, self._prompt = model, prompt
        self._deadline, self._cancelled = deadline, cancelled
        self._cache: dict[str, Floats] = {}

    def start(self, beams: int) -> Floats:
        self._check()
        logits, cache = self._model.first(self._prompt)
        self._cache = {name: np.repeat(value, beams, axis=0) for name, value in cache.items()}
        return np.repeat(logits, beams, axis=0)

    def step(self, tokens: NDArray[np.int64], order: NDArray[np.int64] | None = None) -> Floats:
        self._check()
        if order is not None and not np.array_equal(order, np.arange(len(order))):
            self._cache = {name: value[order] for name, value in self._cache.items()}
        return self._model.following(tokens.astype(np.int64)[:, None], self._cache)

    def late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled


def _empty(node: Any, graph: Path) -> Floats:
    """A past of no tokens: (1, heads, 0, size of a head)."""
    _, heads, _, size = node.shape if len(node.shape) == 4 else (0, None, 0, None)
    kind = _TYPES.get(node.type)
    if not isinstance(heads, int) or not isinstance(size, int) or kind is None:
        raise InferenceError(f"{graph}: {node.name} is {node.type}{node.shape}, not (batch, heads, past, size)")
    return np.zeros((1, heads, 0, size), dtype=kind)
