"""Which words names are made of: one that no program uses, a letter away from one that many do, is misspelt
(``words.txt``)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from codehunch.defects.slips import KNOWN_FROM, SHORTEST, parts_of
from codehunch.syntax.lexemes import LexemeKind, lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition
from codehunch_training.corpus.rows import FunctionRow

_NAMES = (LexemeKind.NAME, LexemeKind.ATTRIBUTE, LexemeKind.KEYWORD_NAME)


def words_of_names(rows: Iterable[FunctionRow], functions: int) -> dict[str, int]:
    """How many projects use each word in a name of theirs. Of each project the first ``functions`` rows are read."""
    users: dict[str, set[str]] = defaultdict(set)
    read: Counter[str] = Counter()
    seen: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if read[row.project] >= functions:
            continue
        read[row.project] += 1
        parsed = parse(row.text)
        node = definition(parsed)
        for lexeme in lexemes_of(parsed, node) if node is not None else ():
            if lexeme.kind in _NAMES:
                if lexeme.text not in seen:
                    words = {part[0].lower() for part in parts_of(lexeme.text)}
                    seen[lexeme.text] = tuple(word for word in words if len(word) >= KNOWN_FROM)
                for word in seen[lexeme.text]:
                    users[word].add(row.project)
    return {word: len(projects) for word, projects in users.items()}


def as_file(users: dict[str, int], least: int, many: int) -> str:
    """Words of ``many`` projects and more, the commonest first, an empty line, and the others of at least ``least``."""
    ordered = sorted((word for word in users if users[word] >= least), key=lambda word: (-users[word], word))
    common = [word for word in ordered if users[word] >= many and len(word) >= SHORTEST]
    return "\n".join([*common, "", *sorted(set(ordered) - set(common))]) + "\n"
