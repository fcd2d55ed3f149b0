"""Cleaning: nothing near is on both sides of a split, nothing buggy counts as clean, nothing secret stays."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codehunch_training.corpus.confounds import area_under_curve
from codehunch_training.corpus.folder import CorpusError, read_rows
from codehunch_training.corpus.hygiene import Rules, clean
from codehunch_training.corpus.near import NearIndex, tokens_of
from codehunch_training.corpus.overlap import KNOWN, Benchmarks
from codehunch_training.corpus.quality import file_problem
from codehunch_training.corpus.rows import DefectRow, FunctionRow, Row, identified
from codehunch_training.corpus.scrub import emails_in, mask, secrets_in
from codehunch_training.corpus.splits import make_split
from codehunch_training.corpus.work import Notes, Plan, Unit, run

WORDS = [f"name{number}" for number in range(300)]


def body(seed: int, length: int = 60, changed: int = 0) -> str:
    """A made function; ``changed`` of its words differ from the one of the same seed."""
    drawn = random.Random(seed)
    words = [drawn.choice(WORDS) for _ in range(length)]
    other = random.Random(f"{seed}/{changed}")
    for place in other.sample(range(length), changed):
        words[place] = other.choice(WORDS)
    lines = [f"    {a} = {b}({c})" for a, b, c in zip(words[::3], words[1::3], words[2::3], strict=True)]
    return "def f(x):\n" + "\n".join(lines) + "\n"


def given(rows: list[Row], options: Mapping[str, Any], notes: Notes) -> Iterator[Row]:
    yield from map(identified, rows)


def corpus(folder: Path, rows: list[Row], kind: str = "functions") -> Path:
    run(Plan(given, {}, [Unit("all", rows)], folder, kind))
    return folder


def cleaned(tmp_path: Path, rows: list[Row], kind: str = "functions", **rules: Any) -> tuple[list[Any], dict[str, Any]]:
    manifest = clean([corpus(tmp_path / "raw", rows, kind)], tmp_path / "clean", Rules(**rules), {})
    return list(read_rows(tmp_path / "clean")), manifest


def test_exact_and_near_duplicates_go(tmp_path: Path) -> None:
    rows: list[Row] = [
        FunctionRow(text=body(1), project="a"),
        FunctionRow(text="# a comment\n" + body(1).replace(" = ", "  =  "), project="a", path="copy.py"),
        FunctionRow(text=body(1, changed=1), project="a"),
        FunctionRow(text=body(2), project="a"),
    ]
    kept, manifest = cleaned(tmp_path, rows)
    assert [row.text for row in kept] == [rows[0].text, rows[3].text]  # type: ignore[attr-defined]
    assert manifest["skipped"] == {"duplicate": 1, "near-duplicate": 1}


@pytest.mark.parametrize("near", [True, False])
def test_no_near_duplicate_crosses_a_split(near: bool, tmp_path: Path) -> None:
    rows: list[Row] = []
    for project in range(12):
        rows += [FunctionRow(text=body(seed, changed=project % 3), project=f"p{project}") for seed in range(6)]
        rows += [FunctionRow(text=body(100 + 10 * project + seed), project=f"p{project}") for seed in range(6)]
    kept, manifest = cleaned(tmp_path, rows, near=near, fractions=(0.6, 0.2, 0.2))
    assert set(manifest["counts"]["split"]) == {"train", "valid", "test"}
    index = NearIndex(0.8)
    marks = {"train": 0, "valid": 1, "test": 2}
    for row in kept:
        signature, alike = index.alike(tokens_of(row.text))
        assert alike <= {marks[row.split]}
        index.add(signature, marks[row.split])
    projects = {split: {row.project for row in kept if row.split == split} for split in marks}
    assert not projects["train"] & projects["test"]
    assert not projects["train"] & projects["valid"]


def test_split_by_time(tmp_path: Path) -> None:
    rows: list[Row] = [
        FunctionRow(text=body(year), project="p", date=f"{2000 + year}-01-01T00:00:00Z") for year in range(20)
    ]
    kept, _ = cleaned(tmp_path, rows, split="time", fractions=(0.8, 0.1, 0.1))
    latest = {split: max(row.date for row in kept if row.split == split) for split in ("train", "valid")}
    assert latest["train"] < min(row.date for row in kept if row.split == "valid")
    assert latest["valid"] < min(row.date for row in kept if row.split == "test")


def twins(seed: int, project: str = "p", label: str = "wrong-call") -> list[Row]:
    text = body(seed)
    common = {"project": project, "group": f"g{seed}"}
    return [
        DefectRow(text=text, label=label, role="buggy", **common),
        DefectRow(text=text + "    return x\n", label="clean", role="fixed", **common),
        DefectRow(text=body(seed + 1000), label="clean", role="untouched", **common),
    ]


def test_twins_stay_together_and_conflicts_go(tmp_path: Path) -> None:
    rows = twins(1) + twins(2)
    rows.append(DefectRow(text=body(1), label="clean", role="untouched", project="p", group="g2"))
    kept, manifest = cleaned(tmp_path, rows, "defects", near=False)
    assert [(row.group, row.role) for row in kept] == [
        ("g1", "buggy"), ("g1", "fixed"), ("g1", "untouched"), ("g2", "buggy"), ("g2", "fixed"), ("g2", "untouched")
    ]  # fmt: skip
    assert manifest["skipped"] == {"conflicting label": 1}
    assert manifest["confounds"]["texts_with_two_labels"] == 0
    assert manifest["confounds"]["auc_tokens_buggy_over_fixed"] < 0.5


def test_balance(tmp_path: Path) -> None:
    rows = [row for seed in range(10) for row in twins(seed, label="wrong-call" if seed else "missing-return")]
    kept, _ = cleaned(tmp_path, rows, "defects", most_per_label=3, clean_per_buggy=1.0)
    labels = [row.label for row in kept]
    assert labels.count("wrong-call") == 3
    assert labels.count("missing-return") == 1
    assert labels.count("clean") <= 4


def test_benchmarks_do_not_train(tmp_path: Path) -> None:
    task = "Return the sum of all even numbers that stand in the list at an odd index."
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"task_id": "x", "prompt": task, "test": body(3)}) + "\n")
    rows: list[Row] = [
        FunctionRow(text=f'def f():\n    """{task}"""\n    return 1\n', project="a"),
        FunctionRow(text=body(3), project="a"),
    ]
    kept, manifest = cleaned(tmp_path, rows, benchmarks=(bench,))
    assert [row.text for row in kept] == [body(3)]  # The benchmark's tests are no task text.
    assert manifest["skipped"] == {"overlaps a benchmark": 1}
    assert not Benchmarks([bench]).touches("the sum of all even numbers that stand in")
    assert Benchmarks([bench]).touches("the SUM, of all (even) numbers that stand in the")


PUBLISHED = Path(__file__).parents[4] / "shared" / "data"


def test_known_benchmarks_come_as_digests() -> None:
    known = Benchmarks([], known=True)
    assert len(known) > 50_000
    assert known.packed() == KNOWN.read_bytes()
    assert not any(known.touches(body(seed)) for seed in range(50))
    assert Rules().known_benchmarks


@pytest.mark.parametrize(
    "name",
    ["humaneval/HumanEval.jsonl.gz", "humanevalpack/humanevalpack_python.jsonl.gz", "mbpp/mbpp_release_v1.jsonl.gz"],
)
def test_every_published_task_is_known(name: str) -> None:
    if not (PUBLISHED / name).is_file():
        pytest.skip("the published benchmarks are not here")
    known = Benchmarks([], known=True)
    with gzip.open(PUBLISHED / name, "rt", encoding="utf-8") as lines:
        tasks = [json.loads(line) for line in lines]
    assert all(known.touches(task["prompt"] + task["canonical_solution"]) for task in tasks)


def test_coverage_per_split(tmp_path: Path) -> None:
    labels = ["off-by-one", "off-by-one", "missing-self", "clean"]
    rows: list[Row] = [
        DefectRow(text=body(n), label=label, project=f"p{n}", split="valid" if n == 2 else "train")
        for n, label in enumerate(labels)
    ]
    _, manifest = cleaned(tmp_path, rows, "defects", split="given")
    assert manifest["coverage"] == {
        "train": {"labels": {"off-by-one": 2, "clean": 1}, "projects": 3, "missing": ["missing-self"]},
        "valid": {"labels": {"missing-self": 1}, "projects": 1, "missing": ["clean", "off-by-one"]},
    }
    assert "coverage" in (tmp_path / "clean" / "report.html").read_text(encoding="utf-8")


def test_unreadable_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text("no json")
    for name, problem in (("b.jsonl", "neither JSON nor JSON lines"), ("absent.jsonl", "cannot read")):
        with pytest.raises(CorpusError, match=problem):
            Benchmarks([tmp_path / name])


SECRETS = [
    ('key = "AKIAIOSFODNN7EXAMPLE"', {"AKIAIOSFODNN7EXAMPLE"}),
    ('url = "https://me:pa55w0rd99@host/x"', {"pa55w0rd99"}),
    ('token = "ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"', {"ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"}),
    ("return self.a_rather_long_method_name_of_ours(value)", set()),
    ('password = get_password("prompt")', set()),
    ("total = first + second", set()),
]


@pytest.mark.parametrize(("line", "found"), SECRETS)
def test_secrets(line: str, found: set[str]) -> None:
    assert secrets_in(line) >= found
    assert bool(secrets_in(line)) == bool(found)


def test_emails() -> None:
    assert emails_in("by a.b+c@mail.example.co.uk and x@example.com, @decorator a@b") == {"a.b+c@mail.example.co.uk"}


def test_masks_keep_every_offset(tmp_path: Path) -> None:
    text = 'def f(x):\n    mail("jane.doe@corp.io", "AKIAIOSFODNN7EXAMPLE")\n    return x\n'
    buggy = text.replace("return x", "return y")
    start = buggy.index("y\n")
    place = (start, start + 1)
    common = {"group": "g", "project": "p"}
    rows: list[Row] = [
        DefectRow(text=buggy, label="variable-misuse", role="buggy", spans=[place], edits=[(*place, "x")], **common),
        DefectRow(text=text, label="clean", role="fixed", **common),
    ]
    kept, manifest = cleaned(tmp_path, rows, "defects")
    assert manifest["masked"] == 2
    assert len(kept[0].text) == len(buggy)
    assert "jane" not in kept[0].text + kept[1].text
    assert "AKIA" not in kept[0].text + kept[1].text
    assert kept[0].text[start] == "y"
    assert mask("a-b1", ["a-b1"]) == "x-xx"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", None),
        ("  \n", "empty file"),
        ("# Code generated by protoc. DO NOT EDIT.\nx = 1\n", "generated"),
        ("x=" + "1+" * 3000 + "1\n", "minified"),
        ("T = [\n" + "".join(f"    {n}, {n + 1}, {n + 2},\n" for n in range(1000, 2000)) + "]\n", "table of data"),
    ],
)
def test_file_problems(text: str, problem: str | None) -> None:
    assert file_problem(text) == problem


@pytest.mark.parametrize(
    ("fractions", "problem"), [((0.5, 0.5, 0.5), "add up to 1"), ((1.5, -0.5, 0.0), "add up to 1")]
)
def test_bad_fractions(fractions: tuple[float, float, float], problem: str) -> None:
    with pytest.raises(CorpusError, match=problem):
        make_split("project", {"a": 1}, [], fractions, 0)


def test_a_split_by_time_needs_dates() -> None:
    with pytest.raises(CorpusError, match="no row has a date"):
        make_split("time", {}, [], (0.8, 0.1, 0.1), 0)


def test_different_rows_do_not_mix(tmp_path: Path) -> None:
    one = corpus(tmp_path / "a", [FunctionRow(text="x")])
    two = corpus(tmp_path / "b", [DefectRow(text="x", label="clean")], "defects")
    with pytest.raises(CorpusError, match="different rows"):
        clean([one, two], tmp_path / "out", Rules(), {})
    with pytest.raises(CorpusError, match="another folder"):
        clean([one], one, Rules(), {})


def test_area_under_curve() -> None:
    assert area_under_curve([2, 3], [0, 1]) == 1.0
    assert area_under_curve([1, 1], [1, 1]) == 0.5
    assert area_under_curve([0], [1, 2]) == 0.0
