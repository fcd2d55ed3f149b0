"""Function-level classifiers of any RoBERTa-like layout: the function's text in, one probability per label out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.inference.batching import PROBED_IDS, BatchRunner
from codehunch.inference.classifier import softmax
from codehunch.inference.errors import InferenceError
from codehunch.inference.fallback import open_session
from codehunch.inference.placement import Placement

_OPTIONAL_INPUTS = ("attention_mask", "token_type_ids")
_PADS = ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>")


class TextClassifier:
    """One session over a bundle without a token head, such as a two-class model for C functions.

    The tokenizer's own post-processor adds the special tokens. A function longer than the window is
    read in windows that overlap by the stride, and judged by its worst one.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None, placement: Placement | None = None) -> None:
        manifest = bundle.manifest
        if manifest.defects is None or manifest.encoding.kind != "text":
            raise InferenceError(f"{bundle.path}: not a classifier of texts")
        self.labels = manifest.defects.sequence_labels
        self._temperature = manifest.defects.temperature
        graph = bundle.path / manifest.defects.graph
        placement = placement or Placement(threads)
        session = open_session(bundle, manifest.defects.graph, placement, ("input_ids",), ("logits",))
        self._inputs = {node.name for node in session.get_inputs()}
        unknown = self._inputs - {"input_ids", *_OPTIONAL_INPUTS}
        if unknown:
            raise InferenceError(f"{graph}: asks for inputs no tokenizer gives: {', '.join(sorted(unknown))}")
        spec = manifest.encoding
        self._tokenizer = Tokenizer.from_file(str(bundle.path / spec.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.window, stride=spec.stride)
        pad = next((found for name in _PADS if (found := self._tokenizer.token_to_id(name)) is not None), None)
        pads = {"input_ids": pad or 0, "attention_mask": 0, "token_type_ids": 0}
        masked = pad is not None and "attention_mask" in self._inputs
        self._runner = BatchRunner(session, ["logits"], pads if masked else None)
        ids = range(min(self._tokenizer.get_vocab_size(), PROBED_IDS))
        made_up = {"input_ids": ids, "attention_mask": range(1, 2), "token_type_ids": range(1)}
        self._runner.warm_up({name: made_up[name] for name in self._inputs}, spec.window)

    def read(self, texts: Sequence[str], cancelled: Callable[[], bool] | None = None) -> list[NDArray[np.float32]]:
        """[labels] per text: the probabilities of its window that looks least clean."""
        rows: list[dict[str, NDArray[np.int64]]] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            whole = self._tokenizer.encode(text)
            for each in (whole, *whole.overflowing):
                given = {"input_ids": each.ids, "attention_mask": [1] * len(each.ids), "token_type_ids": each.type_ids}
                rows.append({name: np.array(given[name], dtype=np.int64) for name in self._inputs})
                owners.append(number)
        found: dict[int, NDArray[np.float32]] = {}
        for at, (logits,) in self._runner.run(rows, cancelled):
            window, owner = softmax(logits / self._temperature), owners[at]
            if owner not in found or window[0] < found[owner][0]:
                found[owner] = window
        return [found[number] for number in range(len(texts))]
