"""Rows for training: any table or corpus, split into train, valid and test, with a fingerprint.

A row is a plain dictionary; which column holds what is the recipe's to say.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.tables import read_table, table_files
from codehunch_training.errors import ToolboxError
from codehunch_training.recipe import DataTable, Recipe

Row = Mapping[str, Any]

SPLITS = ("train", "valid", "test")
_ALIASES = {
    "training": "train",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "testing": "test",
    "eval": "valid",
}
TEXT_COLUMNS = ("text", "func", "code", "source")
LABEL_COLUMNS = ("label", "target", "labels")


class DataError(ToolboxError):
    """Data that cannot be trained on; the message says where and what to do."""


@attrs.frozen(eq=False)
class Data:
    """The rows of each split, in the order of the files."""

    train: Sequence[Row]
    valid: Sequence[Row]
    test: Sequence[Row]
    fingerprint: str
    """SHA-256 of all rows in order, with their splits."""
    source: str
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    """Reason -> rows left out."""


def read_data(path: Path, recipe: Recipe) -> Data:
    """All rows of a corpus, a table, or a folder of tables.

    The split of a row is its ``split`` column, else the file's name (train.jsonl, valid.csv, ...), else ``train``.
    Without a validation split, a seeded share of the training rows is held out (twins stay together).
    Raises DataError where there is nothing to train on or a table cannot be read.
    """
    table = recipe.data
    splits: dict[str, list[Row]] = {name: [] for name in SPLITS}
    digest = hashlib.sha256()
    dropped: dict[str, int] = {}
    for split, row in _rows(path, table):
        if table.drop and row.get(table.drop) not in (None, "", False, 0, "0", "false", "False"):
            dropped[f"{table.drop} is set"] = dropped.get(f"{table.drop} is set", 0) + 1
            continue
        if any(str(row.get(name)) != value for name, value in table.where.items()):
            dropped["not data.where"] = dropped.get("not data.where", 0) + 1
            continue
        digest.update(f"{split}\0{json.dumps(row, sort_keys=True, default=str)}\n".encode("utf-8", "backslashreplace"))
        splits[split].append(row)
    train, valid = splits["train"], splits["valid"]
    if not train:
        found = ", ".join(f"{len(rows)} {name}" for name, rows in splits.items())
        raise DataError(f"{path}: no training rows ({found}); name a file train.jsonl or give rows a `split` column")
    if not valid:
        train, valid = hold_out(train, table, recipe.seed)
    if table.limit and len(train) > table.limit:
        train = random.Random(recipe.seed).sample(train, table.limit)
    if table.per_class:
        train = few_per_class(train, table, recipe.seed)
    return Data(train, valid, splits["test"], digest.hexdigest(), str(path), dropped)


def read_rows(path: Path, recipe: Recipe, split: str = "") -> list[Row]:
    """Rows of one split, or all where ``split`` is empty. Raises DataError where there are none."""
    found = [row for name, row in _rows(path, recipe.data) if not split or name == split]
    if not found:
        raise DataError(f"{path}: no rows{f' of the split {split!r}' if split else ''}")
    return found


def _rows(path: Path, table: DataTable) -> Iterator[tuple[str, Row]]:
    try:
        for file in table_files(path):
            if file.name == "corpus.json":
                continue
            named = _split_of(file.name.partition(".")[0].lower())
            for row in read_table(file):
                yield _split_of(str(row.get(table.split) or "").lower()) or named or "train", row
    except CorpusError as error:
        raise DataError(str(error)) from error


def _split_of(name: str) -> str:
    for prefix in (*SPLITS, *_ALIASES):
        if name == prefix or name.startswith((f"{prefix}-", f"{prefix}_")):
            return _ALIASES.get(prefix, prefix)
    return ""


def hold_out(rows: Sequence[Row], table: DataTable, seed: int) -> tuple[list[Row], list[Row]]:
    """A seeded share of the groups, at least one, away from the rest."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(str(row.get(table.group) or f"\0{number}"), []).append(number)
    names = sorted(groups)
    random.Random(f"{seed}:hold-out").shuffle(names)
    held: set[int] = set()
    wanted = max(1, round(len(rows) * table.valid_fraction))
    for name in names[:-1]:
        if len(held) >= wanted:
            break
        held.update(groups[name])
    return [row for at, row in enumerate(rows) if at not in held], [row for at, row in enumerate(rows) if at in held]


def few_per_class(rows: Sequence[Row], table: DataTable, seed: int) -> list[Row]:
    """A few-shot sample: ``per_class`` rows of each label."""
    column = label_column(rows, table)
    order = list(range(len(rows)))
    random.Random(f"{seed}:few").shuffle(order)
    taken: dict[str, int] = {}
    kept = []
    for at in order:
        label = str(rows[at].get(column))
        if taken.get(label, 0) < table.per_class:
            taken[label] = taken.get(label, 0) + 1
            kept.append(at)
    return [rows[at] for at in sorted(kept)]


def text_column(rows: Sequence[Row], table: DataTable) -> str:
    """The column of the text. Raises DataError naming the columns there are."""
    return _column(rows, table.text, TEXT_COLUMNS, "text")


def label_column(rows: Sequence[Row], table: DataTable) -> str:
    return _column(rows, table.label, LABEL_COLUMNS, "label")


def _column(rows: Sequence[Row], named: str, usual: Iterable[str], key: str) -> str:
    if not rows:
        raise DataError("there are no rows")
    for name in [named] if named else usual:
        if name in rows[0]:
            return name
    columns = ", ".join(map(repr, rows[0]))
    wanted = repr(named) if named else " or ".join(map(repr, usual))
    raise DataError(f"rows have no column {wanted}; they have {columns}: name one with --set data.{key}=COLUMN")
