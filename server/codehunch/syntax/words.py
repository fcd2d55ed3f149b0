"""The words of names and sentences, compared without their endings."""

from __future__ import annotations

import re
from functools import lru_cache

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Za-z][a-z]*|\d+")


def split_words(text: str) -> tuple[str, ...]:
    """Lower-case words in their order, identifiers taken apart: ``readLine_2`` gives read, line, 2."""
    return tuple(word.lower() for word in WORD.findall(text))


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """English plurals and verb endings cut, roughly: only equality is asked."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
