"""What the person thinks of findings and suggestions: asked before anything is shown, kept when it is said or done.

A fix or a body counts as accepted when the text becomes what it would become by it, whichever way the editor went; a
body counts as rejected when something else is typed in its place, a fix when something else is saved there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs

from codehunch.baseline import BaselineUnreadable
from codehunch.changes import RevisionUnknown
from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.rewrites import apply
from codehunch.feedback import Dismissals, Event, about, append, clear, place_of
from codehunch.lsp.requests import CheckReply
from codehunch.lsp.snapshots import Snapshot
from codehunch.settings import Settings
from codehunch.showing import Screen
from codehunch.syntax.common import common_prefix, common_suffix
from codehunch.syntax.functions import Function, find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

logger = logging.getLogger(__name__)


@attrs.frozen
class _Offer:
    """A fix that the client was given for a text."""

    finding: Finding
    fix: Fix
    bundle: str


class Opinions:
    """Belongs to the event loop; files are read and written in threads, one at a time."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._screen = Screen(Dismissals())
        self._lock = asyncio.Lock()
        self._offered: dict[str, tuple[Snapshot, list[_Offer]]] = {}
        self._passed_over: dict[str, tuple[Snapshot, list[_Offer]]] = {}
        """Fixes of places that were edited in another way, until the text is saved."""
        self._confirmed: set[str] = set()
        self._writing: set[asyncio.Task[None]] = set()

    async def wanted(self, snapshot: Snapshot, reply: CheckReply) -> tuple[Finding, ...]:
        """The findings of a text without what the person does not want to see."""
        if not reply.findings:
            return ()
        settings = await self._server.settings_of(snapshot)
        async with self._lock:
            return await asyncio.to_thread(self._show, snapshot, reply.findings, settings)

    def _show(self, snapshot: Snapshot, findings: tuple[Finding, ...], settings: Settings) -> tuple[Finding, ...]:
        path = str(snapshot.path or snapshot.uri)
        for _ in range(3):
            try:
                return self._screen.show(findings, path, snapshot.source, snapshot.language, settings).findings
            except BaselineUnreadable as error:
                settings = attrs.evolve(settings, baseline=None)
                logger.warning("%s", error)
            except RevisionUnknown as error:
                settings = attrs.evolve(settings, changed_since=None)
                # A file outside of every repository is no reason to talk to the person.
                logger.info("%s", error)
        return findings

    async def dismiss(self, snapshot: Snapshot, finding: Finding, bundle: str) -> None:
        """Keep that a finding is none. Raises OSError where that cannot be written down."""
        async with self._lock:
            await asyncio.to_thread(lambda: append(_event("dismissed", snapshot, finding, bundle)))

    async def confirm(self, snapshot: Snapshot, finding: Finding, bundle: str) -> None:
        """Keep that a finding is a defect indeed. Raises OSError where that cannot be written down."""
        async with self._lock:
            await asyncio.to_thread(lambda: append(_event("confirmed", snapshot, finding, bundle)))
        self._confirmed.add(finding.fingerprint)

    def confirmed(self, finding: Finding) -> bool:
        """Whether that was said in this session."""
        return finding.fingerprint in self._confirmed

    async def restore(self, snapshot: Snapshot) -> int:
        """Take back the dismissals of a file; how many there were. Raises OSError."""
        place = place_of(str(snapshot.path or snapshot.uri))
        async with self._lock:
            return await asyncio.to_thread(clear, None, lambda event: event.event != "dismissed" or event.path != place)

    def offered(self, snapshot: Snapshot, fixes: Sequence[tuple[Finding, Fix]], bundle: str) -> None:
        """The client has been given these fixes for this text."""
        self._offered[snapshot.uri] = snapshot, [_Offer(finding, fix, bundle) for finding, fix in fixes]

    def edited(self, before: Snapshot | None, after: Snapshot) -> None:
        """The text has changed: was it by one of the fixes?"""
        snapshot, offers = self._offered.pop(after.uri, (None, []))
        if snapshot is None or snapshot is not before:
            return
        old, new = snapshot.source.text, after.source.text
        for offer in offers:
            grown = sum(len(edit.content) - len(edit.span) for edit in offer.fix.edits)
            if len(new) - len(old) == grown and new == apply(old, offer.fix.edits):
                self.keep(partial(_event, "fix-accepted", snapshot, offer.finding, offer.bundle, offer.fix))
                return
        start = common_prefix(old, new)
        behind = min(common_suffix(old, new), min(len(old), len(new)) - start)
        changed = Span(start, len(old) - behind)
        passed_over = [offer for offer in offers if offer.finding.span.touches(changed)]
        if passed_over:
            self._passed_over[after.uri] = snapshot, passed_over

    def saved(self, after: Snapshot) -> None:
        """What stands at a place whose fixes were passed over is now what the person wants there."""
        snapshot, offers = self._passed_over.pop(after.uri, (None, []))
        if snapshot is not None:
            self.keep(partial(_verdict, snapshot, offers, after))

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._offered.pop(uri, None)
        self._passed_over.pop(uri, None)

    def keep(self, make: Callable[[], Event | None]) -> None:
        """Write an event down in the background, if the person lets us. A disk that refuses is logged."""
        if not self._server.configuration.editor.record_feedback:
            return
        task = asyncio.ensure_future(self._append(make))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _append(self, make: Callable[[], Event | None]) -> None:
        def write() -> None:
            event = make()
            if event is not None:
                append(event)

        try:
            async with self._lock:
                await asyncio.to_thread(write)
        except OSError as error:
            logger.warning("feedback could not be kept: %s", error)


def _event(
    kind: Literal["dismissed", "confirmed", "fix-accepted", "fix-rejected"],
    snapshot: Snapshot,
    finding: Finding,
    bundle: str,
    fix: Fix | None = None,
) -> Event:
    """What is kept of a finding: the function around it, before and after a fix."""
    text = snapshot.source.text
    around = _function_around(snapshot, finding.span)
    before = around.of(text)
    inside = fix is not None and all(around.contains(edit.span) for edit in fix.edits)
    edits = [Edit(_moved(edit.span, -around.start), edit.content) for edit in fix.edits] if fix and inside else []
    return about(
        kind,
        finding,
        str(snapshot.path or snapshot.uri),
        text,
        bundle=bundle,
        before=before,
        after=apply(before, edits) if edits else "",
        start=finding.span.start - around.start,
        end=finding.span.end - around.start,
    )


def _verdict(snapshot: Snapshot, offers: Sequence[_Offer], after: Snapshot) -> Event | None:
    """How a place whose fixes were passed over ended: with one of them typed by hand, or with something else.

    None where the function is as it was, is gone, or does not parse.
    """
    function = _outermost(snapshot, offers[0].finding.span)
    if function is None:
        return None
    now = [
        each
        for each in find_functions(parse(after.source, after.language))
        if each.qualified_name == function.qualified_name and not each.broken
    ]
    if len(now) != 1:
        return None
    text = now[0].span.of(after.source.text)
    if text == function.span.of(snapshot.source.text):
        return None
    for offer in offers:
        event = _event("fix-accepted", snapshot, offer.finding, offer.bundle, offer.fix)
        if event.after == text:
            return event
    return attrs.evolve(_event("fix-rejected", snapshot, offers[0].finding, offers[0].bundle), after=text)


def _function_around(snapshot: Snapshot, span: Span) -> Span:
    """The outermost function that holds a place; its line where there is none."""
    function = _outermost(snapshot, span)
    if function is not None:
        return function.span
    source = snapshot.source
    first, last = source.row_of(span.start), source.row_of(span.end)
    return Span(source.line_span(first).start, source.line_span(last).end)


def _outermost(snapshot: Snapshot, span: Span) -> Function | None:
    functions = find_functions(parse(snapshot.source, snapshot.language))
    return next((each for each in functions if not each.nesting and each.span.contains(span)), None)


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
