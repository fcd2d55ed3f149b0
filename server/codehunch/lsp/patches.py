"""Texts that both the server and its worker know: of the next version only the change travels."""

from __future__ import annotations

from collections import OrderedDict

import attrs

from codehunch.lsp.requests import CheckRequest, Patch
from codehunch.syntax.common import common_prefix, common_suffix

_LEAST = 8_000
"""Code points. A shorter text travels as it is."""
_KEPT = 64


class TextUnknown(Exception):
    """The worker does not know the text that a patch is for; it has to be sent as a whole."""


class SentTexts:
    """The server's side: what the worker has answered for, by document."""

    def __init__(self) -> None:
        self._answered: dict[str, tuple[int, str]] = {}
        self._last = 0

    def shortened(self, request: CheckRequest) -> CheckRequest:
        """The request with a number, and as a patch where that is shorter."""
        if len(request.text) < _LEAST:
            return request
        self._last += 1
        known = self._answered.get(request.uri)
        if known is None:
            return attrs.evolve(request, number=self._last)
        number, old = known
        text = request.text
        start = common_prefix(old, text)
        behind = min(common_suffix(old, text), min(len(old), len(text)) - start)
        patch = Patch(number, start, len(old) - behind, text[start : len(text) - behind])
        return attrs.evolve(request, text="", number=self._last, patch=patch)

    def answered(self, sent: CheckRequest, text: str) -> None:
        """The worker has checked ``text``, which went as ``sent``."""
        if sent.number:
            self._answered[sent.uri] = sent.number, text

    def forget(self, uri: str) -> None:
        """Send the next text as a whole."""
        self._answered.pop(uri, None)


class KnownTexts:
    """The worker's side. Two texts of each document: an answer may have been lost on its way."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[tuple[int, str], ...]] = OrderedDict()

    def whole(self, request: CheckRequest) -> CheckRequest:
        """The request with its text. Raises TextUnknown."""
        patch = request.patch
        if patch is None:
            return request
        base = dict(self._known.get(request.uri, ())).get(patch.base)
        if base is None:
            raise TextUnknown(request.uri)
        text = base[: patch.start] + patch.content + base[patch.end :]
        return attrs.evolve(request, text=text, patch=None)

    def keep(self, request: CheckRequest) -> None:
        """Remember the text of a request that was served."""
        if request.number:
            before = self._known.pop(request.uri, ())
            self._known[request.uri] = (*before[-1:], (request.number, request.text))
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
