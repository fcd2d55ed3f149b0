"""Constants that a program may need: a few that many need, those that its description names or all results share."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from codehunch.syntax.words import split_words, stem

_ALWAYS: tuple[tuple[Any, int], ...] = ((0, 2), (1, 2), (2, 3), (10, 4), (" ", 4), ("", 4))
_NAMED: dict[str, tuple[Any, ...]] = {
    "none": (None,),
    "vowel": ("aeiou", "aeiouAEIOU"),
    "consonant": ("aeiou", "aeiouAEIOU"),
    "comma": (",", ", "),
    "space": (" ",),
    "hyphen": ("-",),
    "dash": ("-",),
    "underscore": ("_",),
    "exclamation": ("!",),
    "question": ("?",),
    "dot": (".",),
    "period": (".",),
    "colon": (":",),
    "semicolon": (";",),
    "slash": ("/",),
    "newline": ("\n",),
    "line": ("\n",),
    "star": ("*",),
    "asterisk": ("*",),
    "even": (2,),
    "odd": (2,),
    "half": (2,),
    "twice": (2,),
    "double": (2,),
    "square": (2,),
    "triple": (3,),
    "cube": (3,),
    "three": (3,),
    "four": (4,),
    "five": (5,),
    "ten": (10,),
    "dozen": (12,),
    "hundred": (100,),
    "percent": (100,),
    "percentage": (100,),
    "thousand": (1000,),
    "minute": (60,),
    "hour": (60, 24, 3600),
    "second": (60, 2),
    "day": (24, 7),
    "week": (7,),
    "year": (365, 12),
    "bracket": ("(", ")"),
    "parenthes": ("(", ")"),
    "binary": (2,),
    "hexadecimal": (16,),
}
"""What a word stands for, by its stem."""
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)")
_QUOTED = re.compile(r"""(?<!\w)(?:'([^'\n]{0,12})'|"([^"\n]{0,12})"|`([^`\w\n]{1,3})`)(?!\w)""")
_EXAMPLE = re.compile(r"(?m)^\s*>>>.*(?:\n(?!\s*$|\s*>>>).*)*|^.*\w\(.*\).*$")
_MOST = 14
_RESULT = 4
"""What a result that several examples share costs as a constant."""


def constants_of(description: str, results: Sequence[Any]) -> list[tuple[Any, int]]:
    """Constants with their costs, the cheapest first: those of the prose, and results where few differ."""
    prose = _EXAMPLE.sub(" ", description)
    found: dict[str, tuple[Any, int]] = {}

    def add(value: Any, cost: int) -> None:
        old = found.get(repr(value))
        if old is None or cost < old[1]:
            found[repr(value)] = value, cost

    for match in _NUMBER.finditer(prose):
        add(ast.literal_eval(match.group().lstrip("0") or "0") if "." not in match.group() else float(match.group()), 2)
    for match in _QUOTED.finditer(prose):
        add(next(group for group in match.groups() if group is not None), 2)
    for word in dict.fromkeys(map(stem, split_words(prose))):
        for value in _NAMED.get(word, ()):
            add(value, 2)
    for value, cost in _ALWAYS:
        add(value, cost)
    for shared in _shared(results):
        add(shared, 2)
    different = list({repr(result): result for result in results}.values())
    if 1 < len(different) <= 3 or any(result is None for result in results):
        for result in different:
            if result is None or isinstance(result, bool | int | str) or result in ([], (), {}):
                add(result, _RESULT)
    return sorted(found.values(), key=lambda pair: pair[1])[:_MOST]


def _shared(results: Sequence[Any]) -> Iterator[str]:
    """How all results begin and end, where they are different texts."""
    texts = [result for result in results if isinstance(result, str)]
    if len(texts) == len(results) and len(set(texts)) > 1:
        beginning, ending = _same_start(texts), _same_start([text[::-1] for text in texts])[::-1]
        yield from (each for each in (beginning, ending) if each)


def _same_start(texts: Sequence[str]) -> str:
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in same)
