"""What a person said in the editor, as training rows: see ``codehunch.feedback``.

A dismissed finding is a function that is right (hard negative), a confirmed one a function that is wrong at that place,
an accepted fix a pair of a wrong and a right function. Of a rejected fix only what the person wrote instead is used, as
right: it may have mended the place in another way or have had another end. An accepted body is a prompt with its
answer. Renamed copies keep the model from learning the one text only.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch.feedback import Event, read_events
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.scrub import emails_in, mask, secrets_in
from codehunch_training.corpus.ways import Subject, rename
from codehunch_training.tasks.defect_data import Known

COPIES = 6
"""Renamed versions of a dismissed function."""


@attrs.frozen(eq=False)
class Opinions:
    """Rows by what they teach."""

    clean: tuple[str, ...] = ()
    """Functions somebody was warned about in vain."""
    wrong: tuple[Known, ...] = ()
    """Functions with a defect a person confirmed, by a word or by accepting its fix, each with its place."""
    right: tuple[str, ...] = ()
    """Functions after a fix, or as a person wrote them in the place of one."""
    bodies: tuple[dict[str, Any], ...] = ()
    """Accepted bodies, as rows of ``corpus.docstrings``."""
    fixes: tuple[int, int] = (0, 0)
    """How many were accepted and rejected."""

    @property
    def counts(self) -> dict[str, int]:
        return {
            "dismissed findings": len(self.clean),
            "confirmed findings": len(self.wrong) - self.fixes[0],
            "accepted fixes": self.fixes[0],
            "rejected fixes": self.fixes[1],
            "accepted bodies": len(self.bodies),
        }

    def known(self, labels: Sequence[str], seed: int) -> tuple[Known, ...]:
        """All that a defect model can learn from, dismissed functions with renamed copies."""
        rng = random.Random(seed)
        found = [Known(copy, {}) for text in self.clean for copy in (text, *renamed(text, COPIES, rng))]
        found += [known for known in self.wrong if set(known.labels.values()) <= set(labels)]
        return tuple(found + [Known(text, {}) for text in self.right])


def read_opinions(roots: Iterable[Path] = (), file: Path | None = None) -> Opinions:
    """What the feedback store holds about files below ``roots``, or about all where none is given.

    What was taken back is left out. Never raises for the store's content; unreadable rows teach nothing.
    """
    folders = [root.resolve() for root in roots]
    dismissed: dict[str, Event] = {}
    confirmed: dict[str, Event] = {}
    wrong: list[Known] = []
    right: list[str] = []
    rejected = 0
    bodies: list[dict[str, Any]] = []
    for event in read_events(file):
        if folders and not any(Path(event.path).is_relative_to(folder) for folder in folders):
            continue
        if event.event == "dismissed":
            dismissed[event.fingerprint] = event
            confirmed.pop(event.fingerprint, None)
        elif event.event == "restored":
            dismissed.pop(event.fingerprint, None)
        elif event.event == "confirmed" and event.before and event.start >= 0:
            # Who says both meant the last.
            confirmed[event.fingerprint] = event
            dismissed.pop(event.fingerprint, None)
        elif event.event == "fix-rejected" and event.after:
            rejected += 1
            right.append(_scrubbed(event.after)[0])
        elif event.event == "fix-accepted" and event.before and event.after and event.start >= 0:
            before, after = _scrubbed(event.before, event.after)
            wrong.append(Known(before, {event.start: event.kind}))
            right.append(after)
        elif event.event == "completion-accepted" and event.before and event.after:
            bodies += _body(*_scrubbed(event.before, event.after))
    clean = [_scrubbed(event.before)[0] for event in dismissed.values() if event.before]
    usable = [text for text in dict.fromkeys(clean) if definition(parse(text)) is not None]
    accepted = len(wrong)
    known = {known.text for known in wrong}
    for event in confirmed.values():
        text = _scrubbed(event.before)[0]
        if text not in known and definition(parse(text)) is not None:
            wrong.append(Known(text, {event.start: event.kind}))
    clean_after = tuple(dict.fromkeys(right))
    return Opinions(tuple(usable), tuple(wrong), clean_after, tuple(bodies), (accepted, rejected))


def renamed(text: str, copies: int, rng: random.Random) -> list[str]:
    """Versions of a function with other local names; fewer where it has none to change."""
    found: dict[str, None] = {}
    for _ in range(copies):
        parsed = parse(text)
        node = definition(parsed)
        if node is None:
            break
        edits = sorted(rename(Subject(parsed, inner_definition(node)), rng))
        changed, at = "", 0
        for start, end, content in edits:
            changed, at = changed + text[at:start] + content, end
        if edits:
            found[changed + text[at:]] = None
    return list(found)


def _body(before: str, after: str) -> list[dict[str, Any]]:
    """The docstring row of a function completed with the body a person took."""
    from codehunch_training.corpus.docstrings import examples_in

    lines = before.rstrip().split("\n")
    if lines and lines[-1].strip() in ("pass", "...", "raise NotImplementedError", "raise NotImplementedError()"):
        lines.pop()
    body = [f"    {line}" if line.strip() else "" for line in after.strip("\n").split("\n")]
    body = after.strip("\n").split("\n") if after.startswith((" ", "\t")) else body
    whole = "\n".join([*lines, *body]) + "\n"
    return [row for row in examples_in(whole, "feedback", "feedback") if row["kind"] == "docstring"]


def _scrubbed(*texts: str) -> tuple[str, ...]:
    values = {value for text in texts for value in secrets_in(text) | emails_in(text)}
    return tuple(mask(text, values) for text in texts)
