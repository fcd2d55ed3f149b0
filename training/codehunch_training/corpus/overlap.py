"""Overlap with benchmarks: what shares ten words in a row with a task of theirs must not train a model."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from codehunch_training.corpus.folder import CorpusError

GRAM = 10
_WORDS = re.compile(r"\w+")
_LEFT_OUT = ("test", "entry_point", "task_id", "id", "language", "declaration", "import")
"""Fields that hold no task text: tests, names, and the import lines every program shares."""


class Benchmarks:
    """The 10-grams of words of some benchmark files (JSON lines or JSON, gzipped or not)."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._grams: set[int] = set()
        for path in files:
            for text in _texts(path):
                self._grams.update(_grams(text))

    def __len__(self) -> int:
        return len(self._grams)

    def touches(self, text: str) -> bool:
        """Whether any ten words in a row stand in a benchmark too."""
        return bool(self._grams) and not self._grams.isdisjoint(_grams(text))


def _grams(text: str) -> Iterator[int]:
    words = _WORDS.findall(text.lower())
    return (hash(tuple(words[i : i + GRAM])) for i in range(len(words) - GRAM + 1))


def _texts(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as source:
            content = source.read()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read the benchmark {path}: {error}") from error
    try:
        rows: Any = json.loads(content)
    except ValueError:
        try:
            rows = [json.loads(line) for line in content.splitlines() if line.strip()]
        except ValueError as error:
            raise CorpusError(f"the benchmark {path} is neither JSON nor JSON lines: {error}") from error
    for row in rows if isinstance(rows, list) else [rows]:
        for key, value in row.items():
            if isinstance(value, str) and not any(mark in key.lower().split("_") for mark in _LEFT_OUT):
                yield value
        # A prompt and its solution are one text where they stand one under the other.
        yield str(row.get("prompt", "")) + str(row.get("canonical_solution", ""))
