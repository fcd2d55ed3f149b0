"""Code search and clone pairs: an encoder whose vectors lie close where two texts belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.models.embedding import contrastive_loss, pair_loss, pair_scores, pool, retrieval
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.classify import CLEAN
from codehunch_training.tasks.specification import Batch, Features, Loss, Task, batches_of
from codehunch_training.tasks.windows import encode_text

CODE_COLUMNS = ("target", "code", "func")


class Search(Task):
    """``codehunch train search``. Three layouts of rows:

    a question and its code; two texts and whether they are clones (``search.label``); or one text whose group
    (``data.group``) holds its clones, which are then drawn as pairs.
    """

    name = "search"
    families = ("encoder", "causal")
    selection_metric = "mrr"

    query_name: str
    code_name: str
    label_name: str = ""

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        query, code = columns(rows, recipe)
        return [str(row[name]) for row in rows for name in dict.fromkeys((query, code)) if row.get(name)]

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.query_name, self.code_name = columns(train, recipe)
        self.label_name = recipe.search.label
        if self.label_name:
            self.selection_metric = "roc_auc"
            found = {self._label(row) for row in train}
            if len(found) < 2:
                raise DataError(
                    f"all training pairs have one label in {self.label_name!r}; there is nothing to tell apart"
                )
        self.groups: dict[str, int] = {}
        if self.clones and not any(len(each) > 1 for each in self._members(train).values()):
            raise DataError(
                f"no two training rows share a value of {recipe.data.group!r}; clone search needs groups of clones, "
                "or name the columns of a pair with search.query and search.code"
            )

    @property
    def clones(self) -> bool:
        """One column only: rows of a group are each other's answers."""
        return self.query_name == self.code_name

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        model = base.model(AutoModel)
        # Nothing reads the pooler, and a parameter without gradient stops several processes from agreeing.
        for parameter in model.pooler.parameters() if getattr(model, "pooler", None) is not None else ():
            parameter.requires_grad = False
        return model

    def _label(self, row: Row) -> int:
        value = str(row.get(self.label_name, "")).strip().lower()
        if not value:
            raise DataError(f"a pair has no label in the column {self.label_name!r}")
        return int(value.removesuffix(".0") not in (*CLEAN, "-1"))

    def _members(self, rows: Sequence[Row]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for number, row in enumerate(rows):
            found.setdefault(str(row.get(self.recipe.data.group) or f"\0{number}"), []).append(row)
        return found

    def _pairs(self, rows: Sequence[Row]) -> list[tuple[str, str, str, int | None]]:
        """``(text, its answer, what both belong to, whether they are clones)``."""
        if self.clones:
            out: list[tuple[str, str, str, int | None]] = []
            for name, members in self._members(rows).items():
                texts = [str(row[self.query_name]) for row in members]
                # Each member with the next, round and round: every text is once a question and once an answer.
                out += [
                    (text, texts[(at + 1) % len(texts)], name, None) for at, text in enumerate(texts) if len(texts) > 1
                ]
            return out
        pairs = [(str(row[self.query_name]), str(row[self.code_name]), row) for row in rows if self._whole(row)]
        # Equal code answers equal questions: neither is the other's negative.
        return [
            (query, code, code, self._label(row) if self.label_name else None)
            for query, code, row in pairs
        ]  # fmt: skip

    def _whole(self, row: Row) -> bool:
        return bool(row.get(self.query_name)) and bool(row.get(self.code_name))

    def features(self, rows: Sequence[Row]) -> list[Features]:
        found: list[Features] = []
        for query, code, group, label in self._pairs(rows):
            one, other = self._ids(query), self._ids(code)
            if one and other:
                number = self.groups.setdefault(group, len(self.groups))
                features = {"input_ids": one, "other_input_ids": other, "groups": number}
                found.append(features if label is None else {**features, "labels": label})
        return found

    def _ids(self, text: str) -> list[int]:
        windows = encode_text(self.tokenizer, text, None, self.max_length, self.recipe)
        return list(windows[0]["input_ids"]) if windows else []

    def length(self, features: Features) -> int:
        return len(features["input_ids"]) + len(features.get("other_input_ids", ()))

    def collate(self, features: Sequence[Features]) -> Batch:
        batch = super().collate([{**each} for each in features])
        if "other_input_ids" in batch:
            lengths = torch.tensor([len(each["other_input_ids"]) for each in features])
            width = batch["other_input_ids"].shape[1]
            mask = (torch.arange(width) < lengths[:, None]).long()
            batch["other_attention_mask"] = mask
            batch["other_input_ids"] = batch["other_input_ids"].masked_fill(mask == 0, int(self.tokenizer.pad_token_id))
        return batch

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"items": float(len(batch["input_ids"]))}

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        table = self.recipe.search
        anchors = self._pooled(model, batch["input_ids"], batch["attention_mask"])
        answers = self._pooled(model, batch["other_input_ids"], batch["other_attention_mask"])
        if self.label_name:
            value = pair_loss(anchors, answers, batch["labels"], table.margin)
        else:
            value = contrastive_loss(anchors, answers, batch["groups"], table.temperature)
        return Loss({"loss": value * (len(anchors) / max(totals["items"], 1.0))})

    def _pooled(self, model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = model(input_ids=input_ids, attention_mask=attention_mask)[0]
        # Learned vectors of a prompt stand before the text; the text alone is pooled.
        return pool(hidden[:, -input_ids.shape[1] :], attention_mask, self.recipe.search.pooling)

    def embed(self, model: PreTrainedModel, texts: Sequence[str]) -> Tensor:
        """Unit vectors [texts, hidden], on the CPU."""
        encoded = [{"input_ids": self._ids(text)} for text in texts]
        model.eval()
        found: list[Tensor] = [torch.empty(0)] * len(texts)
        with torch.inference_mode():
            for group in batches_of(self, encoded, self.recipe.batch.evaluation_tokens):
                batch = self.collate([encoded[at] for at in group])
                inputs = (batch["input_ids"].to(model.device), batch["attention_mask"].to(model.device))
                vectors = self._pooled(model, *inputs).cpu()
                for at, vector in zip(group, vectors, strict=True):
                    found[at] = vector
        return torch.stack(found)

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """Mean reciprocal rank and recall among all answers of these rows; for labelled pairs ROC-AUC and best F1."""
        pairs = self._pairs(rows)
        if not pairs:
            raise DataError("no row to measure on has an answer")
        anchors = self.embed(model, [query for query, _, _, _ in pairs])
        answers = self.embed(model, [code for _, code, _, _ in pairs])
        return self._figures(anchors, answers, pairs)

    def _figures(
        self, anchors: Tensor, answers: Tensor, pairs: Sequence[tuple[str, str, str, int | None]]
    ) -> dict[str, float]:
        if self.label_name:
            labels = torch.tensor([int(label or 0) for _, _, _, label in pairs])
            return pair_scores((anchors * answers).sum(-1), labels)
        names: dict[str, int] = {}
        groups = torch.tensor([names.setdefault(group, len(names)) for _, _, group, _ in pairs])
        # A clone is no answer to itself: where a text's own vector stands among the answers it is left out.
        own = None
        if self.clones:
            own = torch.tensor([[query == code for _, code, _, _ in pairs] for query, _, _, _ in pairs])
        return retrieval(anchors, answers, groups, own)

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """Likeness by shared words, each word weighing less the more texts have it (bag of words, TF-IDF)."""
        pairs = self._pairs(rows)
        texts = [text for query, code, _, _ in pairs for text in (query, code)]
        bags = [Counter(_words(text)) for text in texts]
        seen = Counter(word for bag in bags for word in bag)
        index = {word: at for at, word in enumerate(seen)}
        table = torch.zeros(len(texts), max(len(index), 1))
        for at, bag in enumerate(bags):
            for word, count in bag.items():
                table[at, index[word]] = (1 + torch.log(torch.tensor(float(count)))) * (
                    torch.log(torch.tensor((1 + len(texts)) / (1 + seen[word]))) + 1
                )
        table = torch.nn.functional.normalize(table, dim=-1)
        return self._figures(table[0::2], table[1::2], pairs)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "heads": ["embedding"],
            "pooling": self.recipe.search.pooling,
            "normalized": True,
            "columns": {"query": self.query_name, "code": self.code_name, "label": self.label_name},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        names = description["columns"]
        self.query_name, self.code_name, self.label_name = names["query"], names["code"], names["label"]
        self.groups = {}
        if self.label_name:
            self.selection_metric = "roc_auc"

    def load_model(self, folder: Path) -> PreTrainedModel:
        return AutoModel.from_pretrained(folder, trust_remote_code=False)


def columns(rows: Sequence[Row], recipe: Recipe) -> tuple[str, str]:
    """Columns of question and answer; the same one twice where rows are single texts. Raises DataError."""
    if not rows:
        raise DataError("there are no rows")
    table = recipe.search
    query = table.query or text_column(rows, recipe.data)
    others = [table.code] if table.code else [name for name in CODE_COLUMNS if name in rows[0] and name != query]
    code = next(iter(others), query)
    for name in (query, code, *filter(None, [table.label])):
        if name not in rows[0]:
            raise DataError(f"rows have no column {name!r}; they have {', '.join(map(repr, rows[0]))}")
    return query, code


def _words(text: str) -> list[str]:
    word, out = "", []
    for letter in text.lower():
        if letter.isalnum():
            word += letter
        elif word:
            out.append(word)
            word = ""
    return [*out, word] if word else out
