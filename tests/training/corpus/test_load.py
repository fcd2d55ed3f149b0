"""Published layouts, by the columns that hold them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import CorpusError, read_rows
from codehunch_training.corpus.load import Columns, plan_load, split_of
from codehunch_training.corpus.rows import DefectRow, PairRow
from codehunch_training.corpus.work import run

Table = list[dict[str, Any]]

DEVIGN: Table = [
    {"func": "int f(void)\n{\n    return 0;\n}", "target": 1, "project": "qemu"},
    {"func": "int g(void) { return 1; }", "target": 0, "project": "ffmpeg"},
]
SVEN: Table = [
    {
        "func_src_before": "def f(a):\n    return open(a)\n",
        "func_src_after": "def f(a):\n    return safe(a)\n",
        "file_name": "x.py",
    },
    {"func_src_before": "int f(){return 1;}", "func_src_after": "int f(){return 2;}", "file_name": "x.c"},
    {"func_src_before": "same", "func_src_after": "same", "file_name": "x.c"},
]
CONDEFECTS: Table = [
    {"buggy": "a = 1\nb = a + 1\nprint(b)", "fixed": "a = 1\nb = a - 1\nprint(b)", "fault_line": 2, "lang": "py"}
]
CONALA: Table = [{"intent": "sort a list", "snippet": "sorted(x)"}, {"intent": "", "snippet": "x"}]


def as_json_lines(path: Path, rows: Table) -> Path:
    path = path.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_packed_json_lines(path: Path, rows: Table) -> Path:
    path = path.with_suffix(".jsonl.gz")
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def as_json(path: Path, rows: Table) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def as_csv(path: Path, rows: Table) -> Path:
    path = path.with_suffix(".csv")
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, rows: Table) -> Path:
    path = path.with_suffix(".parquet")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def as_saved_dataset(path: Path, rows: Table) -> Path:
    """The layout ``datasets.Dataset.save_to_disk`` leaves behind."""
    path.mkdir()
    table = pyarrow.Table.from_pylist(rows)
    with (
        pyarrow.OSFile(str(path / "data-00000-of-00001.arrow"), "wb") as sink,
        pyarrow.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table)
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (path / "dataset_info.json").write_text("{}")
    return path


WRITERS = [as_json_lines, as_packed_json_lines, as_json, as_csv, as_parquet, as_saved_dataset]


def loaded(
    table: Path, out: Path, labels: dict[str, str] | None = None, **columns: str
) -> tuple[list[Any], dict[str, Any]]:
    manifest = run(plan_load([table], out, Columns(**columns), labels or {}, {}))
    return list(read_rows(out)), manifest


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_the_same_rows(write: Callable[[Path, Table], Path], tmp_path: Path) -> None:
    path = write(tmp_path / "train", DEVIGN)
    rows, _ = loaded(path, tmp_path / "out", text="func", label="target", project="project", language="c")
    assert [(row.label, row.project, row.language, row.text) for row in rows] == [
        ("defective-function", "qemu", "c", "int f(void)\n{\n    return 0;\n}\n"),
        ("clean", "ffmpeg", "c", "int g(void) { return 1; }\n"),
    ]
    assert {row.role for row in rows} == {"labelled"}


def test_twins(tmp_path: Path) -> None:
    path = as_json_lines(tmp_path / "sven", SVEN)
    rows, manifest = loaded(path, tmp_path / "out", text="func_src_before", fixed="func_src_after", path="file_name")
    assert [(row.role, row.language) for row in rows] == [
        ("buggy", "python"), ("fixed", "python"), ("buggy", "c"), ("fixed", "c")
    ]  # fmt: skip
    for buggy, fixed in zip(rows[::2], rows[1::2], strict=True):
        assert isinstance(buggy, DefectRow)
        assert apply_edits(buggy.text, buggy.edits) == fixed.text
        assert buggy.group == fixed.group
    assert [rows[0].text[a:b] for a, b in rows[0].spans] == ["open"]
    assert manifest["skipped"] == {"twins are equal": 1}


def test_fault_lines(tmp_path: Path) -> None:
    path = as_json_lines(tmp_path / "c", CONDEFECTS)
    rows, _ = loaded(path, tmp_path / "out", text="buggy", fixed="fixed", fault_line="fault_line", language="lang")
    assert [rows[0].text[a:b] for a, b in rows[0].spans] == ["b = a + 1"]
    assert rows[0].language == "python"


def test_questions(tmp_path: Path) -> None:
    rows, manifest = loaded(as_json(tmp_path / "conala", CONALA), tmp_path / "out", question="intent", code="snippet")
    assert [(row.text, row.target) for row in rows if isinstance(row, PairRow)] == [("sort a list", "sorted(x)\n")]
    assert manifest["skipped"] == {"empty column intent": 1}
    assert manifest["rows"] == "pairs"


def test_labels_by_name_and_by_map(tmp_path: Path) -> None:
    table = [{"f": "a", "l": "ok"}, {"f": "b", "l": "CWE-79"}, {"f": "c", "l": "off-by-one"}, {"f": "d", "l": "True"}]
    path = as_json_lines(tmp_path / "t", table)
    rows, _ = loaded(path, tmp_path / "out", {"ok": "clean", "CWE-79": "wrong-call"}, text="f", label="l")
    assert [row.label for row in rows] == ["clean", "wrong-call", "off-by-one", "defective-function"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("set/train.jsonl.gz", "train"),
        ("set/val.csv", "valid"),
        ("set/conala-test.json.gz", "test"),
        ("set/validation/data-00000-of-00001.arrow", "valid"),
        ("train/data.csv", ""),  # The folder a person named is no split.
        ("set/latest.csv", ""),
    ],
)
def test_splits_by_name(name: str, split: str) -> None:
    assert split_of(name) == split


BAD = [
    (
        as_json_lines,
        {"text": "func", "label": "verdict"},
        {},
        "has no column 'verdict'; it has 'func', 'target', 'project'",
    ),
    (as_json_lines, {"text": "func"}, {}, "name the columns"),
    (as_json_lines, {"text": "func", "label": "target"}, {"1": "nonsense"}, "no such kind"),
    (as_json_lines, {"text": "func", "label": "project"}, {}, "no meaning for the label 'qemu'"),
    (lambda path, rows: path.with_suffix(".jsonl"), {"text": "func", "label": "target"}, {}, "does not exist"),
    (
        lambda path, rows: _written(path, ".jsonl", "{\n"),
        {"text": "func", "label": "target"},
        {},
        "line 1: not valid JSON",
    ),
    (
        lambda path, rows: _written(path, ".json", "[1]"),
        {"text": "func", "label": "target"},
        {},
        "not an array of JSON objects",
    ),
    (lambda path, rows: _written(path, ".jsonl.gz", "x"), {"text": "func", "label": "target"}, {}, "cannot read"),
    (lambda path, rows: _written(path, ".parquet", "x"), {"text": "func", "label": "target"}, {}, "cannot read"),
    (lambda path, rows: _written(path, ".xlsx", "x"), {"text": "func", "label": "target"}, {}, "no known format"),
]


def _written(path: Path, suffix: str, content: str) -> Path:
    path = path.with_suffix(suffix)
    path.write_text(content)
    return path


@pytest.mark.parametrize(("write", "columns", "labels", "problem"), BAD)
def test_bad_tables(
    write: Callable[[Path, Table], Path], columns: dict[str, str], labels: dict[str, str], problem: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "train", DEVIGN)
    with pytest.raises(CorpusError, match=problem):
        loaded(path, tmp_path / "out", labels, **columns)
