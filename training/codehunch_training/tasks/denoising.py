"""Span denoising: pre-training of an encoder-decoder, from nothing or continued.

What is hidden is drawn anew at each visit. T5 and CodeT5 fill sentinels, BART and PLBART restore the whole text.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.new_bases import SENTINELS
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.seq2seq import Seq2Seq
from codehunch_training.tasks.span_corruption import random_spans, with_masks, with_sentinels
from codehunch_training.tasks.specification import Features
from codehunch_training.tasks.windows import encode_text

INFILLING = ("bart", "plbart", "mbart")
"""Kinds that were pre-trained by restoring the whole text; all others fill sentinels."""


class Denoising(Seq2Seq):
    """The ``denoising`` objective of ``codehunch train pretrain``."""

    name = "denoising"
    families = ("seq2seq",)
    selection_metric = "loss"
    greater_is_better = False

    sentinels: tuple[int, ...] = ()

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column = text_column(rows, recipe.data)
        return [str(row[column]) for row in rows]

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super(Seq2Seq, self).prepare(train, base, recipe)
        self.text_name, self.target_name = text_column(train, recipe.data), ""
        self.infilling = base.kind in INFILLING
        if self.infilling and base.tokenizer.mask_token_id is None:
            raise BaseError(f"{base.spec}: its tokenizer has no mask token, which text infilling writes over spans")
        if not self.infilling:
            base.add_tokens(SENTINELS)
        self._ids(base.tokenizer)
        self.unigrams = Counter(
            token for row in train[:2000] for features in self._windows(row) for token in features["ids"]
        )
        if not self.unigrams:
            raise DataError(f"no training row has any text in the column {self.text_name!r}")

    def _ids(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._begin(False)
        self.sentinels = tuple(tokenizer.convert_tokens_to_ids(list(SENTINELS))) if not self.infilling else ()
        self.end = int(tokenizer.eos_token_id)

    def _windows(self, row: Row) -> list[Features]:
        found = []
        for window in encode_text(
            self.tokenizer, str(row.get(self.text_name) or ""), None, self.max_length, self.recipe
        ):
            ids = window["input_ids"]
            special = self.tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
            kept = [token for token, is_special in zip(ids, special, strict=True) if not is_special]
            if len(kept) > 1:
                found.append(
                    {"input_ids": ids, "ids": kept, "head": ids[: _leading(special)], "tail": _trailing(ids, special)}
                )
        return found

    def features(self, rows: Sequence[Row]) -> list[Features]:
        return [window for row in rows for window in self._windows(row)]

    def encode(self, row: Row, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Features | None:
        return next(iter(self._windows(row)), None)

    def draw(self, features: Features, rng: random.Random) -> Features:
        """Source and labels of one visit. Special tokens of the tokenizer are never hidden."""
        table, ids = self.recipe.objective, features["ids"]
        most = len(self.sentinels) or None
        numbers = np.random.default_rng(rng.getrandbits(64))
        mask = random_spans(len(ids), numbers, table.mask_rate, table.span_length, most)
        if not mask.any():
            mask[int(numbers.integers(1, len(ids)))] = True
        if self.infilling:
            source, target = with_masks(ids, mask, int(self.tokenizer.mask_token_id))
            head, tail = features["head"], features["tail"]
            return {"input_ids": [*head, *source, *tail], "labels": [*head, *target, *tail]}
        source, target = with_sentinels(ids, mask, self.sentinels, self.end)
        return {"input_ids": source, "labels": target}

    def length(self, features: Features) -> int:
        # Before a visit the labels are not drawn yet: a share of the text, or all of it.
        if "labels" in features:
            return len(features["input_ids"]) + len(features["labels"])
        share = 1.0 if self.infilling else self.recipe.objective.mask_rate * (1 + 1 / self.recipe.objective.span_length)
        return len(features["input_ids"]) + math.ceil(share * len(features["input_ids"]))

    def _measured(self, rows: Sequence[Row]) -> list[Features]:
        """The same noise at every evaluation."""
        return [self.draw(each, random.Random(f"measure:{at}")) for at, each in enumerate(self.features(rows))]

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """Loss per target token in nats, and its exponential."""
        model.eval()
        features = self._measured(rows)
        if not features:
            raise DataError("no row to measure on has any text")
        loss = self.mean_loss(model, features)
        return {"loss": loss, "perplexity": math.exp(min(loss, 50.0))}

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """Each target token by its frequency in the training text, sentinels and the end for nothing."""
        total = sum(self.unigrams.values()) + len(self.tokenizer)
        loss, count = 0.0, 0
        free = {*self.sentinels, *self.tokenizer.all_special_ids}
        for features in self._measured(rows):
            for token in features["labels"]:
                loss -= 0.0 if token in free else math.log((self.unigrams[token] + 1) / total)
                count += 1
        loss /= max(count, 1)
        return {"loss": loss, "perplexity": math.exp(min(loss, 50.0))}

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"heads": [], "infilling": self.infilling}

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.infilling = bool(description["infilling"])
        self.unigrams = Counter()
        self._ids(tokenizer)


def _leading(special: Sequence[int]) -> int:
    return next((at for at, is_special in enumerate(special) if not is_special), len(special))


def _trailing(ids: Sequence[int], special: Sequence[int]) -> list[int]:
    count = _leading(special[::-1])
    return list(ids[len(ids) - count :])
