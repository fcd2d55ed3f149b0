"""Overlap with benchmarks: what shares ten words in a row with a task of theirs must not train a model.

``known-tasks.bin`` holds digests, no text, of the ten-word runs of HumanEval, HumanEvalPack and MBPP. It is made by
``python -m codehunch_training.corpus.overlap FILE...`` from their published files.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from codehunch_training.corpus.folder import CorpusError

GRAM = 10
_WORDS = re.compile(r"\w+")
_LEFT_OUT = ("test", "entry_point", "task_id", "id", "language", "declaration", "import")
"""Fields that hold no task text: tests, names, and the import lines every program shares."""


KNOWN = Path(__file__).with_name("known-tasks.bin")
_DIGEST = 5
"""Bytes: among 70,000 grams, one in 16 million strange ones is taken for a known one."""


class Benchmarks:
    """The 10-grams of words of benchmark files (JSON lines or JSON, gzipped or not), and of the known ones."""

    def __init__(self, files: Iterable[Path], *, known: bool = False) -> None:
        self._grams: set[bytes] = set()
        if known:
            packed = KNOWN.read_bytes()
            self._grams.update(packed[at : at + _DIGEST] for at in range(0, len(packed), _DIGEST))
        for path in files:
            for text in _texts(path):
                self._grams.update(_grams(text))

    def __len__(self) -> int:
        return len(self._grams)

    def touches(self, text: str) -> bool:
        """Whether any ten words in a row stand in a benchmark too."""
        return bool(self._grams) and not self._grams.isdisjoint(_grams(text))

    def packed(self) -> bytes:
        """All digests one after the other, sorted."""
        return b"".join(sorted(self._grams))


def _grams(text: str) -> Iterator[bytes]:
    words = _WORDS.findall(text.lower())
    for start in range(len(words) - GRAM + 1):
        gram = " ".join(words[start : start + GRAM]).encode("utf-8", "surrogatepass")
        yield hashlib.blake2b(gram, digest_size=_DIGEST).digest()


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


if __name__ == "__main__":
    KNOWN.write_bytes(Benchmarks(map(Path, sys.argv[1:])).packed())
