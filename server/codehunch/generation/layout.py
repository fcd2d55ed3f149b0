"""Indentation: from a file's own to the model's canonical one, four spaces and no base.

The way back is ``BodyRequest.render``.
"""

from __future__ import annotations

import re

CANONICAL_UNIT = "    "
"""What the model reads and writes for one level of indentation."""

_LEADING = re.compile(r"[ \t]*")


def leading_space(line: str) -> str:
    """The spaces and tabs a line begins with."""
    match = _LEADING.match(line)
    return match.group() if match else ""


def to_canonical(text: str, unit: str = CANONICAL_UNIT) -> str:
    """Dedent a block by its first line and write every level as four spaces; line ends become ``\\n``."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    base = next((leading_space(line) for line in lines if line.strip()), "")
    result = []
    for line in lines:
        space = leading_space(line)
        rest = line[len(space) :].rstrip()
        if not rest:
            result.append("")
            continue
        inner = space[len(base) :] if space.startswith(base) else ""
        result.append(_rescale(inner, unit) + rest)
    return "\n".join(result).strip("\n")


def _rescale(space: str, unit: str) -> str:
    """Whole levels change their unit; what is left over (an aligned continuation) stays as it is."""
    levels = 0
    while unit and space.startswith(unit):
        levels += 1
        space = space[len(unit) :]
    return CANONICAL_UNIT * levels + space
