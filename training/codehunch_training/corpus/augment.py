"""More examples from few: rows written differently, labels and twins kept right."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch.syntax.parsing import parse
from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import CorpusError, R, read_manifest
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.rewording import Synonyms, dictionary, mixed, noisy, templated
from codehunch_training.corpus.rows import ROW_TYPES, DefectRow, FunctionRow, PairRow, Row, identified
from codehunch_training.corpus.stretches import Stretch, units_of_corpus
from codehunch_training.corpus.ways import WAYS, Edits, Subject, Way, token_noise
from codehunch_training.corpus.work import Notes, Plan, Unit

CODE_WAYS = (*WAYS, "tokens")
TEXT_WAYS = ("templates", "synonyms", "mixed", "noise")
DEFAULT = tuple(WAYS)
ROWS_A_UNIT = 2000


def plan_augment(
    folders: Sequence[Path],
    out: Path,
    *,
    ways: Sequence[str],
    copies: int,
    seed: int,
    wordnet: Path | None,
    words: Path | None,
    about: Mapping[str, Any],
) -> Plan:
    """A unit per ``ROWS_A_UNIT`` rows; own rows come first, each followed by its copies. Raises CorpusError."""
    unknown = sorted(set(ways) - {*CODE_WAYS, *TEXT_WAYS})
    if unknown or not ways:
        raise CorpusError(
            f"no such way: {', '.join(unknown) or '(none)'}; known are {', '.join((*CODE_WAYS, *TEXT_WAYS))}"
        )
    if "synonyms" in ways:
        Synonyms(wordnet)  # Says what is missing before the work begins.
    if words is not None:
        dictionary(words)
    kinds = {read_manifest(folder)["rows"] for folder in folders}
    if len(kinds) != 1:
        raise CorpusError("the corpora hold different rows; augment them one by one")
    units: list[Unit] = []
    inputs = []
    for folder in folders:
        manifest = read_manifest(folder)
        inputs.append({"fingerprint": manifest["fingerprint"], "path": str(folder)})
        units.extend(units_of_corpus(folder, ROWS_A_UNIT))
    options = {
        "ways": list(ways), "copies": copies, "seed": seed, "kind": (kind := kinds.pop()),
        "wordnet": str(wordnet or ""), "words": str(words or ""),
    }  # fmt: skip
    return Plan(map_augment, options, units, out, kind, {**about, "inputs": inputs})


def map_augment(stretch: Stretch, options: Mapping[str, Any], notes: Notes) -> Iterator[Row]:
    """The map of ``codehunch corpus augment``. Rows of a held-out split are passed on as they are."""
    maker = Maker(options)
    for group in _groups(_whole_twins(stretch, ROW_TYPES[options["kind"]])):
        yield from group
        if group[0].split in ("valid", "test"):
            continue
        rng = random.Random(f"{options['seed']}:{group[0].id}")
        for _ in range(options["copies"]):
            copy = maker.copy(group, rng)
            if copy is None:
                notes.skipped["no way applied"] += 1
            else:
                yield from (identified(row) for row in copy)


def _whole_twins(stretch: Stretch, kind: type[R]) -> Iterator[R]:
    """The rows of a stretch; a pair of twins across its border belongs to the stretch its first row lies in."""
    wider = attrs.evolve(stretch, start=max(0, stretch.start - 1), stop=stretch.stop + 1)
    previous: R | None = None
    for number, row in enumerate(wider.rows(kind), wider.start):
        twin = previous is not None and _are_twins(previous, row)
        first = number - twin  # Where the row, or the pair it ends, begins.
        if stretch.start <= first < stretch.stop:
            yield row
        previous = row


def _are_twins(one: Row, two: Row) -> bool:
    roles = getattr(one, "role", ""), getattr(two, "role", "")
    return roles == ("buggy", "fixed") and getattr(one, "group", "") == getattr(two, "group", "")


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Twins together; every other row alone, neighbours of twins too."""
    held: list[Row] = []
    for row in rows:
        role = getattr(row, "role", "")
        if held and not _are_twins(held[0], row):
            yield held
            held = []
        held.append(row)
        if len(held) == 2 or role not in ("buggy", "fixed"):
            yield held
            held = []
    if held:
        yield held


class Maker:
    """Makes copies by the ways a run was told."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        ways = options["ways"]
        known: dict[str, Way] = {**WAYS, "tokens": token_noise}
        self._code = [(name, known[name]) for name in ways if name in known]
        self._text = [name for name in ways if name in TEXT_WAYS]
        self._synonyms = (
            Synonyms(Path(options["wordnet"]) if options["wordnet"] else None) if "synonyms" in ways else None
        )
        self._table = dictionary(Path(options["words"])) if options.get("words") else None

    def copy(self, group: Sequence[Row], rng: random.Random) -> list[Row] | None:
        """The group written differently, or ``None`` where nothing applied."""
        first = group[0]
        if isinstance(first, PairRow):
            text = self._reworded(first.text, rng)
            return [attrs.evolve(first, text=text)] if text is not None else None
        assert isinstance(first, FunctionRow | DefectRow)
        row = self._rewritten(first, rng)
        if row is None:
            return None
        if len(group) == 1:
            return [attrs.evolve(row, group=f"{row.group}+") if isinstance(row, DefectRow) else row]
        assert isinstance(row, DefectRow)
        twin = group[1]
        assert isinstance(twin, DefectRow)
        fixed = apply_edits(row.text, row.edits)
        if parse(fixed).tree.root_node.has_error:
            return None
        mark = f"{row.group}+{rng.randrange(10**6)}"
        return [attrs.evolve(row, group=mark), attrs.evolve(twin, text=fixed, group=mark)]

    def _reworded(self, text: str, rng: random.Random) -> str | None:
        for name in rng.sample(self._text, len(self._text)):
            made: str | None = None
            if name == "templates":
                made = templated(text, rng)
            elif name == "synonyms" and self._synonyms is not None:
                made = self._synonyms.reworded(text, rng)
            elif name == "mixed":
                made = mixed(text, rng, self._table) if self._table else mixed(text, rng)
            elif name == "noise":
                made = noisy(text, rng)
            if made is not None:
                return made
        return None

    def _rewritten(self, row: FunctionRow | DefectRow, rng: random.Random) -> FunctionRow | DefectRow | None:
        """One or two ways applied, one after the other."""
        made = row
        for name, way in rng.sample(self._code, min(len(self._code), rng.randint(1, 2))):
            made = _applied(made, name, way, rng) or made
        return made if made is not row else None


def _applied(row: FunctionRow | DefectRow, name: str, way: Way, rng: random.Random) -> FunctionRow | DefectRow | None:
    parsed = parse(row.text, row.language)
    node = definition(parsed)
    if node is None or row.language != "python" or node.has_error:
        return None
    spans, fixes = (row.spans, row.edits) if isinstance(row, DefectRow) else ((), ())
    kept = (*spans, *((start, end) for start, end, _ in fixes))
    function = inner_definition(node)
    edits = way(Subject(parsed, function, () if name == "rename" else kept), rng)
    if not edits:
        return None
    text = apply_edits(row.text, tuple(edits))
    if text == row.text or (name != "tokens" and parse(text).tree.root_node.has_error):
        return None
    if isinstance(row, FunctionRow):
        return attrs.evolve(row, text=text)
    names = {row.text[start:end]: new for start, end, new in edits} if name == "rename" else {}
    moved_spans = tuple((_moved(start, edits), _moved_end(end, edits)) for start, end in row.spans)
    moved_fixes = tuple(
        (
            _moved(start, edits),
            _moved_end(end, edits) if end > start else _moved(start, edits),
            _renamed(content, names),
        )
        for start, end, content in row.edits
    )
    if names and any(
        start < left < end or start < right < end for left, right, _ in row.edits for start, end, _ in edits
    ):
        return None  # A fix that begins or ends inside of a name cannot be moved along.
    return attrs.evolve(row, text=text, spans=moved_spans, edits=moved_fixes)


def _moved(offset: int, edits: Edits) -> int:
    """Where a start lies after the edits: behind everything put in at the same place."""
    return offset + sum(
        len(new) - (end - start) for start, end, new in edits if start < offset or (start == end == offset)
    )


def _moved_end(offset: int, edits: Edits) -> int:
    return offset + sum(
        len(new) - (end - start) for start, end, new in edits if end <= offset and not start == end == offset
    )


def _renamed(content: str, names: Mapping[str, str]) -> str:
    """A fix's words under the new names. A word after a dot is an attribute and keeps its name."""
    if not names:
        return content
    return re.sub(r"(?<![\w.])[^\W\d]\w*(?!\s*=(?!=))", lambda match: names.get(match[0], match[0]), content)
