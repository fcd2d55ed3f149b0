"""Token classification: a label for every token, learned from spans of the text; finds where something is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.losses import balanced_weights, single_label
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.specification import IGNORED, Batch, Features, Loss, Task, batches_of
from codehunch_training.tasks.windows import encode_text

CLEAN = "clean"
MARKED = "defective"
"""Label of spans where neither they nor their row name one."""


class Tokens(Task):
    """The base's own token head. A token that overlaps a span has its label, the others are ``clean``."""

    name = "tokens"
    families = ("encoder", "causal", "seq2seq")
    selection_metric = "f1"

    labels: tuple[str, ...]
    text_name: str
    weights: Tensor | None = None

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column = text_column(rows, recipe.data)
        return [str(row[column]) for row in rows]

    def check_base(self, base: Base) -> None:
        super().check_base(base)
        if type(base.config) not in AutoModelForTokenClassification._model_mapping:
            raise BaseError(f"{base.spec} ({base.kind}) has no token head; {self.name} needs {self._needs()}")
        if not base.tokenizer.is_fast:
            raise BaseError(f"{base.spec}: its tokenizer gives no offsets; it needs a tokenizer.json")

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.text_name = text_column(train, recipe.data)
        counts = Counter(name for row in train for _, _, name in self.spans(row))
        if not counts:
            raise DataError(
                f"no training row has spans in the column {recipe.data.spans!r}; "
                "name the column with --set data.spans=COLUMN"
            )
        names = recipe.data.labels or (CLEAN, *sorted(counts))
        unknown = sorted(set(counts) - set(names))
        if unknown:
            raise DataError(f"the label {unknown[0]!r} is not among data.labels ({', '.join(map(repr, names))})")
        self.labels = names
        if recipe.objective.class_weights == "balanced":
            seen = Counter(int(label) for each in self.features(train) for label in each["labels"] if label != IGNORED)
            # The square root: whole inverse shares make a model that marks everything.
            self.weights = balanced_weights(torch.tensor([float(seen[at]) for at in range(len(names))])).sqrt()

    def spans(self, row: Row) -> list[tuple[int, int, str]]:
        """(start, end, label) of a row. Raises DataError where they are malformed or out of the text."""
        own = str(row.get(self.recipe.data.label or "label") or MARKED)
        default = own if own not in (CLEAN, "0", "1") else MARKED
        size = len(str(row.get(self.text_name) or ""))
        found = []
        for span in row.get(self.recipe.data.spans) or ():
            try:
                start, end, *rest = span
                start, end = int(start), int(end)
            except (TypeError, ValueError) as error:
                raise DataError(f"{span!r} is no span; write [start, end] or [start, end, label]") from error
            if not 0 <= start < end <= size:
                raise DataError(f"the span {span!r} is not inside its text of {size} characters")
            found.append((start, end, str(rest[0]) if rest else default))
        return found

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        return base.model(
            AutoModelForTokenClassification,
            num_labels=len(self.labels),
            id2label=dict(enumerate(self.labels)),
            label2id={name: at for at, name in enumerate(self.labels)},
        )

    def features(self, rows: Sequence[Row]) -> list[Features]:
        found: list[Features] = []
        for row in rows:
            found += [{"input_ids": ids, "labels": labels} for ids, labels, _ in self._windows(row)]
        return found

    def _windows(self, row: Row) -> list[tuple[list[int], list[int], list[tuple[int, int]]]]:
        text, spans = str(row.get(self.text_name) or ""), self.spans(row)
        windows = encode_text(self.tokenizer, text, None, self.max_length, self.recipe, offsets=True)
        found = []
        for window in windows:
            offsets = [trimmed(text, start, end) for start, end in window["offset_mapping"]]
            labels = [IGNORED if start == end else 0 for start, end in offsets]
            for start, end, name in spans:
                if name not in self.labels:
                    raise DataError(f"the label {name!r} is on no training row")
                for at, (first, last) in enumerate(offsets):
                    if first < end and last > start and first < last:
                        labels[at] = self.labels.index(name)
            found.append((window["input_ids"], labels, offsets))
        return found

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        labels = batch["labels"].view(-1)
        outputs = model(**{name: value for name, value in batch.items() if name != "labels"})
        chosen = labels != IGNORED
        logits = outputs.logits.reshape(-1, outputs.logits.shape[-1])[chosen]
        weights = self.weights.to(logits.device) if self.weights is not None else None
        value = single_label(logits, labels[chosen], totals["items"], self.recipe, weights)
        return Loss({"loss": value}, logits, outputs)

    def predict(
        self, model: PreTrainedModel, rows: Sequence[Row]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Per row: probabilities [labelled tokens, labels] and true labels [labelled tokens]."""
        model.eval()
        windows = [(at, each) for at, row in enumerate(rows) for each in self._windows(row)]
        features: list[Features] = [{"input_ids": ids} for _, (ids, _, _) in windows]
        answers: dict[int, NDArray[np.float64]] = {}
        with torch.inference_mode():
            for group in batches_of(self, features, self.recipe.batch.evaluation_tokens):
                batch = self.collate([features[at] for at in group])
                logits = model(**{name: value.to(model.device) for name, value in batch.items()}).logits
                for at, row in zip(group, logits.float().softmax(-1).cpu().numpy(), strict=True):
                    answers[at] = row
        found: list[list[Any]] = [[[], []] for _ in rows]
        for number, (at, (ids, labels, _)) in enumerate(windows):
            truth = np.array(labels, dtype=np.int64)
            chosen = truth != IGNORED
            found[at][0].append(answers[number][: len(ids)][chosen])
            found[at][1].append(truth[chosen])
        empty = np.zeros((0, len(self.labels))), np.zeros(0, dtype=np.int64)
        return [(np.concatenate(p or [empty[0]]), np.concatenate(t or [empty[1]])) for p, t in found]

    def check_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for _, _, name in self.spans(row):
                if name not in self.labels:
                    raise DataError(f"the label {name!r} is on no training row")

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """F1 over marked tokens (right label counts), and over rows with spans: how often the most suspicious token
        is a marked one (``top1``), or one of the five most suspicious (``top5``)."""
        return token_metrics(self.predict(model, rows))

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """Guessing tokens by the labels' shares: its expected F1, and the chance that one token drawn is marked."""
        seen = np.bincount(
            [label for each in self.features(train) for label in each["labels"] if label != IGNORED],
            minlength=len(self.labels),
        )
        share = seen / seen.sum()
        truth = [
            np.array([label for _, each, _ in self._windows(row) for label in each if label != IGNORED]) for row in rows
        ]
        rates = [float((each > 0).mean()) for each in truth if (each > 0).any()]
        every = np.bincount(np.concatenate(truth).astype(np.int64), minlength=len(self.labels)) / sum(map(len, truth))
        hit = float((share[1:] * every[1:]).sum())
        marked = float(share[1:].sum() + every[1:].sum())
        return {"f1": 2 * hit / marked if marked else 0.0, "top1": float(np.mean(rates)) if rates else 0.0}

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "heads": ["token"],
            "labels": list(self.labels),
            "columns": {"text": self.text_name, "spans": self.recipe.data.spans},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.labels, self.text_name = tuple(description["labels"]), description["columns"]["text"]

    def load_model(self, folder: Path) -> PreTrainedModel:
        return AutoModelForTokenClassification.from_pretrained(folder, trust_remote_code=False)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A token's span without the white space some tokenizers count in; empty where nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def token_metrics(found: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]]) -> dict[str, float]:
    """Metrics of per-row probabilities [tokens, labels] and labels [tokens]; label 0 is clean."""
    hit = wrong = lost = 0
    tops: dict[int, list[bool]] = {1: [], 5: []}
    right = total = 0
    for probabilities, truth in found:
        chosen = probabilities.argmax(1) if len(truth) else truth
        hit += int(((chosen == truth) & (truth > 0)).sum())
        wrong += int(((chosen > 0) & (chosen != truth)).sum())
        lost += int(((truth > 0) & (chosen != truth)).sum())
        right, total = right + int((chosen == truth).sum()), total + len(truth)
        if (truth > 0).any():
            order = np.argsort(probabilities[:, 0], kind="stable")
            for most, hits in tops.items():
                hits.append(bool((truth[order[:most]] > 0).any()))
    return {
        "f1": 2 * hit / (2 * hit + wrong + lost) if hit else 0.0,
        "precision": hit / (hit + wrong) if hit else 0.0,
        "recall": hit / (hit + lost) if hit else 0.0,
        "accuracy": right / max(1, total),
        "top1": float(np.mean(tops[1])) if tops[1] else 0.0,
        "top5": float(np.mean(tops[5])) if tops[5] else 0.0,
    }
