"""How good corpora are: injected defects held against their twins, and mined fixes drawn to be read by eye.

python benchmarks/corpus_quality.py twins INJECTED [--rows N]
python benchmarks/corpus_quality.py sample HISTORIES [--rows N | --each N] [--seed S] [--read JUDGEMENTS.csv] > to-read
python benchmarks/corpus_quality.py precision JUDGEMENTS.csv
"""

from __future__ import annotations

import argparse
import ast
import csv
import random
import sys
import warnings
from collections import Counter
from itertools import islice
from pathlib import Path

from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import read_rows
from codehunch_training.corpus.rows import DefectRow


def twins(corpus: Path, limit: int) -> None:
    """Whether each injected defect reverts, is labelled where it differs, compiles, and is another program."""
    found: Counter[str] = Counter()
    clean: DefectRow | None = None
    rows = (row for row in read_rows(corpus) if isinstance(row, DefectRow))
    for row in islice(rows, limit) if limit else rows:
        if row.role != "buggy":
            clean = row
            continue
        assert clean is not None
        assert clean.group == row.group
        found["defects"] += 1
        found["reverts byte for byte"] += apply_edits(row.text, row.edits) == clean.text
        places = [place for start, end, _ in row.edits for place in (start, end)]
        found["differs only where labelled"] += all(any(a <= place <= b for a, b in row.spans) for place in places)
        right, wrong = program_of(clean.text), program_of(row.text)
        if right is not None:  # Python 2 is out of reach for this Python's own parser.
            found["twin is Python 3"] += 1
            found["parses as Python 3"] += wrong is not None
            found["another program"] += wrong != right
    for name, count in found.items():
        print(f"{name:28} {count:10,}")


def program_of(text: str) -> str | None:
    """The syntax tree without positions; None where Python's own parser refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return None


def sample(corpus: Path, count: int, each: int, seed: int, read: Path | None) -> None:
    """Mined fixes, drawn at random: the buggy function with the flagged lexemes, and below it what the fix changed.

    Commits that ``read`` judges already are left out. With ``each``, that many of every kind are drawn instead of
    ``count`` of all.
    """
    known = {row["commit"] for row in judgements_of(read)} if read is not None else set()
    rows = [row for row in read_rows(corpus) if isinstance(row, DefectRow) and row.role == "buggy"]
    rows = [row for row in rows if row.commit not in known]
    rows.sort(key=lambda row: row.id)
    generator = random.Random(seed)
    drawn: list[DefectRow] = []
    for kind in sorted({row.label for row in rows}) if each else [""]:
        of_kind = [row for row in rows if not each or row.label == kind]
        drawn += generator.sample(of_kind, min(each or count, len(of_kind)))
    for number, row in enumerate(drawn, 1):
        print(f"{'=' * 100}\n{number},{row.project},{row.commit},{row.label}  {row.path}:{row.line}")
        print(row.text.rstrip())
        print(f"{'-' * 40} flagged: {[row.text[start:end] for start, end in row.spans]}")
        for start, end, content in row.edits:
            line = row.text.count("\n", 0, start) + 1
            print(f"line {line}: {_around(row.text, start, end, row.text[start:end])}")
            print(f"     ->  {_around(row.text, start, end, content)}")


def _around(text: str, start: int, end: int, middle: str) -> str:
    """A piece with the rest of its lines around it."""
    before, after = text[:start].rpartition("\n")[2], text[end:].partition("\n")[0]
    return f"{before}[{middle}]{after}".replace("\n", "\n         ")


def judgements_of(path: Path) -> list[dict[str, str]]:
    """Rows of sample, repository, commit, kind and verdict."""
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def precision(judgements: Path) -> None:
    """Per sample and kind: rows read, and how many showed their bug."""
    rows = judgements_of(judgements)
    for name in dict.fromkeys(row["sample"] for row in rows):
        read = [row for row in rows if row["sample"] == name]
        print(f"\n{name:28} {'read':>6} {'visible':>8} {'share':>6}")
        kinds = Counter(row["kind"] for row in read)
        seen = Counter(row["kind"] for row in read if row["verdict"] == "visible")
        for kind, count in [*kinds.most_common(), ("all", len(read))]:
            visible = seen[kind] if kind != "all" else seen.total()
            print(f"{kind:28} {count:6} {visible:8} {visible / count:6.0%}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("twins", "sample", "precision"))
    parser.add_argument("input", type=Path)
    parser.add_argument("--rows", type=int, default=0, help="the first N only; of a sample: how many")
    parser.add_argument("--each", type=int, default=0, help="of a sample: so many of every kind")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample")
    parser.add_argument("--read", type=Path, help="judgements of rows not to draw again")
    given = parser.parse_args(arguments)
    if given.part == "twins":
        twins(given.input, given.rows)
    elif given.part == "sample":
        sample(given.input, given.rows or 60, given.each, given.seed, given.read)
    else:
        precision(given.input)


if __name__ == "__main__":
    main(sys.argv[1:])
