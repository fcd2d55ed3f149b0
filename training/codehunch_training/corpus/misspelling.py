"""Names that a person writes by mistake: misspelt, half remembered, or of another place."""

from __future__ import annotations

import keyword
import random

_SHORTEST = 4
"""Letters of a name that can be told misspelt; a shorter one becomes another name."""
_COMMON = tuple(
    """args child config content context count current data entry event field fields file filename i idx index
    info item items j k key keys kwargs length line lines match message method model module n name names node
    nodes number obj options out output params parent parts path prefix request res response result results ret
    row rows s shape size source start state target text tmp token type_ u url v val value values w x y""".split()
)
"""What variables are called everywhere: a name that was renamed here and not there, or copied from another function."""


def strange_name(own: str, rng: random.Random, variable: bool) -> str | None:
    """A name that somebody meaning ``own`` could write; a variable may get another one altogether."""
    drawn = rng.random()
    if variable and (drawn < 0.25 or len(own) < _SHORTEST):
        found: str | None = rng.choice(_COMMON)
    elif variable and drawn < 0.5:
        found = _half_remembered(own, rng)
    else:
        found = misspelling(own, rng) if len(own) >= _SHORTEST else None
    return found if found and found != own and found.isidentifier() and not keyword.iskeyword(found) else None


def misspelling(word: str, rng: random.Random) -> str:
    """One slip: two letters exchanged, one doubled, left out or hit beside it. The first letter stays."""
    at = rng.randrange(1, len(word))
    slip = rng.random()
    if slip < 0.35:
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if slip < 0.55:
        return word[:at] + word[at] + word[at:]
    if slip < 0.85:
        return word[:at] + word[at + 1 :]
    beside = _BESIDE.get(word[at].lower(), "")
    return word[:at] + rng.choice(beside) + word[at + 1 :] if beside else word


def _half_remembered(name: str, rng: random.Random) -> str | None:
    """A part of the name, or its plural or singular."""
    parts = [part for part in name.split("_") if part]
    if len(parts) > 1 and rng.random() < 0.6:
        return "_".join(parts[1:] if rng.random() < 0.5 else parts[:-1])
    return name[:-1] if name.endswith("s") else f"{name}s"


_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {letter: row[max(0, at - 1) : at] + row[at + 1 : at + 2] for row in _ROWS for at, letter in enumerate(row)}
