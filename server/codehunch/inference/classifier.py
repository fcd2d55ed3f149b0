"""The defect model at work: functions in, a probability for every lexeme and label out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.inference.encoding import LexicalEncoder, Window
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.inference.session import create_session, require_names
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

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        manifest = bundle.manifest
        if manifest.defects is None or not manifest.defects.token_head:
            raise InferenceError(f"{bundle.path}: not a defect model with a token head")
        self.labels = manifest.defects.labels
        self._temperature = manifest.defects.temperature
        graph = bundle.path / manifest.defects.graph
        self._session = create_session(graph, threads)
        require_names(self._session, graph, _INPUTS, _OUTPUTS)
        spec = manifest.encoding
        self.encoder = LexicalEncoder(Tokenizer.from_file(str(bundle.path / spec.tokenizer)), spec.window, spec.stride)

    def read(self, functions: Sequence[Sequence[Lexeme]], cancelled: Callable[[], bool] | None = None) -> list[Reading]:
        """Read functions, one after the other. Raises Cancelled when asked to stop in between."""
        windows: list[tuple[int, Window]] = []
        for number, lexemes in enumerate(functions):
            windows.extend((number, window) for window in self.encoder.encode(lexemes))
        tokens = [np.zeros((len(lexemes), len(self.labels)), dtype=np.float32) for lexemes in functions]
        sequence: list[NDArray[np.float32] | None] = [None] * len(functions)
        for each in tokens:
            each[:, 0] = 1.0  # A lexeme without tokens (none today) reads as clean.
        for number, window in windows:
            if cancelled is not None and cancelled():
                raise Cancelled
            whole, each_token = self._forward(window)
            first, last = window.core
            places = np.flatnonzero((window.lexemes >= first) & (window.lexemes < last))
            tokens[number][window.lexemes[places]] = each_token[places]
            before = sequence[number]
            if before is None or whole[0] < before[0]:
                sequence[number] = whole
        clean = np.eye(1, len(self.labels), dtype=np.float32)[0]
        return [Reading(t, s if s is not None else clean) for t, s in zip(tokens, sequence, strict=True)]

    def _forward(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One window, alone: dynamic quantisation takes its scale from the whole tensor, so what shares a
        batch would change the answer. On CPUs a window fills the cores as well as a padded batch does."""
        ids = window.input_ids[None]
        feed = dict(zip(_INPUTS, (ids, np.ones_like(ids), window.identifier_ids[None]), strict=True))
        whole, each = self._session.run(list(_OUTPUTS), feed)
        return softmax(whole[0] / self._temperature), softmax(each[0] / self._temperature)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float32] = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result
