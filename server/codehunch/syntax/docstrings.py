"""What a docstring literal says, without evaluating it: no warnings, no failure on broken escapes."""

from __future__ import annotations

import inspect
import re

_PART = re.compile(
    r"""(?P<prefix>[A-Za-z]*)(?P<quote>\"{3}|'{3}|"|')(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""", re.DOTALL
)
_ESCAPE = re.compile(r"\\(\n|[\\'\"abfnrtv]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{1,3})")
_SIMPLE = {
    "\n": "",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


def docstring_text(literal: str) -> str:
    """The text of a docstring literal, or of several side by side, cleaned as ``inspect.cleandoc`` does.

    Line ends become ``\\n``. Escapes Python does not know stay as they are written.
    """
    literal = literal.replace("\r\n", "\n").replace("\r", "\n")
    parts = []
    for match in _PART.finditer(literal):
        raw = "r" in match["prefix"].lower()
        parts.append(match["text"] if raw else _ESCAPE.sub(_unescape, match["text"]))
    return inspect.cleandoc("".join(parts)).strip()


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape in _SIMPLE:
        return _SIMPLE[escape]
    code = int(escape[1:], 16) if escape[0] in "xuU" else int(escape, 8)
    return chr(code) if code <= 0x10FFFF else match[0]
