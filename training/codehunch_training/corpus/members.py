"""Which attributes everybody uses: what a misspelt one was probably meant to be (``members.txt``)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from codehunch.syntax.lexemes import LexemeKind, lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition
from codehunch_training.corpus.rows import FunctionRow

SHORTEST = 4
"""Letters of a name that can be told misspelt."""


def common_members(rows: Iterable[FunctionRow], least: int, functions: int) -> list[str]:
    """Attributes that functions of at least ``least`` projects use, the most common first. Of each project the first
    ``functions`` rows are read."""
    users: dict[str, set[str]] = defaultdict(set)
    read: Counter[str] = Counter()
    for row in rows:
        if read[row.project] < functions:
            read[row.project] += 1
            parsed = parse(row.text)
            node = definition(parsed)
            for lexeme in lexemes_of(parsed, node) if node is not None else ():
                if lexeme.kind is LexemeKind.ATTRIBUTE and len(lexeme.text) >= SHORTEST and lexeme.text.isascii():
                    users[lexeme.text].add(row.project)
    common = [name for name, projects in users.items() if len(projects) >= least]
    return sorted(common, key=lambda name: (-len(users[name]), name))
