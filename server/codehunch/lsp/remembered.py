"""Bodies that were suggested: recognised while the person types them, and judged by what the person then does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from codehunch.feedback import Event, EventKind, now, place_of
from codehunch.lsp.requests import BodyPlace
from codehunch.lsp.snapshots import Snapshot
from codehunch.syntax.spans import Span

_KEPT = 4
_WRITTEN = 16

Keep = Callable[[Callable[[], Event]], None]


@attrs.frozen
class Suggestion:
    """A text that can stand in place of ``replace`` in the program it was asked for."""

    text: str
    replace: Span
    confidence: float
    at_cursor: bool
    name: str
    """Qualified name of the function it is for."""
    asking: Span
    """The function's head and docstring, or the comment: what stands before the body."""
    origin: str = ""
    """Where it was adapted from; empty for what the model wrote."""
    bundle: str = ""
    examples: int = 0
    """How many examples of the description it was found by, and fits."""


@attrs.frozen
class Written:
    """A body the person has accepted, with what it takes to find and to replace it."""

    lead: str
    """What stands right before it: the head and the docstring that asked."""
    text: str
    original: str
    """What it took the place of."""
    cursor: int
    """Where in ``original`` a cursor asks for the body again."""
    seen: frozenset[str]
    """Bodies the person has seen there."""
    suggestion: Suggestion

    def find(self, program: Snapshot) -> Span | None:
        """Where it stands now, ``None`` once it was edited."""
        at = program.source.text.find(self.lead + self.text)
        return Span(at + len(self.lead), at + len(self.lead) + len(self.text)) if at >= 0 else None

    def around(self, program: Snapshot) -> Span | None:
        """The same with what asked for it."""
        span = self.find(program)
        return Span(span.start - len(self.lead), span.end) if span is not None else None


@attrs.define
class _Remembered:
    """Bodies with their surroundings."""

    before: str
    original: str
    """What the suggestions replace."""
    after: str
    suggestions: tuple[Suggestion, ...]
    judged: bool = False

    def typed(self, text: str, offset: int | None = None) -> str | None:
        """What stands in the place now; ``None`` where something else has changed, or the offset lies elsewhere."""
        start, end = len(self.before), len(text) - len(self.after)
        inside = start <= end and (offset is None or start <= offset <= end)
        if not inside or not text.startswith(self.before) or not text.endswith(self.after):
            return None
        return text[start:end]


class Memory:
    """The last suggestions of each document. ``keep`` writes events down."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._remembered: dict[str, list[_Remembered]] = {}
        self._written: dict[str, list[Written]] = {}

    def remember(self, program: Snapshot, place: BodyPlace, suggestions: tuple[Suggestion, ...]) -> None:
        """The client is about to show these."""
        text, replace = program.source.text, place.replace
        kept = self._remembered.setdefault(program.uri, [])
        kept.append(_Remembered(text[: replace.start], replace.of(text), text[replace.end :], suggestions))
        del kept[:-_KEPT]

    def known(self, program: Snapshot, offset: int, candidates: int = 1) -> tuple[Suggestion, ...] | None:
        """What was suggested here, also while the person types along; ``None`` where the worker has to be asked."""
        text = program.source.text
        for known in reversed(self._remembered.get(program.uri, [])):
            typed = known.typed(text, offset)
            if typed is None:
                continue
            if typed == known.original:
                if len(known.suggestions) >= candidates:
                    return known.suggestions[:candidates]
            elif typed.strip():
                fitting = [each for each in known.suggestions if each.text.startswith(typed) and each.text != typed]
                if fitting:
                    here = Span(len(known.before), len(known.before) + len(typed))
                    return tuple(attrs.evolve(each, replace=here, at_cursor=True) for each in fitting[:candidates])
        return None

    def edited(self, before: Snapshot | None, program: Snapshot) -> None:
        """Judge the suggestions by the text that stands in their place now."""
        text = program.source.text
        for known in self._remembered.get(program.uri, []):
            typed = known.typed(text) if not known.judged and known.suggestions else None
            if typed is None or typed == known.original or not typed.strip():
                continue
            taken = next((each for each in known.suggestions if each.text == typed), None)
            if taken is not None:
                known.judged = True
                self._say("completion-accepted", program, taken, known.before, known.original)
                self._wrote(program, taken, known)
            elif not any(each.text.startswith(typed) for each in known.suggestions):
                known.judged = True
                self._say("completion-rejected", program, known.suggestions[0], known.before, known.original)

    def written_at(self, program: Snapshot, offset: int) -> Written | None:
        """The accepted body that a place belongs to, as long as nobody has edited it."""
        for written in reversed(self._written.get(program.uri, [])):
            around = written.around(program)
            if around is not None and around.start <= offset <= around.end:
                return written
        return None

    def regenerated(self, program: Snapshot, written: Written, other: Suggestion) -> None:
        """A body was thrown away for another one, which counts as written as soon as it is there."""
        before = program.source.text[: other.replace.start]
        self._say("completion-regenerated", program, written.suggestion, before, written.original)
        following = attrs.evolve(written, text=other.text, seen=written.seen | {other.text}, suggestion=other)
        self._written.setdefault(program.uri, []).append(following)

    def forget(self, uri: str | None = None) -> None:
        """Drop what is remembered about one document; without one, all suggestions, for models have changed."""
        if uri is None:
            self._remembered.clear()
        else:
            self._remembered.pop(uri, None)
            self._written.pop(uri, None)

    def _wrote(self, program: Snapshot, taken: Suggestion, known: _Remembered) -> None:
        kept = self._written.setdefault(program.uri, [])
        lead = known.before[taken.asking.start :]
        seen = frozenset(each.text for each in known.suggestions)
        kept.append(Written(lead, taken.text, known.original, 0, seen, taken))
        del kept[:-_WRITTEN]

    def _say(self, kind: EventKind, program: Snapshot, body: Suggestion, before: str, original: str) -> None:
        path = place_of(str(program.path or program.uri))
        self._keep(
            partial(
                Event,
                kind,
                time=now(),
                path=path,
                function=body.name,
                confidence=round(body.confidence, 4),
                bundle=body.origin or body.bundle,
                before=before[body.asking.start :] + original,
                after=body.text,
            )
        )
