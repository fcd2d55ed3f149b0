"""Findings of the open documents: computed once per version, given up when the version is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import attrs
from lsprotocol import types

from codehunch.defects.findings import Finding
from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.protocol import DOCUMENT, CancelToken, Engine
from codehunch.lsp.documents import DocumentStore
from codehunch.lsp.parcels import Parcels
from codehunch.lsp.patches import SentTexts, TextUnknown
from codehunch.lsp.requests import CheckReply, CheckRequest
from codehunch.lsp.rhythm import TypingRhythm
from codehunch.lsp.snapshots import Snapshot

logger = logging.getLogger(__name__)


_NOTHING = CheckReply((), "")


class Superseded(Exception):
    """The document moved on; nothing about this version will be known."""


@attrs.frozen(eq=False)
class Report:
    """What is known about one snapshot."""

    snapshot: Snapshot
    findings: tuple[Finding, ...]
    sure: float
    """See CheckReply.sure."""
    bundle: str
    """See CheckReply.bundle."""
    drawn: dict[str, tuple[list[types.Diagnostic], str]] = attrs.field(factory=dict)
    """Document to its diagnostics and their result id, once somebody has asked."""


@attrs.define(eq=False)
class _Work:
    snapshot: Snapshot
    cancel: CancelToken
    task: asyncio.Task[Report]


class Analysis:
    """Shares one computation per version among all who ask: diagnostics, hover, code actions.

    ``request_of`` turns a snapshot into what the command line would check, or ``None`` where the settings say
    that the file is not checked; ``wanted`` leaves out what the person does not want to see; ``failed`` hears why a
    text could not be checked, ``served`` that a model has read one.
    """

    def __init__(
        self,
        documents: DocumentStore,
        engine: Callable[[], Engine],
        request_of: Callable[[Snapshot], Awaitable[CheckRequest | None]],
        wanted: Callable[[Snapshot, CheckReply], Awaitable[tuple[Finding, ...]]],
        failed: Callable[[WorkerError], None],
        served: Callable[[], None],
    ) -> None:
        self._documents = documents
        self._engine = engine
        self._request_of = request_of
        self._wanted = wanted
        self._failed = failed
        self._served = served
        self._rhythms: dict[str, TypingRhythm] = {}
        self._running: dict[str, _Work] = {}
        self._done: dict[str, Report] = {}
        self._parcels = Parcels()
        self._sent = SentTexts()

    def known(self, snapshot: Snapshot) -> Report | None:
        """The report of exactly this version, if it is there already."""
        report = self._done.get(snapshot.uri)
        return report if report is not None and report.snapshot is snapshot else None

    async def report(self, snapshot: Snapshot) -> Report:
        """The findings of a snapshot, after the person's typing has paused. Raises Superseded."""
        while self._documents.is_current(snapshot):
            known = self.known(snapshot)
            if known is not None:
                return known
            work = self._running.get(snapshot.uri)
            if work is None or work.snapshot is not snapshot:
                cancel = CancelToken()
                work = _Work(snapshot, cancel, asyncio.ensure_future(self._compute(snapshot, cancel)))
                work.task.add_done_callback(_retrieve)
                self._running[snapshot.uri] = work
            try:
                # One asker who goes away must not take the others' answer along.
                return await asyncio.shield(work.task)
            except Superseded:
                # By an edit, or by settings that changed: then the same text is read again.
                continue
        raise Superseded

    def quiet_in(self, uri: str) -> float:
        """Seconds until the person has probably paused typing in this document."""
        rhythm = self._rhythms.get(uri)
        return rhythm.wait(time.monotonic()) if rhythm is not None else 0.0

    def edited(self, uri: str) -> None:
        """A newer version is there: stop what is computed for older ones."""
        self._rhythms.setdefault(uri, TypingRhythm()).edited(time.monotonic())
        self._stop(uri)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._stop(uri)
        self._done.pop(uri, None)
        self._parcels.forget(uri)
        self._sent.forget(uri)
        self._rhythms.pop(uri, None)

    def invalidate(self) -> None:
        """Settings or bundles have changed: what is known holds no longer."""
        for uri in list(self._running):
            self._stop(uri)
        self._done.clear()

    def _stop(self, uri: str) -> None:
        work = self._running.pop(uri, None)
        if work is not None:
            work.cancel.cancel()

    async def _compute(self, snapshot: Snapshot, cancel: CancelToken) -> Report:
        try:
            reply = await self._ask(snapshot, cancel)
        except Cancelled:
            raise Superseded from None
        finally:
            work = self._running.get(snapshot.uri)
            if work is not None and work.snapshot is snapshot and work.cancel is cancel:
                del self._running[snapshot.uri]
        # Decided in the same step as the answer arrives: nothing of an older version is ever kept.
        if cancel.cancelled or not self._documents.is_current(snapshot):
            raise Superseded
        report = self._done[snapshot.uri] = Report(snapshot, reply.findings, reply.sure, reply.bundle)
        return report

    async def _ask(self, snapshot: Snapshot, cancel: CancelToken) -> CheckReply:
        if (wait := self.quiet_in(snapshot.uri)) > 0:
            await _sleep(wait, cancel)
        request = await self._request_of(snapshot)
        if cancel.cancelled:
            raise Cancelled
        if request is None:
            return _NOTHING
        deaths = 0
        while deaths < 2:
            sent = self._sent.shortened(request)
            try:
                reply = await self._engine().call("check", sent, priority=DOCUMENT, cancel=cancel)
            except WorkerDied as error:
                deaths += 1
                if deaths == 2:  # On the same text that is no accident.
                    self._failed(error)
            except WorkerError as error:
                if error.kind != TextUnknown.__name__:
                    self._failed(error)
                    break
            else:
                assert isinstance(reply, CheckReply)
                self._sent.answered(sent, request.text)
                if reply.bundle:
                    self._served()
                if reply.parcels:
                    findings = self._parcels.open(snapshot.uri, reply.parcels)
                    reply = attrs.evolve(reply, findings=findings, parcels=())
                return attrs.evolve(reply, findings=await self._wanted(snapshot, reply))
            # A worker that was started anew gets the whole text.
            self._sent.forget(snapshot.uri)
        return _NOTHING


async def _sleep(seconds: float, cancel: CancelToken) -> None:
    """Sleep, but not past a cancel. Raises Cancelled."""
    woken = asyncio.Event()
    forget = cancel.on_cancel(woken.set)
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
    finally:
        forget()
    raise Cancelled


def _retrieve(task: asyncio.Task[Report]) -> None:
    """Mark the exception as seen: everybody who asked may have gone."""
    if not task.cancelled():
        task.exception()
