"""Findings on their way from the worker, section by section: what arrives as it came before is not unpacked again."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import cast

import attrs

from codehunch.defects.findings import Edit, Finding
from codehunch.inference.frames import pack, read_frame
from codehunch.syntax.spans import Span

Parcel = tuple[int, bytes]
"""Where a section starts, and what was found in it, in its own offsets."""


def packed(findings: tuple[Finding, ...]) -> bytes:
    """The findings of a section, ready for a parcel."""
    return pack(findings)


def moved(finding: Finding, by: int) -> Finding:
    """The finding with all its places that many code points further on."""

    def place(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    if not by:
        return finding
    return attrs.evolve(
        finding,
        span=place(finding.span),
        fixes=tuple(
            attrs.evolve(fix, edits=tuple(Edit(place(edit.span), edit.content) for edit in fix.edits))
            for fix in finding.fixes
        ),
        evidence=tuple(place(span) for span in finding.evidence),
    )


@attrs.define
class _Opened:
    """One content, and where it was seen."""

    findings: tuple[Finding, ...]
    placed: dict[int, tuple[Finding, ...]] = attrs.field(factory=dict)


class Parcels:
    """Opens the parcels of each document. Remembers those of the last time."""

    def __init__(self) -> None:
        self._opened: dict[str, dict[bytes, _Opened]] = {}

    def open(self, uri: str, parcels: Sequence[Parcel]) -> tuple[Finding, ...]:
        """The findings of a document in their order."""
        before, now = self._opened.get(uri, {}), dict[bytes, _Opened]()
        findings: list[Finding] = []
        for at, data in parcels:
            known = before.get(data)
            if data not in now:
                unpacked = known.findings if known else cast(tuple[Finding, ...], read_frame(BytesIO(data)))
                now[data] = _Opened(unpacked)
            placed = known.placed.get(at) if known else None
            if placed is None:
                placed = tuple(moved(each, at) for each in now[data].findings)
            now[data].placed[at] = placed
            findings += placed
        self._opened[uri] = now
        return tuple(findings)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._opened.pop(uri, None)
