"""The defect model at work: functions in, a probability for every lexeme and label out."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
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
_REMEMBERED = 128
"""Windows of long functions whose outputs are kept, some 5 MB. An edit, or a rewrite that is tried, leaves most of such
a function's windows as they were."""
Probabilities = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of a window as a whole, [labels], and of each of its tokens, [tokens, labels]."""


@attrs.frozen(eq=False)
class Part:
    """What a window says of the lexemes that it answers for."""

    first: int
    last: int
    """Lexeme numbers, half open."""
    sequence: NDArray[np.float32]
    """[labels]"""


@attrs.frozen(eq=False)
class Reading:
    """What the model thinks of one function."""

    tokens: NDArray[np.float32]
    """[lexemes, labels]: probabilities of each lexeme; label 0 is clean."""
    sequence: NDArray[np.float32]
    """[labels]: of the function as a whole; of its most suspicious window where it needed several."""
    parts: tuple[Part, ...] = ()
    """The windows that were read."""

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
        self._remembered: OrderedDict[bytes, Probabilities] = OrderedDict()
        self._runner = BatchRunner(session, _OUTPUTS, dict(zip(_INPUTS, (self.encoder.pad, 0, 0), strict=True)))
        ids = range(min(tokenizer.get_vocab_size(), PROBED_IDS))
        self._runner.warm_up(dict(zip(_INPUTS, (ids, range(1, 2), range(4)), strict=True)), spec.window)

    def read(
        self,
        functions: Sequence[Sequence[Lexeme]],
        cancelled: Callable[[], bool] | None = None,
        standings: Sequence[Sequence[int]] = (),
        within: Sequence[Collection[int]] = (),
    ) -> list[Reading]:
        """Read functions, each with the same result in any company. ``standings`` tells how the lexemes of each
        stand in its file; ``within`` has the lexemes of each that matter: of long functions only the windows that
        answer for those are read, and the rest counts as clean. Raises Cancelled when asked to stop between two runs
        of the graph."""
        told = standings or [()] * len(functions)
        owners: dict[bytes, list[tuple[int, Window]]] = {}
        long: set[bytes] = set()
        for number, (lexemes, own) in enumerate(zip(functions, told, strict=True)):
            windows = self.encoder.encode(lexemes, own)
            for window in windows:
                first, last = window.core
                if within and not any(first <= at < last for at in within[number]):
                    continue
                key = _key(window)
                owners.setdefault(key, []).append((number, window))
                if len(windows) > 1:
                    long.add(key)
        tokens = [np.zeros((len(lexemes), len(self.labels)), dtype=np.float32) for lexemes in functions]
        parts: list[list[Part]] = [[] for _ in functions]
        for each in tokens:
            each[:, 0] = 1.0  # A lexeme without tokens (none today) reads as clean.
        for key, (whole, each_token) in self._outputs(owners, long, cancelled):
            for number, window in owners[key]:
                first, last = window.core
                places = np.flatnonzero((window.lexemes >= first) & (window.lexemes < last))
                tokens[number][window.lexemes[places]] = each_token[places]
                parts[number].append(Part(first, last, whole))
        for each_part in parts:
            each_part.sort(key=lambda part: part.first)  # In the order of the text, whatever was remembered.
        clean = np.eye(1, len(self.labels), dtype=np.float32)[0]
        return [
            Reading(
                each, min((part.sequence for part in read), key=lambda one: float(one[0]), default=clean), tuple(read)
            )
            for each, read in zip(tokens, parts, strict=True)
        ]

    def _outputs(
        self,
        owners: Mapping[bytes, Sequence[tuple[int, Window]]],
        long: Container[bytes],
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[tuple[bytes, Probabilities]]:
        """What the graph says of every window, each read once; windows of ``long`` functions are remembered."""
        known = [key for key in owners if key in self._remembered]
        for key in known:
            self._remembered.move_to_end(key)
            yield key, self._remembered[key]
        fresh = [key for key in owners if key not in self._remembered]
        for at, outputs in self._runner.run([_row(owners[key][0][1]) for key in fresh], cancelled):
            whole, each_token = (softmax(logits / self._temperature) for logits in outputs)
            if fresh[at] in long:
                self._remembered[fresh[at]] = whole, each_token
                if len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)
            yield fresh[at], (whole, each_token)


def _key(window: Window) -> bytes:
    """Equal for windows that the graph cannot tell apart."""
    return hashlib.blake2b(window.input_ids.tobytes() + window.identifier_ids.tobytes(), digest_size=16).digest()


def _row(window: Window) -> dict[str, NDArray[np.int64]]:
    ids = window.input_ids
    return dict(zip(_INPUTS, (ids, np.ones_like(ids), window.identifier_ids), strict=True))


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float32] = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result
