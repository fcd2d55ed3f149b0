"""How findings are worded that are computed: what small edits do, in messages and fixes."""

from __future__ import annotations

from collections.abc import Sequence

from codehunch.defects.expression_variants import Variant
from codehunch.defects.findings import Finding, Fix
from codehunch.defects.fingerprints import function_fingerprint
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.syntax.spans import Span

SURE = 0.98
"""Confidence of such a finding: it is computed, but an example may be what is wrong."""
_FIXES = 3
_LONGEST = 60


def told(
    text: str,
    name: str,
    message: str,
    mended: Sequence[Variant],
    place: Span,
    fitting: str,
    evidence: Span | None = None,
) -> Finding:
    """The finding that a function, named in full, does not do what is shown of it, in offsets of ``text``.

    ``mended`` are edits after which it does, the likeliest first, ``fitting`` says how far; ``place`` is where it is
    told if there are none.
    """
    fixes = tuple(_fix(text, variant, fitting) for variant in mended[:_FIXES])
    place = mended[0].place if mended else place
    hint = f"; {fixes[0].message[0].lower()}{fixes[0].message[1:]}?" if fixes else ""
    return Finding(
        code=OF_EXAMPLES.code,
        kind=OF_EXAMPLES.name,
        message=message + hint,
        span=place,
        function=name,
        confidence=SURE,
        fixes=fixes,
        evidence=(evidence,) if evidence is not None else (),
        fingerprint=function_fingerprint(name, f"{OF_EXAMPLES.name} {_line(text, place)}"),
    )


def _fix(text: str, variant: Variant, fitting: str) -> Fix:
    before, after = short(variant.place.of(text)), short(variant.label)
    if not after:
        change = f"Remove `{before}`"
    elif variant.is_added:
        change = f"Insert `{after}`"
    elif variant.kind == "argument-swap":
        change = f"Swap to `{after}`"
    elif before == after:
        change = f"Move `{after}`"
    else:
        change = f"Replace `{before}` by `{after}`"
    return Fix(f"{change} ({fitting})", variant.edits, 1.0)


def name_span(text: str, name: str, start: int = 0) -> Span:
    """Where the name of a function stands in the text that defines it, from ``start`` on."""
    at = text.index(name, text.index("def ", start) + len("def "))
    return Span(at, at + len(name))


def _line(text: str, place: Span) -> str:
    start, end = text.rfind("\n", 0, place.start) + 1, text.find("\n", place.start)
    return text[start : end if end >= 0 else len(text)]


def short(text: str) -> str:
    """On one line, not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 3] + "..."
