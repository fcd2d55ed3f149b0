"""Function-level classifiers of any RoBERTa-like layout: the function's text in, one probability per label out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.inference.classifier import softmax
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.inference.session import create_session, require_names

_OPTIONAL_INPUTS = ("attention_mask", "token_type_ids")


class TextClassifier:
    """One session over a bundle without a token head, such as a two-class model for C functions.

    The tokenizer's own post-processor adds the special tokens. A function longer than the window is
    read in windows that overlap by the stride, and judged by its worst one.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        manifest = bundle.manifest
        if manifest.defects is None or manifest.encoding.kind != "text":
            raise InferenceError(f"{bundle.path}: not a classifier of texts")
        self.labels = manifest.defects.sequence_labels
        self._temperature = manifest.defects.temperature
        graph = bundle.path / manifest.defects.graph
        self._session = create_session(graph, threads)
        require_names(self._session, graph, ("input_ids",), ("logits",))
        self._inputs = {node.name for node in self._session.get_inputs()}
        unknown = self._inputs - {"input_ids", *_OPTIONAL_INPUTS}
        if unknown:
            raise InferenceError(f"{graph}: asks for inputs no tokenizer gives: {', '.join(sorted(unknown))}")
        spec = manifest.encoding
        self._tokenizer = Tokenizer.from_file(str(bundle.path / spec.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.window, stride=spec.stride)

    def read(self, texts: Sequence[str], cancelled: Callable[[], bool] | None = None) -> list[NDArray[np.float32]]:
        """[labels] per text: the probabilities of its window that looks least clean."""
        found = []
        for text in texts:
            if cancelled is not None and cancelled():
                raise Cancelled
            whole = self._tokenizer.encode(text)
            windows = [self._forward(each.ids, each.type_ids) for each in (whole, *whole.overflowing)]
            found.append(min(windows, key=lambda each: float(each[0])))
        return found

    def _forward(self, ids: list[int], types: list[int]) -> NDArray[np.float32]:
        row = np.array([ids], dtype=np.int64)
        given = {
            "input_ids": row,
            "attention_mask": np.ones_like(row),
            "token_type_ids": np.array([types], dtype=np.int64),
        }
        (logits,) = self._session.run(["logits"], {name: given[name] for name in self._inputs})
        return softmax(logits[0] / self._temperature)
