"""The defect model of a retraining: what it reads, and how it becomes a bundle again."""

from __future__ import annotations

import datetime
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
from tokenizers import Tokenizer
from torch import Tensor, nn

from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec
from codehunch.inference.classifier import Classifier
from codehunch.inference.encoding import LexicalEncoder
from codehunch_training.corpus.around import Source, around_of
from codehunch_training.corpus.rows import DefectRow, FunctionRow
from codehunch_training.export.calibration import calibrate
from codehunch_training.export.defects import AGREEMENT, export_graph, parity, quantize
from codehunch_training.models.encoder import DefectModel
from codehunch_training.retraining.mixing import kept_aside
from codehunch_training.retraining.options import RetrainError, Tuning
from codehunch_training.retraining.state import made_folder
from codehunch_training.tasks.defect_data import (
    Example,
    Known,
    Mixture,
    batches,
    collate,
    corrupt,
    label_index,
    make_examples,
    stream,
)

MIXTURE = Mixture(clean=0.3, dense=0.15)
"""As in the last stretch of the shipped model's training: one defect or none, clean twins beside them."""
CHECKED, MOST_CHECKED = 40, 200
"""Functions on which the int8 graph is compared with the PyTorch model: as a rule, and where these leave a doubt."""
_POOL = 96
_VALIDATED = 96
"""Functions kept aside that choose the best weights."""


@attrs.frozen(eq=False)
class DefectData:
    """Functions and rows a defect model learns from."""

    own: tuple[Source, ...]
    general: tuple[Source, ...]
    valid: tuple[Source, ...]
    fixes: tuple[tuple[Known, ...], ...] = ()
    feedback: tuple[Known, ...] = ()


def known_fixes(rows: Sequence[DefectRow], labels: Sequence[str]) -> tuple[tuple[Known, ...], ...]:
    """Mined groups as the training stream takes them; kinds the model has no label for lend their clean rows only."""
    groups: dict[str, list[Known]] = {}
    for row in rows:
        if row.role != "buggy":
            groups.setdefault(row.group, []).append(Known(row.text, {}, row.around))
        elif row.label in labels:
            places = {start: row.label for start, _ in row.spans}
            groups.setdefault(row.group, []).append(Known(row.text, places, row.around))
    return tuple(tuple(group) for group in groups.values())


class DefectLearner:
    """See ``loop.Learner``."""

    def __init__(self, checkpoint: Path, bundle: Bundle, data: DefectData, tuning: Tuning, seed: int) -> None:
        spec = bundle.manifest
        assert spec.defects is not None
        self.model: nn.Module = DefectModel.from_pretrained(checkpoint)
        self.labels = spec.defects.labels
        tokenizer, reads = Tokenizer.from_file(str(checkpoint / "tokenizer.json")), spec.encoding
        self.encoder = LexicalEncoder(tokenizer, reads.window, reads.stride, reads.told)
        self.index = label_index(self.labels)
        self._general_kept = data.general[: kept_aside(len(data.general))]
        data = attrs.evolve(data, general=data.general[len(self._general_kept) :])
        self.data, self.tuning, self.seed = data, tuning, seed

    def batches(self, seed: str) -> Iterator[dict[str, Tensor]]:
        rng = random.Random(f"{self.seed}:{seed}")
        return batches(self._examples(rng), self.tuning.batch_tokens, self.encoder.pad, rng, _POOL)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        return loss

    def validation(self) -> list[dict[str, Tensor]]:
        return self._batches(self.data.valid[:_VALIDATED])

    def general_validation(self) -> list[dict[str, Tensor]]:
        return self._batches(self._general_kept)

    def _batches(self, sources: Sequence[Source]) -> list[dict[str, Tensor]]:
        rng = random.Random(self.seed)
        examples: list[Example] = []
        for source in sources:
            around = around_of(source.around)
            injected = corrupt(source.text, Mixture(clean=0.0, dense=0.0), rng, around)
            if injected is not None:
                changed, file = (injected.labels, injected.originals), injected.around or around
                examples += make_examples(injected.text, *changed, self.encoder, self.index, around=file)
            examples += make_examples(source.text, {}, {}, self.encoder, self.index, around=around)
        examples.sort(key=lambda example: len(example.window))
        return [collate(examples[at : at + 16], self.encoder.pad) for at in range(0, len(examples), 16)]

    def _examples(self, rng: random.Random) -> Iterator[Example]:
        data, tuning = self.data, self.tuning
        mixture = attrs.evolve(MIXTURE, mined=tuning.mined if data.fixes else 0.0)
        own = stream(data.own, self.encoder, self.index, lambda: mixture, random.Random(rng.random()), data.fixes)
        general = stream(data.general, self.encoder, self.index, lambda: MIXTURE, random.Random(rng.random()))
        while True:
            drawn = rng.random()
            if data.feedback and drawn < tuning.feedback:
                known = rng.choice(data.feedback)
                yield from make_examples(
                    known.text, known.labels, {}, self.encoder, self.index, around=around_of(known.around)
                )
            elif data.general and rng.random() < tuning.general:
                yield next(general)
            else:
                yield next(own)


def export_defects(
    model: DefectModel,
    old: Bundle,
    tokenizer: Path,
    out: Path,
    *,
    calibration: Sequence[FunctionRow],
    checked: Sequence[FunctionRow],
    provenance: dict[str, Any],
) -> Bundle:
    """The int8 bundle of a fine-tuned model: parity gated on ``checked``, thresholds fitted on ``calibration``.

    Raises RetrainError where the int8 graph points elsewhere than the PyTorch model too often.
    """
    with made_folder(out) as folder:
        work = folder.with_name("graph")
        shutil.rmtree(work, ignore_errors=True)
        model = model.eval().cpu()
        plain = export_graph(model, work)
        quantization = quantize(plain, folder / "model.onnx")
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
        spec = old.manifest.defects
        assert spec is not None
        manifest = attrs.evolve(
            old.manifest,
            id=retrained_id(old.manifest.id),
            version=time.strftime("%Y%m%d.%H%M%S"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            defects=attrs.evolve(spec, graph="model.onnx", temperature=1.0),
            encoding=attrs.evolve(old.manifest.encoding, tokenizer="tokenizer.json"),
            quantization=quantization,
            metrics={},
            provenance=provenance,
        )
        bundle = write_bundle(folder, manifest)
        found = parity(model, Classifier(bundle), list(checked[:CHECKED]), plain)
        if found["agreement_int8"] < AGREEMENT and len(checked) > CHECKED:
            found = parity(model, Classifier(bundle), list(checked), plain)  # Two of forty may be chance.
        if found["agreement_int8"] < AGREEMENT:
            raise RetrainError(
                f"the int8 model points at another token in {1 - found['agreement_int8']:.1%} of functions"
                f" ({1 - AGREEMENT:.0%} are allowed), so the old model stays"
            )
        # A repository is too small to weigh the evidence anew: what it has learned was lost in that before.
        fitted = calibrate(bundle, list(calibration), weights=spec.confidence)
        new: DefectSpec = attrs.evolve(
            bundle.manifest.defects,
            temperature=fitted.temperature,
            candidate=fitted.candidate,
            confidence=fitted.weights,
            thresholds=fitted.thresholds,
            alarms_per_kloc=fitted.alarms_per_kloc,
        )
        write_bundle(folder, attrs.evolve(bundle.manifest, defects=new, parity=found))
        shutil.rmtree(work, ignore_errors=True)
    from codehunch.bundles.bundle import load_bundle

    return load_bundle(out)


def retrained_id(name: str) -> str:
    """The id of a retrained bundle: the same from night to night, so that the store keeps the last two."""
    return name if name.endswith("-retrained") else f"{name}-retrained"
