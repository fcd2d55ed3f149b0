"""The generation model of a retraining: what it reads, and how it becomes a bundle again."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import T5ForConditionalGeneration

from codehunch.bundles.bundle import Bundle, load_bundle, write_bundle
from codehunch.generation.generator import AUTOMATIC
from codehunch.generation.prompt import encode_prompt
from codehunch.inference.seq2seq import Seq2Seq
from codehunch_training.corpus.docstrings import prompt_of
from codehunch_training.evaluation.generation import threshold
from codehunch_training.export.generation import (
    PARTS,
    WEIGHTS,
    graphs_in,
    measure_parity,
    quantise,
    share_weights,
    to_onnx,
)
from codehunch_training.retraining.defect_task import retrained_id
from codehunch_training.retraining.mixing import kept_aside
from codehunch_training.retraining.options import RetrainError, Tuning
from codehunch_training.retraining.state import made_folder
from codehunch_training.tasks.generation_data import cut, encode_target, pad_id
from codehunch_training.tasks.generation_model import loss_of

AGREEMENT = 0.9
"""The least share of teacher-forced tokens on which the int8 graphs must choose what the PyTorch model chooses."""
_POOL = 256
_VALIDATED = 64
_WEIGHT = {"docstring": 3.0, "comment": 1.0, "sentence": 1.0, "signature": 1.0}
Pair = tuple[list[int], list[int]]


@attrs.frozen(eq=False)
class BodyData:
    """Rows (``kind``, ``prompt``, ``target``) a generation model learns from."""

    rows: tuple[Mapping[str, Any], ...]
    general: tuple[Mapping[str, Any], ...]
    valid: tuple[Mapping[str, Any], ...]
    feedback: tuple[Mapping[str, Any], ...] = ()


class BodyLearner:
    """See ``loop.Learner``."""

    def __init__(self, checkpoint: Path, bundle: Bundle, data: BodyData, tuning: Tuning, seed: int) -> None:
        spec = bundle.manifest.generation
        assert spec is not None
        self.spec = spec
        self.model: nn.Module = T5ForConditionalGeneration.from_pretrained(checkpoint)
        self.tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
        self.pad = pad_id(self.tokenizer)
        self.tuning, self.seed = tuning, seed
        self._own = self._encoded(data.rows)
        general = self._encoded(data.general)
        aside = kept_aside(len(general))
        self._general_kept, self._general = general[:aside], general[aside:]
        self._feedback = self._encoded(data.feedback)
        self._valid = self._encoded(data.valid)[:_VALIDATED]
        self._weights = [_WEIGHT.get(str(row["kind"]), 1.0) for row in data.rows if self._fits(row)]

    def batches(self, seed: str) -> Iterator[dict[str, Tensor]]:
        rng = random.Random(f"{self.seed}:{seed}")
        while True:
            pool = [self._draw(rng) for _ in range(_POOL)]
            groups = self._grouped(pool)
            rng.shuffle(groups)
            yield from groups

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        assert isinstance(self.model, T5ForConditionalGeneration)
        return loss_of(self.model, batch["source"], batch["target"], self.pad)

    def validation(self) -> list[dict[str, Tensor]]:
        return self._grouped(self._valid) if self._valid else []

    def general_validation(self) -> list[dict[str, Tensor]]:
        return self._grouped(self._general_kept) if self._general_kept else []

    def _draw(self, rng: random.Random) -> Pair:
        if self._feedback and rng.random() < self.tuning.feedback:
            return rng.choice(self._feedback)
        if self._general and (not self._own or rng.random() < self.tuning.general):
            return rng.choice(self._general)
        return rng.choices(self._own, self._weights)[0]

    def _grouped(self, pairs: Sequence[Pair]) -> list[dict[str, Tensor]]:
        source = np.array([len(a) for a, _ in pairs])
        target = np.array([len(b) for _, b in pairs])
        groups = cut(source, target, self.tuning.batch_tokens)
        return [self._collated([pairs[int(at)] for at in group]) for group in groups]

    def _collated(self, pairs: Sequence[Pair]) -> dict[str, Tensor]:
        found = {}
        for name, side in (("source", 0), ("target", 1)):
            width = max(len(pair[side]) for pair in pairs)
            rows = [pair[side] + [self.pad] * (width - len(pair[side])) for pair in pairs]
            found[name] = torch.tensor(rows, dtype=torch.int64)
        return found

    def _fits(self, row: Mapping[str, Any]) -> bool:
        return len(encode_target(self.tokenizer, row["target"])) <= self.spec.max_new

    def _encoded(self, rows: Sequence[Mapping[str, Any]]) -> list[Pair]:
        return [
            (
                encode_prompt(self.tokenizer, prompt_of(dict(row)), self.spec.max_prompt),
                encode_target(self.tokenizer, row["target"]),
            )
            for row in rows
            if self._fits(row)
        ]


def export_generation(
    model: T5ForConditionalGeneration,
    old: Bundle,
    tokenizer: Path,
    out: Path,
    *,
    checked: Sequence[Mapping[str, Any]],
    provenance: dict[str, Any],
) -> Bundle:
    """The int8 bundle of a fine-tuned model, its parity measured on ``checked``.

    Raises RetrainError where the int8 graphs choose other tokens than the PyTorch model too often.
    """
    spec = old.manifest.generation
    assert spec is not None
    model = model.eval().cpu()
    words = Tokenizer.from_file(str(tokenizer))
    start, eos = spec.decoder_start_token_id, spec.eos_token_id
    with made_folder(out) as folder, tempfile.TemporaryDirectory(dir=out.parent) as work:
        plain, small = Path(work) / "fp32", Path(work) / "int8"
        model.save_pretrained(Path(work) / "model", safe_serialization=True)
        to_onnx(Path(work) / "model", plain)
        quantization = quantise(plain, small)
        share_weights(small)
        for name in (*PARTS.values(), WEIGHTS):
            shutil.copyfile(small / name, folder / name)
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
        prompts = [encode_prompt(words, prompt_of(dict(row)), spec.max_prompt) for row in checked]
        graphs = {"onnx_int8": Seq2Seq(graphs_in(folder, start, eos), 1)}
        found = measure_parity(model, graphs, prompts, min(64, spec.max_new))
        if found["onnx_int8"]["forced_tokens"] < AGREEMENT:
            raise RetrainError(
                f"the int8 model chooses another token in {1 - found['onnx_int8']['forced_tokens']:.1%} of places"
                f" ({1 - AGREEMENT:.0%} are allowed), so the old model stays"
            )
        manifest = attrs.evolve(
            old.manifest,
            id=retrained_id(old.manifest.id),
            version=time.strftime("%Y%m%d.%H%M%S"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            generation=attrs.evolve(spec, **PARTS),
            encoding=attrs.evolve(old.manifest.encoding, tokenizer="tokenizer.json"),
            quantization=quantization,
            parity=found,
            metrics={},
            provenance=provenance,
        )
        write_bundle(folder, manifest)
    return load_bundle(out)


def with_threshold(bundle: Bundle, readings: Sequence[Mapping[str, Any]]) -> Bundle:
    """The bundle with the confidence from which a body is shown unasked, fitted on the repositories' own bodies."""
    spec = bundle.manifest.generation
    assert spec is not None
    if len(readings) < 10:
        return bundle
    least, _ = threshold([r["confidence"] for r in readings], [r["similarity"] for r in readings])
    fitted = attrs.evolve(spec, thresholds={**spec.thresholds, AUTOMATIC: least})
    return write_bundle(bundle.path, attrs.evolve(bundle.manifest, generation=fitted))
