"""Variable-name prediction: every use of one variable is hidden, and its name is written, token by token.

Names are written rather than chosen from a list, so names that no training function has can be found too; they are
reported apart (Allamanis et al. 2015, "Suggesting accurate method and class names", section 5, on neologisms).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from codehunch_training.bases import Base
from codehunch_training.corpus.variables import nameless_functions
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.seq2seq import Seq2Seq
from codehunch_training.tasks.specification import Features

PLACEHOLDER = "<variable>"


class Names(Seq2Seq):
    """``codehunch train names``. Any base that can write; rows are functions."""

    name = "names"
    selection_metric = "top_1"

    seen: frozenset[str] = frozenset()
    """Names of the training rows' variables."""

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column = text_column(rows, recipe.data)
        return [str(row[column]) for row in rows]

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super(Seq2Seq, self).prepare(train, base, recipe)
        # No special token: those are read as ordinary text where a source holds them.
        if base.tokenizer.add_tokens([PLACEHOLDER]):
            base.embeddings = max(len(base.tokenizer), base.config.vocab_size)
        self.text_name, self.target_name = text_column(train, recipe.data), ""
        self._begin(base.family == "encoder")
        self.seen = frozenset(name for row in train for _, name in self.variables(row))
        if not self.seen:
            raise DataError(
                "no training row is a function with a local variable that is used; name their column in data.text"
            )

    def variables(self, row: Row) -> list[tuple[str, str]]:
        """``(function without the name, the name)``, at most ``generation.per_function`` of a row."""
        language = str(row.get(self.recipe.data.language) or "python")
        try:
            found = list(nameless_functions(str(row.get(self.text_name) or ""), PLACEHOLDER, language))
        except KeyError as error:
            raise DataError(f"{language}: no grammar for this language; python and c can be read") from error
        most = self.recipe.generation.per_function
        if most and len(found) > most:
            found = random.Random(f"{self.recipe.seed}:{row.get(self.text_name)}").sample(found, most)
        return found

    def features(self, rows: Sequence[Row]) -> list[Features]:
        pairs = (self.pair(text, name) for row in rows for text, name in self.variables(row))
        return [each for each in pairs if each is not None]

    def evaluate(self, model: Any, rows: Sequence[Row]) -> dict[str, float]:
        """Share of names found first and among the ``generation.top`` likeliest: of all, of seen, of unseen ones."""
        model.eval()
        examples = [
            (name, features)
            for row in rows
            for text, name in self.variables(row)
            if (features := self.pair(text, name)) is not None
        ]
        if not examples:
            raise DataError("no row to measure on is a function with a variable to name")
        found = {"loss": self.mean_loss(model, [features for _, features in examples])}
        most = self.recipe.generation.evaluation_rows
        examples = examples[:most] if most else examples
        top = self.recipe.generation.top
        answers = self.write(model, [features for _, features in examples], max(top, self.recipe.generation.beams), top)
        return found | self._scores([name for name, _ in examples], answers)

    def _scores(self, names: Sequence[str], answers: Sequence[Sequence[str]]) -> dict[str, float]:
        top = self.recipe.generation.top
        out: dict[str, float] = {}
        for group, chosen in (
            ("", range(len(names))),
            ("_seen", [at for at, name in enumerate(names) if name in self.seen]),
            ("_unseen", [at for at, name in enumerate(names) if name not in self.seen]),
        ):
            for limit in dict.fromkeys((1, top)):
                hits = [names[at] in [answer.strip() for answer in answers[at][:limit]] for at in chosen]
                if hits:
                    out[f"top_{limit}{group}"] = sum(hits) / len(hits)
        out["unseen"] = sum(name not in self.seen for name in names) / max(len(names), 1)
        return out

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """The commonest names of the training rows, whatever the function."""
        known = Counter(name for row in train for _, name in self.variables(row))
        common = [name for name, _ in known.most_common(self.recipe.generation.top)]
        names = [name for row in rows for _, name in self.variables(row)]
        return self._scores(names, [common] * len(names))

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "placeholder": PLACEHOLDER,
            "seen": sorted(self.seen),
            "top": self.recipe.generation.top,
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.seen = frozenset(description["seen"])
