"""A name for a finding that survives edits elsewhere: what a dismissal and a baseline remember.

It is made of the function's qualified name, the lexemes of the flagged logical line, the flagged one among them, and
how many equal lines stand above in the function. Rows, layout, comments and the rule's code are no part of it, so a
function may move, be indented anew or be judged by another model. Once its line has changed, it is another finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from codehunch.syntax.lexemes import Lexeme, LexemeKind
from codehunch.syntax.spans import Span

_MARKS = (LexemeKind.NEWLINE, LexemeKind.INDENT, LexemeKind.DEDENT)


def fingerprint(function: str, lexemes: Sequence[Lexeme], flagged: Span) -> str:
    """Sixteen hexadecimal digits for the lexeme at ``flagged`` in its outermost function's ``lexemes``."""
    lines: list[list[Lexeme]] = [[]]
    here, column = 0, 0
    for lexeme in lexemes:
        if lexeme.kind in _MARKS:
            lines.append([])
            continue
        if lexeme.span == flagged:
            here, column = len(lines) - 1, len(lines[-1])
        lines[-1].append(lexeme)
    texts = [tuple(lexeme.text for lexeme in line) for line in lines[: here + 1]]
    own = [lexeme.text for lexeme in lines[here]]
    return _digest(function, own, column, texts.count(tuple(own)) - 1)


def function_fingerprint(function: str, header: str) -> str:
    """The same for a finding about a whole function: its name and header count, its body does not."""
    return _digest(function, header.split(), -1, 0)


def _digest(function: str, line: Sequence[str], column: int, above: int) -> str:
    parts = (function, *line, str(column), str(above))
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
