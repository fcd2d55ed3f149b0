"""Small corpora and sizes for the tests of the toolbox; nothing here needs torch."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition, inject

NOUNS = ("item", "row", "value", "node", "path", "total", "index", "limit", "name", "left", "right", "count")
VERBS = ("load", "find", "merge", "scale", "trim", "check", "build", "count")
SMALL = (
    *(
        "model.hidden_size=32",
        "model.layers=2",
        "model.heads=2",
        "model.intermediate_size=64",
        "model.decoder_layers=1",
    ),
    *("model.vocabulary=400", "model.max_length=192", "optimizer.learning_rate=3e-3", "batch.tokens=1024"),
    *("hardware.threads=1", "schedule.kind='cosine'"),
)
"""Overrides that make any recipe small enough for a test."""

Rows = list[dict[str, Any]]


def function(rng: random.Random) -> str:
    """A small Python function; no two are likely to be alike."""
    first, second, third = rng.sample(NOUNS, 3)
    body = rng.choice(
        [
            f"    {third} = 0\n    for {second} in {first}:\n        if {second} > {rng.randint(0, 9)}:\n"
            f"            {third} += {second}\n    return {third}\n",
            f"    if {first} is None:\n        return {second}\n    {third} = {first} + {second}\n    return {third}\n",
            f"    {third} = []\n    for {first} in {second}:\n        {third}.append({first} * {rng.randint(2, 9)})\n"
            f"    return {third}\n",
            f"    {third} = {first}.get({second})\n    while {third} < {rng.randint(1, 9)}:\n        {third} += 1\n"
            f"    return {third}, {second}\n",
        ]
    )
    return f"def {rng.choice(VERBS)}_{rng.choice(NOUNS)}({first}, {second}):\n{body}"


def write(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def labelled(count: int, seed: int, kinds: Sequence[str] = ("safe", "eval(", "exec(")) -> Rows:
    """Functions, of which each has one of the ``kinds`` of calls in a random place (``safe``: none)."""
    rng = random.Random(seed)
    rows: Rows = []
    for number in range(count):
        lines = function(rng).splitlines()
        kind = kinds[number % len(kinds)]
        if kind != "safe":
            lines.insert(rng.randint(1, len(lines) - 1), f"    {kind}{rng.choice(NOUNS)})")
        rows.append({"text": "\n".join(lines) + "\n", "label": kinds.index(kind), "kind": kind})
    return rows


def spanned(count: int, seed: int) -> Rows:
    """Functions with a suspicious call, and the span of its name; a third have none."""
    rows = labelled(count, seed)
    for row in rows:
        at = row["text"].find(row["kind"])
        row["spans"] = [[at, at + 4, row["kind"].rstrip("(")]] if at >= 0 else []
    return rows


def twins(count: int, seed: int) -> Rows:
    """Functions with one injected defect each, and their clean twins, as a corpus of defects has them."""
    rng = random.Random(seed)
    rows: Rows = []
    while len(rows) < 2 * count:
        text = function(rng)
        parsed = parse(text)
        node = definition(parsed)
        assert node is not None
        injected = inject(parsed, node, 1, rng)
        if injected is None:
            continue
        at, kind = next(iter(injected.labels.items()))
        group = f"group-{seed}-{len(rows)}"
        rows.append({"text": injected.text, "label": kind, "role": "buggy", "group": group, "spans": [[at, at + 1]]})
        rows.append({"text": text, "label": "clean", "role": "fixed", "group": group, "spans": []})
    return rows
