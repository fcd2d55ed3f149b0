"""Published data sets to rows, by a map from what a row needs to the column that holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs

from codehunch.defects.kinds import KINDS
from codehunch.syntax.languages import language_of
from codehunch_training.corpus.edits import changed_spans, text_edits
from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.rows import DefectRow, PairRow, Row, identified
from codehunch_training.corpus.tables import read_table, table_files
from codehunch_training.corpus.work import Notes, Plan, Unit

_DEFECTIVE = {"1", "1.0", "true", "yes", "y", "bad", "buggy", "bug", "defective", "vulnerable", "vul"}
_CLEAN = {"0", "0.0", "-1", "false", "no", "n", "good", "clean", "fixed", "benign", "non-vulnerable", "safe"}
_KIND_NAMES = {kind.name for kind in KINDS if kind.learned}
_SPLITS = {
    "train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
WHOLE = "defective-function"
"""The label of rows that only say that something is wrong."""


@attrs.frozen
class Columns:
    """Which column holds what; empty where the data set has no such thing.

    One of three layouts: ``text`` with ``label``; ``text`` with ``fixed`` (and perhaps ``fault_line``); or
    ``question`` with ``code``.
    """

    text: str = ""
    """The function; the buggy one where ``fixed`` is given."""
    label: str = ""
    fixed: str = ""
    """The function after the fix."""
    fault_line: str = ""
    """1-based number of the wrong line in ``text``."""
    question: str = ""
    code: str = ""
    language: str = ""
    """A column, or the name of one language for all rows."""
    path: str = ""
    """A file name; its suffix tells the language."""
    project: str = ""
    commit: str = ""
    split: str = ""
    """Without it, files and folders named train, valid, test and the like tell the split."""
    licence: str = ""

    def needed(self) -> list[str]:
        """Columns every row must have. Raises CorpusError where the map names no layout."""
        if self.question and self.code:
            return [self.question, self.code]
        if self.text and (self.label or self.fixed):
            return [self.text, *filter(None, (self.label, self.fixed))]
        raise CorpusError("name the columns: --text with --label or --fixed, or --question with --code")

    @property
    def rows(self) -> str:
        return "pairs" if self.question else "defects"


def plan_load(
    paths: Sequence[Path], out: Path, columns: Columns, labels: Mapping[str, str], about: Mapping[str, Any]
) -> Plan:
    """A unit per table. Raises CorpusError: no table, no layout, a column that is not there, a label nobody knows."""
    needed = columns.needed()
    units = []
    for path in paths:
        for file in table_files(path):
            first = next(iter(read_table(file)), None)
            for column in needed if first is not None else ():
                if first is not None and column not in first:
                    raise CorpusError(f"{file} has no column {column!r}; it has {', '.join(map(repr, first))}")
            base = path if path.is_dir() else path.parent
            name = file.relative_to(base).as_posix()
            units.append(Unit(f"{base.resolve().name}/{name}", (str(file), f"{base.resolve().name}/{name}")))
    for value, kind in labels.items():
        if kind != "clean" and kind not in _KIND_NAMES:
            raise CorpusError(f"--map {value}={kind}: no such kind; known are clean, {', '.join(sorted(_KIND_NAMES))}")
    options = {"columns": attrs.asdict(columns), "labels": dict(labels)}
    return Plan(map_load, options, units, out, columns.rows, about)


def map_load(payload: tuple[str, str], options: Mapping[str, Any], notes: Notes) -> Iterator[Row]:
    """The map of ``codehunch corpus load``."""
    file, name = payload
    columns, labels = Columns(**options["columns"]), options["labels"]
    for number, values in enumerate(read_table(Path(file)), 1):
        missing = [column for column in columns.needed() if values.get(column) in (None, "")]
        if missing:
            notes.skipped[f"empty column {missing[0]}"] += 1
            continue
        common = _common(columns, values, name, number)
        if columns.question:
            question, code = str(values[columns.question]), str(values[columns.code])
            yield identified(PairRow(kind="question", text=question.strip(), target=_ended(code), **common))
        elif columns.fixed:
            yield from _twins(columns, values, f"{name}:{number}", common, notes)
        else:
            label = _label(values[columns.label], labels, file, number)
            text = _ended(str(values[columns.text]))
            yield identified(DefectRow(text=text, label=label, role="labelled", **common))


def split_of(name: str) -> str:
    """The split a file's own name or its folder's gives, where it is one of the usual words; else none."""
    parts = [part.lower() for part in PurePath(name).parts[1:]]
    words = [word for part in parts for word in re.split(r"[-_.]", part)]
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def _common(columns: Columns, values: Mapping[str, Any], name: str, number: int) -> dict[str, Any]:
    def value(column: str) -> str:
        return str(values[column]) if column and values.get(column) is not None else ""

    path = value(columns.path)
    spec = language_of(path) if path else None
    language = value(columns.language) or columns.language or (spec.name if spec is not None else "python")
    return {
        "project": value(columns.project) or name.partition("/")[0],
        "path": path or f"{name}:{number}",
        "commit": value(columns.commit),
        "licence": value(columns.licence),
        "split": value(columns.split) if columns.split else split_of(name),
        "language": {"py": "python", "c++": "cpp", "js": "javascript", "ts": "typescript"}.get(
            language.lower(), language.lower()
        ),
    }


def _label(value: Any, labels: Mapping[str, str], file: str, number: int) -> str:
    written = str(value).strip()
    if written in labels:
        return labels[written]
    lowered = written.lower()
    if lowered in _KIND_NAMES or lowered == "clean":
        return lowered
    if lowered in _CLEAN:
        return "clean"
    if lowered in _DEFECTIVE:
        return WHOLE
    raise CorpusError(f"{file}, row {number}: no meaning for the label {written!r}; give one with --map {written}=KIND")


def _twins(
    columns: Columns, values: Mapping[str, Any], group: str, common: dict[str, Any], notes: Notes
) -> Iterator[DefectRow]:
    before, after = _ended(str(values[columns.text])), _ended(str(values[columns.fixed]))
    if before == after:
        notes.skipped["twins are equal"] += 1
        return
    edits = text_edits(before, after)
    spans = changed_spans(before, edits)
    if columns.fault_line and str(values.get(columns.fault_line) or "").isdecimal():
        spans = _line_span(before, int(values[columns.fault_line])) or spans
    yield identified(DefectRow(text=before, label=WHOLE, role="buggy", group=group, spans=spans, edits=edits, **common))
    yield identified(DefectRow(text=after, label="clean", role="fixed", group=group, **common))


def _line_span(text: str, line: int) -> tuple[tuple[int, int], ...]:
    lines = text.split("\n")
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return ()
    start = sum(len(one) + 1 for one in lines[: line - 1])
    content = lines[line - 1]
    return ((start + len(content) - len(content.lstrip()), start + len(content.rstrip())),)


def _ended(text: str) -> str:
    """Line feeds only, and one at the end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
