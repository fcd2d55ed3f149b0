"""What a corpus is made of: rows, one JSON object a line. Offsets are code points into the row's own ``text``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import attrs


def _pairs(value: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(start), int(end)) for start, end in value)


def _edits(value: Any) -> tuple[tuple[int, int, str], ...]:
    return tuple((int(start), int(end), str(content)) for start, end, content in value)


@attrs.frozen(kw_only=True)
class Row:
    """Where a row comes from. Every kind of row has these fields."""

    id: str = ""
    """Digest of the row's content and origin; equal rows have equal ids, whatever run made them."""
    project: str = ""
    """``owner/name`` of a repository, or the name of a tree or a data set."""
    path: str = ""
    line: int = 0
    """First line in the file, 1-based; 0 where there is no file."""
    commit: str = ""
    date: str = ""
    """Author date of the commit, ISO 8601 in UTC."""
    licence: str = ""
    """SPDX identifier as far as it can be told from the licence text, else ``unknown``."""
    language: str = "python"
    split: str = ""
    """``train``, ``valid``, ``test`` or empty where nothing was split yet."""
    name: str = ""
    """Qualified name of the function."""


@attrs.frozen(kw_only=True)
class FunctionRow(Row):
    """One function as it stands in a file, dedented."""

    text: str
    docstring: str = ""
    """The docstring's cleaned text (PEP 257), empty where there is none."""
    signature: str = ""
    """From ``def`` to the colon."""
    enclosing_class: str = ""
    imports: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    """The file's import statements, in order."""
    around: str = ""
    """What its file binds of its words: ``codehunch.defects.surroundings.Around`` as JSON. Empty where nobody looked;
    ``harvest``, histories and retraining do."""


@attrs.frozen(kw_only=True)
class DefectRow(Row):
    """One function with a verdict: the buggy or the fixed twin, or a function nobody touched."""

    text: str
    label: str
    """A kind name of ``codehunch.defects.kinds``, or ``clean``."""
    role: str = ""
    """``buggy``, ``fixed``, ``untouched`` (same file, similar size) or ``labelled`` (a published data set)."""
    group: str = ""
    """Shared by the twins and their untouched neighbours."""
    spans: tuple[tuple[int, int], ...] = attrs.field(default=(), converter=_pairs)
    """The wrong lexemes. Where something is missing: the lexeme before which, or after whose end, it is missing."""
    edits: tuple[tuple[int, int, str], ...] = attrs.field(default=(), converter=_edits)
    """``(start, end, replacement)``: applied to a buggy text they give the fixed twin's text exactly."""
    enclosing_class: str = ""
    evidence: str = ""
    """``function``, ``file`` or ``elsewhere``: where all that the fix needs can be read (histories only)."""
    around: str = ""
    """What its file binds of its words: ``codehunch.defects.surroundings.Around`` as JSON. Empty where nobody looked;
    ``harvest``, histories and retraining do."""


@attrs.frozen(kw_only=True)
class PairRow(Row):
    """What was asked for, and the code that answered it."""

    kind: str
    """``docstring``, ``comment``, ``readme`` or ``question``."""
    text: str
    """The description: docstring, comment, heading or question."""
    target: str
    """The code: a body, following statements, or a snippet."""
    signature: str = ""
    enclosing_class: str = ""
    imports: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    siblings: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    """Signatures of the functions next to this one."""


def _prompt(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(marker), str(text)) for marker, text in value)


@attrs.frozen(kw_only=True)
class BodyRow(Row):
    """A prompt as the server builds it, and the body that stood there."""

    kind: str
    """``docstring``, ``comment``, ``sentence`` or ``signature``."""
    prompt: tuple[tuple[str, str], ...] = attrs.field(converter=_prompt)
    target: str
    nearest: str = ""
    """The body of the file's most similar other function: a baseline."""


ROW_TYPES: Mapping[str, type[Row]] = {
    "functions": FunctionRow,
    "defects": DefectRow,
    "pairs": PairRow,
    "bodies": BodyRow,
}
"""Names of row types in ``corpus.json``."""

R = TypeVar("R", bound=Row)


@cache
def _defaults(kind: type[Row]) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in attrs.fields(kind))


def to_line(row: Row) -> str:
    """One JSON object without a line end; fields at their default are left out, the order is fixed."""
    values = {name: value for name, default in _defaults(type(row)) if (value := getattr(row, name)) != default}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def from_line(kind: type[R], line: str | bytes) -> R:
    """The row of one line. Raises ValueError with what is wrong; unknown fields are an error too."""
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("a row must be a JSON object")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error).replace(".__init__()", "")) from error


def identified(row: R) -> R:
    """The row with its id: a digest of all its other fields except the split."""
    values = [str(getattr(row, name)) for name, _ in _defaults(type(row)) if name not in ("id", "split")]
    digest = hashlib.blake2b("\0".join(values).encode("utf-8", "surrogatepass"), digest_size=10)
    return attrs.evolve(row, id=digest.hexdigest())
