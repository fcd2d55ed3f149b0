"""Two texts to the edits between them."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_PIECES = re.compile(r"\w+|\s+|[^\w\s]")


def text_edits(old: str, new: str) -> tuple[tuple[int, int, str], ...]:
    """Edits that turn one text into the other, on borders of words: ``(start, end, replacement)`` in the old text."""
    a, b = _PIECES.findall(old), _PIECES.findall(new)
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    offset = sum(map(len, a[:head]))
    middle = a[head : len(a) - tail]
    other = b[head : len(b) - tail]
    edits: list[tuple[int, int, str]] = []
    starts = [offset]
    for piece in middle:
        starts.append(starts[-1] + len(piece))
    matcher = SequenceMatcher(None, middle, other, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            edits.append((starts[i1], starts[i2], "".join(other[j1:j2])))
    return tuple(edits)


def changed_spans(text: str, edits: tuple[tuple[int, int, str], ...]) -> tuple[tuple[int, int], ...]:
    """What the edits touch: replaced stretches without the blanks around them; for an insertion, the next word."""
    spans: list[tuple[int, int]] = []
    for start, end, _ in edits:
        piece = text[start:end]
        if piece.strip():
            start, end = start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
        else:
            match = re.compile(r"\w+|[^\w\s]").search(text, start)
            if match is None:
                continue
            start, end = match.span()
        spans.append((start, end))
    return tuple(dict.fromkeys(spans))


def apply_edits(text: str, edits: tuple[tuple[int, int, str], ...]) -> str:
    """The text with non-overlapping edits applied."""
    for start, end, content in sorted(edits, reverse=True):
        text = text[:start] + content + text[end:]
    return text
