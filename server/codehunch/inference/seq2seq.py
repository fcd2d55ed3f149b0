"""Encoder-decoder graphs with a key/value cache, over onnxruntime.

Graphs are as optimum exports them: an encoder, a decoder for the first token (it also projects the encoder's states
once for all cross-attentions) and a decoder that continues from a cache. One prompt at a time; its beams or samples
are one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch.inference.decoding import Answer, Decoding, Floats, decode
from codehunch.inference.errors import Cancelled
from codehunch.inference.kvcache import KeyValueCache
from codehunch.inference.session import create_session, require_names


@attrs.frozen
class Graphs:
    """The files of one model and its special tokens."""

    encoder: Path
    decoder: Path
    decoder_with_past: Path
    start: int
    eos: int


class Seq2Seq:
    """One loaded model. Calls hold no state between each other."""

    def __init__(self, graphs: Graphs, threads: int | None = None, providers: Sequence[str] | None = None) -> None:
        self._graphs = graphs
        self._encoder = create_session(graphs.encoder, threads, providers)
        self._decoder = create_session(graphs.decoder, threads, providers)
        self._next = create_session(graphs.decoder_with_past, threads, providers)
        require_names(self._encoder, graphs.encoder, ["input_ids", "attention_mask"], ["last_hidden_state"])
        decoder_inputs = ["input_ids", "encoder_hidden_states", "encoder_attention_mask"]
        require_names(self._decoder, graphs.decoder, decoder_inputs, ["logits"])
        require_names(self._next, graphs.decoder_with_past, ["input_ids", "encoder_attention_mask"], ["logits"])
        self._decoder_outputs = [node.name for node in self._decoder.get_outputs()]
        self._next_inputs = {node.name for node in self._next.get_inputs()}
        self._shares: bool | None = None
        """Whether all beams can read one copy of the prompt's keys and values; not known yet where ``None``."""

    def generate(
        self,
        prompt: Sequence[int],
        decoding: Decoding,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Answer, ...]:
        """See TextModel.generate."""
        run = _Run(self, prompt, deadline, cancelled)
        return decode(run, decoding, (self._graphs.eos,))

    def first(self, prompt: Sequence[int], beams: int = 1) -> tuple[Floats, KeyValueCache]:
        """Encode a prompt and decode the start token: logits (1, vocabulary) and the cache, for so many beams."""
        ids = np.asarray([prompt], dtype=np.int64)
        mask = np.ones_like(ids)
        hidden = self._encoder.run(["last_hidden_state"], {"input_ids": ids, "attention_mask": mask})[0]
        feed: dict[str, Any] = {
            "input_ids": np.full((1, 1), self._graphs.start, dtype=np.int64),
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask,
        }
        outputs = dict(zip(self._decoder_outputs, self._decoder.run(None, feed), strict=True))
        logits: Floats = outputs.pop("logits")[:, -1]
        values = {name.replace("present", "past_key_values"): value for name, value in outputs.items()}
        return logits, self._cache(values, mask, beams, beams > 1 and self._can_share(values, mask))

    def _cache(self, values: Mapping[str, Floats], mask: NDArray[np.int64], beams: int, shared: bool) -> KeyValueCache:
        names = [name for name in values if ".encoder." in name] if shared else []
        cache = KeyValueCache(self._next, values, beams, names)
        if "encoder_attention_mask" in self._next_inputs:
            cache.bind("encoder_attention_mask", np.repeat(mask, beams, axis=0))
        return cache

    def _can_share(self, values: Mapping[str, Floats], mask: NDArray[np.int64]) -> bool:
        """Whether a step of two beams over one copy of the prompt's keys and values gives the same bits as over two.

        Reading them is most of a step after a long prompt. Whether one copy is enough depends on how the graph was
        traced: some products broadcast, others fold beams and heads into one axis. So it is tried, once per model.
        """
        if self._shares is None:
            start = self._graphs.start
            tokens = np.array([start, 1 if start == 0 else 0], dtype=np.int64)
            expected = self.following(tokens, self._cache(values, mask, 2, False))
            try:
                found = self.following(tokens, self._cache(values, mask, 2, True))
                self._shares = found.shape == expected.shape and np.array_equal(found, expected)
            except Exception:  # onnxruntime's exceptions share no base but Exception: the shapes do not fit.
                self._shares = False
        return self._shares

    def following(self, tokens: NDArray[np.int64], cache: KeyValueCache) -> Floats:
        """Feed one token per beam: logits (beams, vocabulary). The cache grows by it."""
        cache.bind("input_ids", tokens[:, None])
        return cache.step()[:, -1]


class _Run:
    """The cache of one request, its deadline and its cancel flag."""

    def __init__(
        self, model: Seq2Seq, prompt: Sequence[int], deadline: float | None, cancelled: Callable[[], bool] | None
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._deadline = deadline
        self._cancelled = cancelled
        self._cache: KeyValueCache | None = None

    def start(self, beams: int) -> Floats:
        """Logits of the first token, repeated for every beam."""
        self._check()
        logits, self._cache = self._model.first(self._prompt, beams)
        return np.repeat(logits, beams, axis=0)

    def step(self, tokens: NDArray[np.int64], order: NDArray[np.int64] | None = None) -> Floats:
        """Logits after one more token per beam; ``order`` says which beam each new one continues."""
        self._check()
        assert self._cache is not None
        if order is not None and not np.array_equal(order, np.arange(len(order))):
            # The prompt's part is the same for all beams.
            self._cache.reorder(order, [name for name in self._cache.names if ".decoder." in name])
        return self._model.following(tokens.astype(np.int64), self._cache)

    def late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
