"""Bodies for docstrings and comments, as ghost text, completion items and code actions ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codehunch.inference.errors import Cancelled, WorkerDied, WorkerError
from codehunch.inference.protocol import INTERACTIVE, CancelToken
from codehunch.lsp.remembered import Memory, Suggestion, Written
from codehunch.lsp.requests import Body, BodyPlace, GenerateReply, GenerateRequest
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.spans import Span

if TYPE_CHECKING:
    from codehunch.lsp.server import CodeHunchServer

__all__ = ["Suggestion", "Suggestions"]

_SUPPORTED = {"python"}


class Suggestions:
    """Asks the worker, remembers what it said, and gives up when the document moves on."""

    def __init__(self, server: CodeHunchServer) -> None:
        self._server = server
        self.memory = Memory(server.opinions.keep)
        self._running: dict[str, CancelToken] = {}

    async def at(
        self, program: Snapshot, offset: int, candidates: int = 1, *, automatic: bool = False, patient: bool = False
    ) -> tuple[Suggestion, ...]:
        """Suggestions at an offset, the best first. Only one question per program is open: a later one, or an
        edit, ends it with Cancelled.

        ``automatic`` leaves out what the model is not sure of; ``patient`` waits ten times as long, for a person
        who asked for this body by name.
        """
        if not self._serves(program):
            return ()
        remembered = self.memory.known(program, offset, candidates)
        if remembered is not None:
            return remembered
        request = self._request(program, program.source.text, offset, candidates, patient)
        reply = await self._only(program, attrs.evolve(request, automatic=automatic))
        if reply.place is None:
            return ()
        place = reply.place
        suggestions = tuple(_suggestion(body, place, reply.bundle) for body in reply.bodies)
        self.memory.remember(program, place, suggestions)
        return suggestions

    async def another(self, program: Snapshot, written: Written) -> Suggestion | None:
        """A body other than the ones the person has seen, in place of one that was accepted; ``None`` without one.

        Raises Cancelled when the document moves on.
        """
        span = written.find(program)
        if span is None or not self._serves(program):
            return None
        text = program.source.text
        asked = f"{text[: span.start]}{written.original}{text[span.end :]}"
        offset = span.start + min(written.cursor, len(written.original))
        reply = await self._only(program, self._request(program, asked, offset, len(written.seen) + 2, True))
        if reply.place is None:
            return None
        fresh = [body for body in reply.bodies if body.text not in written.seen]
        if not fresh:
            return None
        suggestion = attrs.evolve(_suggestion(fresh[0], reply.place, reply.bundle), replace=span)
        self.memory.regenerated(program, written, suggestion)
        return suggestion

    def edited(self, before: Snapshot | None, program: Snapshot) -> None:
        """A newer version is there: what is computed for an older one is no longer wanted."""
        self._give_up(program.uri)
        self.memory.edited(before, program)

    def forget(self, uri: str | None = None) -> None:
        """Drop what is remembered about one document or about all."""
        if uri is not None:
            self._give_up(uri)
        self.memory.forget(uri)

    def _serves(self, program: Snapshot) -> bool:
        return self._server.configuration.editor.generation and program.language in _SUPPORTED

    def _request(self, program: Snapshot, text: str, offset: int, candidates: int, patient: bool) -> GenerateRequest:
        seconds = self._server.configuration.editor.generation_seconds * (10 if patient else 1)
        path = str(program.path or "")
        return GenerateRequest(text, program.language, offset, candidates, seconds, path=path)

    def _give_up(self, uri: str) -> None:
        token = self._running.pop(uri, None)
        if token is not None:
            token.cancel()

    async def _only(self, program: Snapshot, request: GenerateRequest) -> GenerateReply:
        """The worker's answer to the only open question of a program. Raises Cancelled when it is overtaken."""
        self._give_up(program.uri)
        token = self._running[program.uri] = CancelToken()
        try:
            await self._server.start_options()
            reply = await self._ask(request, token)
        finally:
            if self._running.get(program.uri) is token:
                del self._running[program.uri]
        if token.cancelled or not self._server.documents.is_current(program):
            raise Cancelled
        return reply

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


def _suggestion(body: Body, place: BodyPlace, bundle: str) -> Suggestion:
    origin = Span(place.start, place.replace.start)
    return Suggestion(
        body.text,
        place.replace,
        body.confidence,
        place.at_cursor,
        place.name,
        origin,
        body.origin,
        bundle,
        body.examples,
    )
