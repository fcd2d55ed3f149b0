"""Functions to functions with one defect each, as mined histories have them, and their clean twins.

Every variant parses, differs from its twin in exactly the labelled place, and its ``edits`` restore the
original byte for byte.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from codehunch.defects.arguments import argument_slots
from codehunch.defects.rewrites import Rewrite, Slot, apply, moved, slots
from codehunch.defects.scopes import analyse
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch_training.corpus.folder import CorpusError, read_manifest, read_rows
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.preferences import Preferences, load_preferences
from codehunch_training.corpus.removals import removal_slots
from codehunch_training.corpus.rows import DefectRow, FunctionRow, identified
from codehunch_training.corpus.stretches import Stretch, units_of_corpus
from codehunch_training.corpus.work import Notes, Plan, Unit

ROWS_A_UNIT = 2000
PILOT = 400
"""Functions looked at beforehand, to know how many offer each kind."""
_COMMUTATIVE = re.compile(r"\b(?:max|min|gcd|lcm|hypot|isclose|logaddexp|maximum|minimum|union|intersection)\($")
_LEXEME = re.compile(r"is\s+not\b|not\s+in\b|\w+|[rbuf]{0,2}(?:\"\"\"|'''|\"|')|[^\w\s]+?", re.IGNORECASE)


@attrs.frozen
class Mix:
    """How one defect is drawn."""

    preferences: Preferences
    offered: Mapping[str, float]
    """Kind -> share of functions that offer it; rare ones are drawn more eagerly where they can be."""

    def weight(self, kind: str) -> float:
        return self.preferences.kinds.get(kind, 0.0) / max(self.offered.get(kind, 0.0), 0.002)


def candidates_of(parsed: ParsedSource) -> list[Slot]:
    """All slots of the one function a text holds, except those whose rewrite would mean the same."""
    node = definition(parsed)
    if node is None or node.has_error:
        return []
    inner = inner_definition(node)
    scopes = analyse(inner)
    found = [*slots(parsed, inner, scopes), *argument_slots(parsed, inner, scopes), *removal_slots(parsed, inner)]
    return [slot for slot in found if not _means_the_same(parsed.text, slot)]


def _means_the_same(text: str, slot: Slot) -> bool:
    if slot.kind != "argument-swap":
        return False
    start = min(edit.span.start for edit in slot.rewrites[0].edits)
    return bool(_COMMUTATIVE.search(text[max(0, start - 40) : start].rstrip()))


def variants(
    parsed: ParsedSource, found: Sequence[Slot], count: int, mix: Mix, rng: random.Random
) -> Iterator[DefectRow]:
    """Up to ``count`` different defective versions of a function, as rows without origin.

    First the kind is drawn, by how often people make it; then the place, evenly; then the wrong token.
    """
    by_kind: dict[str, list[Slot]] = {}
    for slot in found:
        by_kind.setdefault(slot.kind, []).append(slot)
    kinds = [kind for kind in sorted(by_kind) if mix.weight(kind) > 0]
    weights = [mix.weight(kind) for kind in kinds]
    seen: set[str] = set()
    for _ in range(4 * count if kinds else 0):
        kind = rng.choices(kinds, weights)[0]
        slot = rng.choice(by_kind[kind])
        right = slot.rewrites[0].edits[0].span.of(parsed.text)
        rewrite = slot.rewrites[mix.preferences.pick(slot, right, rng)]
        text = apply(parsed.text, rewrite.edits)
        if text in seen:
            continue
        seen.add(text)
        row = variant(parsed, text, kind, rewrite)
        if row is not None:
            yield row
            if len(seen) >= count:
                return


def variant(parsed: ParsedSource, text: str, kind: str, rewrite: Rewrite) -> DefectRow | None:
    """The row of one rewritten text; ``None`` where it does not parse."""
    if parse(text, parsed.language).tree.root_node.has_error:
        return None
    back = sorted(
        (moved(edit.span.start, rewrite.edits), moved(edit.span.start, rewrite.edits) + len(edit.content),
         edit.span.of(parsed.text))
        for edit in rewrite.edits
    )  # fmt: skip
    anchors = [moved(anchor, rewrite.edits) for anchor in rewrite.anchors]
    return DefectRow(text=text, label=kind, role="buggy", spans=_spans(text, anchors, back), edits=tuple(back))


def _spans(text: str, anchors: list[int], back: list[tuple[int, int, str]]) -> tuple[tuple[int, int], ...]:
    """The flagged lexemes, widened to what was replaced or to where a piece is missing."""
    spans = []
    for anchor in anchors:
        match = _LEXEME.match(text, anchor)
        start, end = match.span() if match else (anchor, anchor + 1)
        for left, right, _ in back:
            near = len(anchors) == 1 or left <= anchor < max(right, left + 1)
            if near:
                start, end = min(start, left), max(end, right)
        while end > start and text[end - 1].isspace():  # `not ` was put in with its blank.
            end -= 1
        spans.append((start, end))
    return tuple(sorted(set(spans)))


def plan_inject(
    folders: Sequence[Path], out: Path, *, count: int, seed: int, preferences: Path | None, about: Mapping[str, Any]
) -> Plan:
    """A unit per ``ROWS_A_UNIT`` functions. Raises CorpusError where a corpus holds no functions."""
    units: list[Unit] = []
    inputs = []
    chosen = load_preferences(preferences)
    pilot: list[FunctionRow] = []
    for folder in folders:
        manifest = read_manifest(folder)
        if manifest["rows"] != "functions":
            raise CorpusError(f"{folder} holds {manifest['rows']}; inject reads a corpus made by `corpus functions`")
        inputs.append({"fingerprint": manifest["fingerprint"], "path": str(folder)})
        units.extend(units_of_corpus(folder, ROWS_A_UNIT))
        pilot.extend(islice((row for row in read_rows(folder) if isinstance(row, FunctionRow)), PILOT - len(pilot)))
    options = {"count": count, "seed": seed, "preferences": attrs.asdict(chosen), "offered": _offered(pilot)}
    return Plan(map_inject, options, units, out, "defects", {**about, "inputs": inputs})


def _offered(rows: Sequence[FunctionRow]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({slot.kind for slot in candidates_of(parse(row.text))})
    return {kind: round(count / max(1, len(rows)), 4) for kind, count in sorted(counts.items())}


def map_inject(stretch: Stretch, options: Mapping[str, Any], notes: Notes) -> Iterator[DefectRow]:
    """The map of ``codehunch corpus inject``: each function's variants, and its clean twin in front of them."""
    values = options["preferences"]
    ranks = {kind: tuple(counts) for kind, counts in values["ranks"].items()}
    mix = Mix(Preferences(values["kinds"], ranks, values["replacements"]), options["offered"])
    for row in stretch.rows(FunctionRow):
        # Seeded by the function itself: the draw does not depend on its neighbours or on the number of processes.
        rng = random.Random(f"{options['seed']}:{row.id}")
        parsed = parse(row.text)
        found = list(variants(parsed, candidates_of(parsed), options["count"], mix, rng))
        if not found:
            notes.skipped["nothing to inject"] += 1
            continue
        clean = DefectRow(text=row.text, label="clean", role="fixed")
        for each in (clean, *found):
            yield identified(_with_origin(each, row))


def _with_origin(row: DefectRow, origin: FunctionRow) -> DefectRow:
    return attrs.evolve(
        row,
        group=origin.id,
        project=origin.project,
        path=origin.path,
        line=origin.line,
        commit=origin.commit,
        date=origin.date,
        licence=origin.licence,
        split=origin.split,
        name=origin.name,
        enclosing_class=origin.enclosing_class,
    )
