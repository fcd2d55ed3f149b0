"""What a task is: how its rows become features and batches, what is minimised, and how it is measured.

A task is a small object made per run; ``prepare`` teaches it its labels. Everything else a run needs (batches by
token budget, checkpoints, schedules, techniques) is the trainer's and the same for every task.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError, Family
from codehunch_training.data import Row
from codehunch_training.recipe import Recipe

IGNORED = -100
"""Label of places that carry none."""

Features = Mapping[str, Any]
"""One example: lists of ints (``input_ids``, ``labels``, ...) or numbers; ``input_ids`` is always there."""
Batch = dict[str, Tensor]


@attrs.define
class Loss:
    """What a task's ``loss`` gives: named parts, already weighted and divided by ``totals``; their sum is minimised."""

    parts: dict[str, Tensor]
    logits: Tensor | None = None
    """[items, classes] at the labelled places, for techniques that compare two readings; None where there are none."""
    outputs: Any = None
    """The model's own output, for techniques that look deeper."""


class Task:
    """Base of all tasks. A subclass overrides what differs; ``prepare`` is called before anything else."""

    name: ClassVar[str] = ""
    families: ClassVar[tuple[Family, ...]] = ("encoder",)
    """Families of bases that fit; ``check_base`` says what to use instead of the others."""
    selection_metric: str = ""
    greater_is_better: bool = True
    pads: ClassVar[Mapping[str, int]] = {"labels": IGNORED}
    """Padding of the sequences in a batch, besides ``input_ids`` (the pad token); 0 where nothing is named."""

    recipe: Recipe
    tokenizer: PreTrainedTokenizerBase

    # Before training

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        """Texts a ``new:`` base learns its vocabulary from."""
        raise NotImplementedError

    def check_base(self, base: Base) -> None:
        """Raises BaseError where the base cannot do this task, naming one that can."""
        if base.family not in self.families:
            raise BaseError(f"{base.spec} is {_ARTICLES[base.family]} ({base.kind}); {self.name} needs {self._needs()}")

    def _needs(self) -> str:
        return " or ".join(f"{_ARTICLES[family]} such as {_EXAMPLES[family]}" for family in self.families)

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        """Learn labels and columns from the training rows, add special tokens to the base.

        Raises DataError: one class only, labels out of range, a missing column.
        """
        self.recipe, self.tokenizer = recipe, base.tokenizer
        # The vectors of prompt tuning take positions, too.
        prompt = recipe.adapters.tokens if recipe.adapters.kind == "prompt" else 0
        self.max_length = min(recipe.model.max_length, base.limit - prompt)

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        """The model to train. ``rows`` are the training rows, after ``prepare``."""
        raise NotImplementedError

    # Examples

    def encode(self, row: Row, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Features | None:
        """Features of a row; None leaves it out."""
        raise NotImplementedError

    def features(self, rows: Sequence[Row]) -> list[Features]:
        """Features of all rows: one a row, unless a task overrides it."""
        found = (self.encode(row, self.tokenizer, self.recipe) for row in rows)
        return [each for each in found if each is not None]

    def draw(self, features: Features, rng: random.Random) -> Features:
        """The example read at one visit: what it masks or corrupts is drawn anew from ``rng`` each time."""
        return features

    def length(self, features: Features) -> int:
        """Tokens the example costs, for batches by token budget."""
        return len(features["input_ids"])

    def collate(self, features: Sequence[Features]) -> Batch:
        """Padded tensors [batch, tokens] with an attention mask; numbers become [batch]; vectors named ``*_vector``
        [batch, size]."""
        return pad_batch(features, {"input_ids": self.tokenizer.pad_token_id, **self.pads})

    # Training

    def counts(self, batch: Batch) -> dict[str, float]:
        """What each part of the loss is a mean over. The trainer sums the counts of all batches of one optimiser
        step over all processes, so that accumulation equals the large batch exactly."""
        labels = batch.get("labels")
        if labels is None:
            return {"items": float(len(batch["input_ids"]))}
        return {"items": float((labels != IGNORED).sum())}

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        """Loss of one batch. ``totals``: the summed ``counts``. By default the model's own mean loss."""
        outputs = model(**batch)
        share = self.counts(batch)["items"] / max(totals["items"], 1.0)
        return Loss({"loss": outputs.loss * share}, None, outputs)

    # Measuring

    def check_rows(self, rows: Sequence[Row]) -> None:
        """Raises DataError where validation rows cannot be measured, so that it is known before the first step."""

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """Metrics on rows; ``selection_metric`` is among them. Leaves the model in evaluation mode."""
        raise NotImplementedError

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """The same metrics of the trivial answer learned from ``train``, which a model must beat."""
        raise NotImplementedError

    # A finished run

    def describe(self) -> dict[str, Any]:
        """What ``codehunch.json`` says of the model; ``restore`` reads it. JSON values only."""
        return {"task": self.name, "window": self.max_length, "stride": self.recipe.model.stride}

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        """Be as ``prepare`` left the task of the run that wrote ``description``."""
        self.recipe, self.tokenizer, self.max_length = recipe, tokenizer, int(description["window"])

    def save_model(self, model: PreTrainedModel, folder: Path) -> None:
        """Write the model as a plain Hugging Face checkpoint."""
        model.save_pretrained(folder, safe_serialization=True)

    def load_model(self, folder: Path) -> PreTrainedModel:
        """The model of a run's ``best/``."""
        raise NotImplementedError


_ARTICLES = {"encoder": "an encoder", "causal": "a decoder", "seq2seq": "an encoder-decoder", "bag": "a bag of n-grams"}
_EXAMPLES = {
    "encoder": "microsoft/codebert-base or new:roberta",
    "causal": "gpt2 or new:gpt2",
    "seq2seq": "Salesforce/codet5-small or new:t5",
    "bag": "new:ngrams",
}


def pad_batch(features: Sequence[Features], pads: Mapping[str, int]) -> Batch:
    """Lists to padded int64 tensors [batch, longest], with ``attention_mask`` from ``input_ids`` where absent.

    Names ending in ``_vector`` are stacked as float32 without padding; single numbers become [batch].
    """
    out: Batch = {}
    for name, first in features[0].items():
        values = [each[name] for each in features]
        if name.endswith("_vector"):
            out[name] = torch.tensor(values, dtype=torch.float32)
        elif isinstance(first, int | float):
            out[name] = torch.tensor(values, dtype=torch.float32 if isinstance(first, float) else torch.int64)
        else:
            out[name] = padded(values, pads.get(name, 0))
    if "attention_mask" not in out:
        out["attention_mask"] = padded([[1] * len(each["input_ids"]) for each in features], 0)
    return out


def padded(values: Sequence[Sequence[int]], pad: int) -> Tensor:
    width = max(map(len, values))
    return torch.tensor([[*each, *[pad] * (width - len(each))] for each in values], dtype=torch.int64)


def batches_of(task: Task, features: Sequence[Features], tokens: int) -> list[list[int]]:
    """Indices by rising length, cut so that no batch has more than ``tokens`` padded tokens; for measuring."""
    order = sorted(range(len(features)), key=lambda at: task.length(features[at]))
    groups: list[list[int]] = [[]]
    for at in order:
        if groups[-1] and task.length(features[at]) * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(at)
    return groups if order else []
