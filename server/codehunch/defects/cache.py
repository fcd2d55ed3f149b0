"""Findings already computed, by the text of the function: an edit costs the functions it touched."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from codehunch.defects.findings import Finding


def unit_key(text: str) -> bytes:
    """Key of a function's text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class FindingCache:
    """Least recently used findings of up to ``size`` functions, in the unit's own offsets."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._held: OrderedDict[bytes, tuple[Finding, ...]] = OrderedDict()

    def get(self, key: bytes) -> tuple[Finding, ...] | None:
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        return found

    def put(self, key: bytes, findings: tuple[Finding, ...]) -> None:
        self._held[key] = findings
        self._held.move_to_end(key)
        while len(self._held) > self._size:
            self._held.popitem(last=False)
