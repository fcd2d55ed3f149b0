"""Which mistakes people make, measured on mined histories: how often each kind, and which wrong for which right.

``measure`` reads a corpus of histories; the file beside this module holds what it said about the training
repositories (counts only), and is what injection follows unless told otherwise.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from codehunch.defects.arguments import argument_slots
from codehunch.defects.rewrites import Slot, slots
from codehunch.defects.scopes import analyse
from codehunch.syntax.common import common_prefix, common_suffix
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.near import token_spans, tokens_of
from codehunch_training.corpus.removals import removal_slots
from codehunch_training.corpus.rows import DefectRow

SHIPPED = Path(__file__).with_name("preferences.json")
RANKED = ("variable-misuse", "wrong-attribute", "wrong-call", "wrong-literal")
"""Kinds whose wrong token is another one of the function: what counts is how near it stands in the list."""
MOST_RANKS = 12


@attrs.frozen
class Preferences:
    """Counts; every one is a mined fix whose defect injection could have made."""

    kinds: Mapping[str, float]
    ranks: Mapping[str, tuple[float, ...]]
    """Kind -> how often the wrong token was the first, second, ... alternative of its slot."""
    replacements: Mapping[str, Mapping[str, float]]
    """Right token -> wrong token -> count, for operators and constants."""

    def pick(self, slot: Slot, right: str, rng: random.Random) -> int:
        """Index of the rewrite to make: as people do where it is known, else the nearer the likelier."""
        count = len(slot.rewrites)
        if count == 1:
            return 0
        if slot.kind in RANKED:
            known = self.ranks.get(slot.kind, ())
            weights = [(known[i] if i < len(known) else 0.0) + 0.5 / (1 + i) for i in range(count)]
        else:
            table = self.replacements.get(right, {})
            weights = [table.get(rewrite.label, 0.0) + 0.5 for rewrite in slot.rewrites]
        return rng.choices(range(count), weights)[0]


def load_preferences(path: Path | None = None) -> Preferences:
    """Preferences of a file, or those that ship. Raises CorpusError."""
    path = path or SHIPPED
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        ranks = {kind: tuple(counts) for kind, counts in values["ranks"].items()}
        return Preferences(values["kinds"], ranks, values["replacements"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CorpusError(
            f"cannot read the preferences {path}: {error!r}; make them with `corpus preferences`"
        ) from error


def write_preferences(path: Path, preferences: Preferences) -> None:
    path.write_text(json.dumps(attrs.asdict(preferences), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def measure(rows: Iterable[DefectRow]) -> tuple[Preferences, float]:
    """Preferences of mined fixes, and the share of them that some slot of the fixed function can undo exactly."""
    kinds: Counter[str] = Counter()
    ranks: dict[str, list[int]] = defaultdict(lambda: [0] * MOST_RANKS)
    replacements: dict[str, Counter[str]] = defaultdict(Counter)
    expressed = total = 0
    for row in rows:
        if row.role != "buggy":
            continue
        kinds[row.label] += 1
        total += 1
        found = _slot_behind(row)
        if found is None:
            continue
        expressed += 1
        slot, index, right = found
        if slot.kind in RANKED:
            ranks[slot.kind][min(index, MOST_RANKS - 1)] += 1
        elif len(slot.rewrites) > 1:
            replacements[right][slot.rewrites[index].label] += 1
    plain = {right: dict(counts) for right, counts in replacements.items()}
    return Preferences(dict(kinds), {k: tuple(v) for k, v in ranks.items()}, plain), expressed / max(1, total)


def _slot_behind(row: DefectRow) -> tuple[Slot, int, str] | None:
    """The slot of the fixed function whose rewrite gives the buggy one, its index, and the right token."""
    fixed = apply_edits(row.text, row.edits)
    parsed = parse(fixed)
    node = definition(parsed)
    if node is None:
        return None
    inner = inner_definition(node)
    wanted, now, before = _squeezed(row.text), _squeezed(fixed), _squeezed_before(fixed)
    same = common_prefix(wanted, now), common_suffix(wanted, now)
    scopes = analyse(inner)
    every = (*slots(parsed, inner, scopes), *argument_slots(parsed, inner, scopes), *removal_slots(parsed, inner))
    for slot in every:
        for index, rewrite in enumerate(slot.rewrites):
            start = before[min(edit.span.start for edit in rewrite.edits)]
            end = before[max(edit.span.end for edit in rewrite.edits)]
            # What it leaves as it is at both ends must be so in the buggy text too: nearly all fail here.
            if start > same[0] or len(now) - end > same[1]:
                continue
            text = fixed
            for edit in sorted(rewrite.edits, key=lambda e: e.span, reverse=True):
                text = text[: edit.span.start] + edit.content + text[edit.span.end :]
            if _squeezed(text) == wanted:
                return slot, index, rewrite.edits[0].span.of(fixed)
    return None


def _squeezed(text: str) -> str:
    """The text without comments and blanks, which a fix may change besides."""
    return "".join(tokens_of(text))


def _squeezed_before(text: str) -> list[int]:
    """[code points + 1]: how much of the squeezed text stands before each place of the text."""
    counted, found = 0, []
    for start, end in token_spans(text):
        found += [counted] * (start - len(found))
        found += range(counted, counted + end - start)
        counted += end - start
    return found + [counted] * (len(text) + 1 - len(found))
