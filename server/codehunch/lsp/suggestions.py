"""Bodies for docstrings and comments, as ghost text, completion items and code actions ask for them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.protocol import INTERACTIVE, CancelToken
from codehunch.lsp.requests import Body, BodyPlace, GenerateReply, GenerateRequest
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

logger = logging.getLogger(__name__)

_SUPPORTED = {"python"}
_KEPT = 4


@attrs.frozen
class Suggestion:
    """A text that can stand in place of ``replace`` in the program it was asked for."""

    text: str
    replace: Span
    confidence: float
    at_cursor: bool
    name: str


@attrs.frozen
class _Remembered:
    """A body with its surroundings, so that it is recognised while the person types it."""

    before: str
    original: str
    """What the suggestions replace."""
    after: str
    suggestions: tuple[Suggestion, ...]


class Suggestions:
    """Asks the worker, remembers what it said, and gives up when the document moves on."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self._remembered: dict[str, list[_Remembered]] = {}
        self._running: dict[str, CancelToken] = {}

    async def at(
        self, program: Snapshot, offset: int, candidates: int = 1, *, automatic: bool = False, patient: bool = False
    ) -> tuple[Suggestion, ...]:
        """Suggestions at an offset, the best first. Only one question per program is open: a later one, or an
        edit, ends it with Cancelled.

        ``automatic`` leaves out what the model is not sure of; ``patient`` waits ten times as long, for a person
        who asked for this body by name.
        """
        server = self._server
        editor = server.configuration.editor
        if not editor.generation or program.language not in _SUPPORTED:
            return ()
        remembered = self.known(program, offset, candidates)
        if remembered is not None:
            return remembered
        self.edited(program.uri)
        token = self._running[program.uri] = CancelToken()
        request = GenerateRequest(
            program.source.text,
            program.language,
            offset,
            candidates,
            editor.generation_seconds * (10 if patient else 1),
            automatic,
        )
        try:
            reply = await self._ask(request, token)
        finally:
            if self._running.get(program.uri) is token:
                del self._running[program.uri]
        if token.cancelled or not server.documents.is_current(program):
            raise Cancelled
        if reply.place is None:
            return ()
        suggestions = tuple(_suggestion(body, reply.place) for body in reply.bodies)
        self._remember(program, reply.place.replace, suggestions)
        return suggestions

    def edited(self, uri: str) -> None:
        """What is being computed for an older version or an older question is no longer wanted."""
        token = self._running.pop(uri, None)
        if token is not None:
            token.cancel()

    def forget(self, uri: str | None = None) -> None:
        """Drop what is remembered about one document or about all."""
        if uri is None:
            self._remembered.clear()
        else:
            self.edited(uri)
            self._remembered.pop(uri, None)

    async def _ask(self, request: GenerateRequest, token: CancelToken) -> GenerateReply:
        for attempt in (1, 2):
            try:
                reply = await self._server.engine.call("generate", request, priority=INTERACTIVE, cancel=token)
                assert isinstance(reply, GenerateReply)
                return reply
            except WorkerDied as error:
                if attempt == 2:
                    self._server.worker_failed(error)
            except WorkerError as error:
                self._server.worker_failed(error)
                break
        return GenerateReply(None)

    def _remember(self, program: Snapshot, replace: Span, suggestions: tuple[Suggestion, ...]) -> None:
        text = program.source.text
        kept = self._remembered.setdefault(program.uri, [])
        kept.append(_Remembered(text[: replace.start], replace.of(text), text[replace.end :], suggestions))
        del kept[:-_KEPT]

    def known(self, program: Snapshot, offset: int, candidates: int = 1) -> tuple[Suggestion, ...] | None:
        """What was suggested here, also while the person types along; ``None`` where the worker has to be asked."""
        text = program.source.text
        for known in reversed(self._remembered.get(program.uri, [])):
            start, end = len(known.before), len(text) - len(known.after)
            if not (start <= offset <= end and text.startswith(known.before) and text.endswith(known.after)):
                continue
            typed = text[start:end]
            if typed == known.original:
                if len(known.suggestions) >= candidates:
                    return known.suggestions[:candidates]
            elif typed.strip():
                fitting = [each for each in known.suggestions if each.text.startswith(typed) and each.text != typed]
                if fitting:
                    here = Span(start, end)
                    return tuple(attrs.evolve(each, replace=here, at_cursor=True) for each in fitting[:candidates])
        return None


def _suggestion(body: Body, place: BodyPlace) -> Suggestion:
    return Suggestion(body.text, place.replace, body.confidence, place.at_cursor, place.name)
