"""Findings on their way from the worker, section by section: what arrives as it came before is not unpacked again."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import cast

import attrs

from codehunch.defects.findings import Finding, shifted
from codehunch.inference.frames import pack, read_frame

Parcel = tuple[int, bytes]
"""Where a section starts, and what was found in it, in its own offsets."""


def packed(findings: tuple[Finding, ...]) -> bytes:
    """The findings of a section, ready for a parcel."""
    return pack(findings)


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
                placed = tuple(shifted(each, at) for each in now[data].findings)
            now[data].placed[at] = placed
            findings += placed
        self._opened[uri] = now
        return tuple(findings)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._opened.pop(uri, None)
