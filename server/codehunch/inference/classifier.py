"""The defect model at work: functions in, a probability for every lexeme and label out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.inference.batching import PROBED_IDS, BatchRunner
from codehunch.inference.encoding import LexicalEncoder, Window
from codehunch.inference.errors import InferenceError
from codehunch.inference.fallback import open_session
from codehunch.inference.placement import Placement
from codehunch.syntax.lexemes import Lexeme

_INPUTS = ("input_ids", "attention_mask", "identifier_ids")
_OUTPUTS = ("logits", "token_logits")


@attrs.frozen(eq=False)
class Reading:
    """What the model thinks of one function."""

    tokens: NDArray[np.float32]
    """[lexemes, labels]: probabilities of each lexeme; label 0 is clean."""
    sequence: NDArray[np.float32]
    """[labels]: of the function as a whole; of its most suspicious window where it needed several."""

    @property
    def suspicion(self) -> NDArray[np.float32]:
        """[lexemes]: probability that the lexeme is wrong in any way."""
        return 1.0 - self.tokens[:, 0]


class Classifier:
    """One session over a bundle's graph. Not thread-safe: its encoder caches."""

    def __init__(self, bundle: Bundle, threads: int | None = None, placement: Placement | None = None) -> None:
        manifest = bundle.manifest
        if manifest.defects is None or not manifest.defects.token_head:
            raise InferenceError(f"{bundle.path}: not a defect model with a token head")
        self.labels = manifest.defects.labels
        self._temperature = manifest.defects.temperature
        spec = manifest.encoding
        tokenizer = Tokenizer.from_file(str(bundle.path / spec.tokenizer))
        self.encoder = LexicalEncoder(tokenizer, spec.window, spec.stride, spec.told)
        session = open_session(bundle, manifest.defects.graph, placement or Placement(threads), _INPUTS, _OUTPUTS)
        self._runner = BatchRunner(session, _OUTPUTS, dict(zip(_INPUTS, (self.encoder.pad, 0, 0), strict=True)))
        ids = range(min(tokenizer.get_vocab_size(), PROBED_IDS))
        self._runner.warm_up(dict(zip(_INPUTS, (ids, range(1, 2), range(4)), strict=True)), spec.window)

    def read(
        self,
        functions: Sequence[Sequence[Lexeme]],
        cancelled: Callable[[], bool] | None = None,
        standings: Sequence[Sequence[int]] = (),
    ) -> list[Reading]:
        """Read functions, each with the same result in any company. ``standings`` tells how the lexemes of each
        stand in its file. Raises Cancelled when asked to stop between two runs of the graph."""
        windows: list[tuple[int, Window]] = []
        told = standings or [()] * len(functions)
        for number, (lexemes, own) in enumerate(zip(functions, told, strict=True)):
            windows.extend((number, window) for window in self.encoder.encode(lexemes, own))
        tokens = [np.zeros((len(lexemes), len(self.labels)), dtype=np.float32) for lexemes in functions]
        sequence: list[NDArray[np.float32] | None] = [None] * len(functions)
        for each in tokens:
            each[:, 0] = 1.0  # A lexeme without tokens (none today) reads as clean.
        for at, outputs in self._runner.run([_row(window) for _, window in windows], cancelled):
            number, window = windows[at]
            whole, each_token = (softmax(logits / self._temperature) for logits in outputs)
            first, last = window.core
            places = np.flatnonzero((window.lexemes >= first) & (window.lexemes < last))
            tokens[number][window.lexemes[places]] = each_token[places]
            before = sequence[number]
            if before is None or whole[0] < before[0]:
                sequence[number] = whole
        clean = np.eye(1, len(self.labels), dtype=np.float32)[0]
        return [Reading(t, s if s is not None else clean) for t, s in zip(tokens, sequence, strict=True)]


def _row(window: Window) -> dict[str, NDArray[np.int64]]:
    ids = window.input_ids
    return dict(zip(_INPUTS, (ids, np.ones_like(ids), window.identifier_ids), strict=True))


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float32] = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result
