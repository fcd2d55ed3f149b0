"""Constants that a program may need: a few that many need, those that its description names or all results share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from codehunch.syntax.words import split_words, stem
from codehunch.synthesis.examples import Example
from codehunch.synthesis.values import too_large

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
_READ = 4_000
"""Characters of a description that are read."""
_MOST, _FEW = 16, 4
_RESULT = 4
"""What a result that several examples share costs as a constant."""


def constants_of(description: str, examples: Sequence[Example]) -> list[tuple[Any, int]]:
    """Constants with their costs, the cheapest first: those of the prose, what results have that arguments have not,
    results where few differ, keys and punctuation of the arguments."""
    results = [example.result for example in examples]
    prose = _EXAMPLE.sub(" ", description[:_READ])
    found: dict[str, tuple[Any, int]] = {}

    def add(value: Any, cost: int) -> None:
        old = found.get(repr(value))
        if old is None or cost < old[1]:
            found[repr(value)] = value, cost

    for match in _NUMBER.finditer(prose):
        number = float(match.group()) if "." in match.group() else int(match.group())
        if not too_large(number):
            add(number, 2)
    for match in _QUOTED.finditer(prose):
        add(next(group for group in match.groups() if group is not None), 2)
    for word in dict.fromkeys(map(stem, split_words(prose))):
        for value in _NAMED.get(word, ()):
            add(value, 2)
    for value, cost in _ALWAYS:
        add(value, cost)
    for text in _added(examples):
        add(text, 2)
    for text in _marks(examples):
        add(text, 3)
    different = list({repr(result): result for result in results}.values())
    if 1 < len(different) <= 3 or any(result is None for result in results):
        for result in different:
            if result is None or isinstance(result, bool | int | str) or result in ([], (), {}):
                add(result, _RESULT)
    return sorted(found.values(), key=lambda pair: pair[1])[:_MOST]


def _added(examples: Sequence[Example]) -> list[str]:
    """Texts that several results have between what they have from the arguments, or begin or end with."""
    texts = [example.result for example in examples]
    if not all(isinstance(text, str) for text in texts) or len(set(texts)) < 2:
        return []
    found: Counter[str] = Counter()
    for example in examples:
        parts = sorted({part for part in _texts_in(example.arguments) if part}, key=len, reverse=True)
        rest = re.split("|".join(map(re.escape, parts)), example.result) if parts else []
        found.update(sorted({each for each in rest if each}))
    found.update({_same_start(texts): len(texts), _same_start([text[::-1] for text in texts])[::-1]: len(texts)})
    return [text for text, count in found.most_common() if text and count > 1][:_FEW]


def _marks(examples: Sequence[Example]) -> list[str]:
    """Keys of dictionaries, and punctuation, that half of the arguments or more have."""
    found: Counter[str] = Counter()
    for example in examples:
        letters = {letter for text in _texts_in(example.arguments) for letter in text}
        marks = {letter for letter in letters if not letter.isalnum() and not letter.isspace()}
        found.update(sorted(marks | set(_keys_in(example.arguments))))
    return [text for text, count in found.most_common() if 2 * count >= len(examples)][:_FEW]


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts_in(each)


def _keys_in(value: Any) -> Iterator[str]:
    """The keys that all dictionaries of a list have, as records do."""
    for records in value if isinstance(value, list | tuple) else ():
        if isinstance(records, list | tuple) and len(records) > 1 and all(isinstance(each, dict) for each in records):
            yield from (key for key in records[0] if isinstance(key, str) and all(key in each for each in records))


def _same_start(texts: Sequence[str]) -> str:
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in same)
