"""Sequence classification: one label of two or more, or several at once, for a text or a pair of texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.data import DataError, Row, label_column, text_column
from codehunch_training.losses import balanced_weights, multi_label, single_label
from codehunch_training.metrics import classification, multilabel
from codehunch_training.models.ngrams import NgramsForSequenceClassification
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.specification import Batch, Features, Loss, Task, batches_of
from codehunch_training.tasks.windows import encode_text

CLEAN = ("clean", "0", "false", "no", "good", "benign", "negative")
"""Values that say that nothing is wrong, so that they come first among labels."""


class Classify(Task):
    """The base's own sequence head: on ``<s>`` for RoBERTa and CodeBERT, on the last token for GPT-2 and T5."""

    name = "classify"
    families = ("encoder", "causal", "seq2seq", "bag")
    selection_metric = "accuracy"

    labels: tuple[str, ...]
    text_name: str
    label_name: str
    weights: Tensor | None = None

    @property
    def several(self) -> bool:
        return self.recipe.objective.kind == "multi"

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column, pair = text_column(rows, recipe.data), recipe.data.text_pair
        return [str(row[column]) for row in rows] + [str(row[pair]) for row in rows if pair and row.get(pair)]

    def check_base(self, base: Base) -> None:
        super().check_base(base)
        if type(base.config) not in AutoModelForSequenceClassification._model_mapping:
            raise BaseError(f"{base.spec} ({base.kind}) has no sequence head; {self.name} needs {self._needs()}")
        if self.recipe_pooling(base) == "mean" and base.kind != "modernbert":
            raise BaseError(f"model.pooling = mean is for ModernBERT and new:modern; {base.spec} is {base.kind}")

    def recipe_pooling(self, base: Base) -> str:
        return self.recipe.model.pooling if hasattr(self, "recipe") else "default"

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.text_name, self.label_name = text_column(train, recipe.data), label_column(train, recipe.data)
        if self.several:
            self.selection_metric = "f1_micro"
        counts = Counter(name for row in train for name in self._names(row))
        names = recipe.data.labels or tuple(sorted(counts, key=_order))
        unknown = sorted(set(counts) - set(names))
        if unknown:
            raise DataError(f"the label {unknown[0]!r} is not among data.labels ({', '.join(map(repr, names))})")
        if len(counts) < (1 if self.several else 2):
            only = ", ".join(map(repr, counts)) or "none"
            raise DataError(f"all {len(train)} training rows have one class ({only}); there is nothing to tell apart")
        self.labels = names
        if recipe.objective.class_weights == "balanced":
            seen = torch.tensor([float(counts[name]) for name in names])
            # Several labels: a positive weighs as much as all rows without it.
            self.weights = (len(train) - seen) / seen.clamp(min=1) if self.several else balanced_weights(seen)
        if self.tokenizer.pad_token_id is None:
            raise BaseError(f"{base.spec}: its tokenizer has no token to pad with")
        base.config.pad_token_id = self.tokenizer.pad_token_id

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        changes: dict[str, Any] = {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": {name: at for at, name in enumerate(self.labels)},
            "problem_type": "multi_label_classification" if self.several else "single_label_classification",
        }
        if recipe.model.pooling == "mean":
            if base.kind != "modernbert":
                raise BaseError(f"model.pooling = mean is for ModernBERT and new:modern; {base.spec} is {base.kind}")
            changes["classifier_pooling"] = "mean"
        model = base.model(AutoModelForSequenceClassification, **changes)
        if base.fresh and isinstance(model, NgramsForSequenceClassification):
            model.learn_frequencies(window["input_ids"] for row in rows for window in self.windows(row))
        return model

    def _names(self, row: Row) -> list[str]:
        value = row.get(self.label_name)
        if self.several:
            if isinstance(value, str):
                value = [part.strip() for part in value.split(",")]
            return [str(each) for each in value or () if str(each)]
        if value is None or value == "":
            raise DataError(
                f"a row has no label in the column {self.label_name!r}: {str(row.get(self.text_name))[:60]!r}"
            )
        return [str(int(value)) if isinstance(value, bool | float) and value == int(value) else str(value)]

    def target(self, row: Row) -> list[int]:
        """Label indices of a row. Raises DataError for a label that no training row has."""
        found = []
        for name in self._names(row):
            if name not in self.labels:
                raise DataError(
                    f"the label {name!r} is not among the training rows' ({', '.join(map(repr, self.labels))})"
                )
            found.append(self.labels.index(name))
        return found

    def windows(self, row: Row) -> list[Features]:
        """Encoded windows of a row, without labels: one, unless ``data.long`` says ``windows``."""
        pair = self.recipe.data.text_pair
        second = str(row.get(pair) or "") if pair else None
        return encode_text(self.tokenizer, str(row.get(self.text_name) or ""), second, self.max_length, self.recipe)

    def features(self, rows: Sequence[Row]) -> list[Features]:
        found: list[Features] = []
        for row in rows:
            target = self.target(row)
            label: dict[str, Any] = (
                {"labels_vector": [float(at in target) for at in range(len(self.labels))]}
                if self.several
                else {"labels": target[0]}
            )
            found += [{**window, **label} for window in self.windows(row)]
        return found

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"items": float(len(batch["input_ids"]))}

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        inputs = {name: value for name, value in batch.items() if not name.startswith("labels")}
        outputs = model(**inputs)
        logits = outputs.logits
        weights = self.weights.to(logits.device) if self.weights is not None else None
        if self.several:
            value = multi_label(logits, batch["labels_vector"], totals["items"], self.recipe, weights)
        else:
            value = single_label(logits, batch["labels"], totals["items"], self.recipe, weights)
        return Loss({"loss": value}, logits, outputs)

    def predict(self, model: PreTrainedModel, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Logits [rows, labels]; the mean over a row's windows."""
        model.eval()
        owners: list[int] = []
        windows: list[Features] = []
        for at, row in enumerate(rows):
            found = self.windows(row)
            owners += [at] * len(found)
            windows += found
        sums, seen = np.zeros((len(rows), len(self.labels))), np.zeros((len(rows), 1))
        with torch.inference_mode():
            for group in batches_of(self, windows, self.recipe.batch.evaluation_tokens):
                batch = self.collate([windows[at] for at in group])
                logits = model(**{name: value.to(model.device) for name, value in batch.items()}).logits
                for at, row in zip(group, logits.float().cpu().numpy(), strict=True):
                    sums[owners[at]] += row
                    seen[owners[at]] += 1
        return sums / np.maximum(seen, 1)

    def truth(self, rows: Sequence[Row]) -> NDArray[np.int64]:
        """[rows], or 0/1 of [rows, labels] where a row may have several."""
        targets = [self.target(row) for row in rows]
        if not self.several:
            return np.array([target[0] for target in targets], dtype=np.int64)
        table = np.zeros((len(rows), len(self.labels)), dtype=np.int64)
        for at, target in enumerate(targets):
            table[at, target] = 1
        return table

    def check_rows(self, rows: Sequence[Row]) -> None:
        self.truth(rows)

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        logits = torch.from_numpy(self.predict(model, rows))
        probabilities = torch.sigmoid(logits) if self.several else logits.softmax(-1)
        return (multilabel if self.several else classification)(probabilities.numpy(), self.truth(rows))

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """The most common class; the labels that more than half of the rows have."""
        known = self.truth(train)
        if self.several:
            return multilabel(np.tile(known.mean(0), (len(rows), 1)), self.truth(rows))
        share = np.bincount(known, minlength=len(self.labels)) / len(known)
        return classification(np.tile(share, (len(rows), 1)), self.truth(rows))

    def describe(self) -> dict[str, Any]:
        clean = [name for name in self.labels if name.lower() in CLEAN]
        return super().describe() | {
            "heads": ["sequence"],
            "labels": list(self.labels),
            "clean": clean[0] if clean else None,
            "kind": "multi" if self.several else "single",
            "columns": {"text": self.text_name, "label": self.label_name, "text_pair": self.recipe.data.text_pair},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.labels = tuple(description["labels"])
        columns = description["columns"]
        self.text_name, self.label_name = columns["text"], columns["label"]

    def load_model(self, folder: Path) -> PreTrainedModel:
        return AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=False)


def _order(name: str) -> tuple[bool, float, str]:
    """Clean first, numbers by value, the rest by name."""
    try:
        number = float(json.loads(name))
    except (ValueError, TypeError):
        number = float("inf")
    return name.lower() not in CLEAN, number, name
