"""What a generation bundle makes of later docstrings: how well it expects the real body, and what it writes itself.

Both through the bundle's own int8 graphs, as the server runs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.generation.generator import Generator
from codehunch.generation.prompt import encode_prompt
from codehunch_training.corpus.docstrings import prompt_of
from codehunch_training.evaluation.generation import edit_similarity
from codehunch_training.tasks.generation_data import encode_target


class _Graphs:
    """Teacher-forced reading of a bundle's encoder and decoder."""

    def __init__(self, bundle: Bundle) -> None:
        import onnxruntime

        spec = bundle.manifest.generation
        assert spec is not None
        self.spec = spec
        self.tokenizer = Tokenizer.from_file(str(bundle.path / bundle.manifest.encoding.tokenizer))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(bundle.path / name), options, providers=["CPUExecutionProvider"])
            for name in (spec.encoder, spec.decoder)
        )

    def read(self, row: Mapping[str, Any]) -> tuple[float, int, int] | None:
        """Nats of the whole target, its tokens, and how many were the best guess; ``None`` for one that is too long."""
        target = encode_target(self.tokenizer, row["target"])
        if not target or len(target) > self.spec.max_new:
            return None
        prompt = np.array([encode_prompt(self.tokenizer, prompt_of(dict(row)), self.spec.max_prompt)], dtype=np.int64)
        given = np.array([[self.spec.decoder_start_token_id, *target[:-1]]], dtype=np.int64)
        mask = np.ones_like(prompt)
        (hidden,) = self._encoder.run(["last_hidden_state"], {"input_ids": prompt, "attention_mask": mask})
        feed = {"input_ids": given, "encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        (logits,) = self._decoder.run(["logits"], feed)
        wide = _log_softmax(logits[0])
        nats = -wide[np.arange(len(target)), target].sum()
        return float(nats), len(target), int((wide.argmax(-1) == np.array(target)).sum())


def measure(
    bundle: Bundle,
    rows: Sequence[Mapping[str, Any]],
    *,
    write: bool = True,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
    stop: Callable[[], None] = lambda: None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any] | None]:
    """Per row, in order: ``nats``, ``tokens``, ``right``; with ``write`` also ``text``, ``similarity``, ``confidence``.

    ``None`` for a row whose body is longer than the model can write. Ends early after ``seconds``.
    """
    graphs = _Graphs(bundle)
    generator = Generator(bundle, threads=1) if write else None
    started = clock()
    found: list[dict[str, Any] | None] = []
    for number, row in enumerate(rows):
        stop()
        if clock() - started > seconds:
            break
        read = graphs.read(row)
        if read is None:
            found.append(None)
            continue
        nats, tokens, right = read
        result: dict[str, Any] = {"nats": round(nats, 4), "tokens": tokens, "right": right}
        if generator is not None:
            answer = generator.answers(prompt_of(dict(row)), generator.decoding(1))[0]
            text = generator.body(answer)
            similarity = edit_similarity(text, row["target"])
            result |= {"text": text, "similarity": round(similarity, 4), "confidence": round(answer.confidence, 4)}
        found.append(result)
        tell(number + 1, len(rows))
    return found


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    found: NDArray[np.float64] = wide - np.log(np.exp(wide).sum(-1, keepdims=True))
    return found
