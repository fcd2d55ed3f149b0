"""Copies written differently: the same program, the same labels, the same twins."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codehunch.defects.kinds import KINDS
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.augment import Maker, plan_augment
from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import CorpusError, read_rows
from codehunch_training.corpus.injected import Mix, candidates_of, variants
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.made import made_pairs
from codehunch_training.corpus.preferences import Preferences
from codehunch_training.corpus.rewording import Synonyms, dictionary, mixed, noisy, templated
from codehunch_training.corpus.rows import DefectRow, FunctionRow, PairRow, Row, identified
from codehunch_training.corpus.ways import WAYS, Subject
from codehunch_training.corpus.work import Notes, Plan, Unit, run

PROGRAMS = [
    (
        """
        def f(items, limit=3):
            "Counts."
            total = 0
            low = limit - 1
            high = limit + 1
            names = []
            for index, item in enumerate(items):
                if item < limit and not item in names:
                    total += 2
                    names.append(f"{item}:{index}")
                elif low < high:
                    total = total - 1
            return total, names, {k: v for k, v in zip(names, items)}
        """,
        [([1, 5, 2, 2, 9],), ([],), ([4, 4, 4], 7)],
    ),
    (
        """
        def f(text):
            first = text[:2]
            rest = "x"
            def inner(part, text=text):
                return part + text + rest
            try:
                value = int(text)
            except ValueError as error:
                value = str(error)
            empty = []
            while len(empty) != 2:
                empty.append(first)
            return inner(first), value, empty, (lambda a: a * 2)(first), [c for c in text if c > "b"]
        """,
        [("abc",), ("12",), ("",)],
    ),
]


KINDS_EVENLY = {kind.name: 1.0 for kind in KINDS}
MIX = Mix(Preferences(KINDS_EVENLY, {}, {}), KINDS_EVENLY)


def results(text: str, calls: list[tuple[Any, ...]]) -> list[Any]:
    space: dict[str, Any] = {}
    exec(text, space)
    return [space["f"](*(list(a) if isinstance(a, list) else a for a in call)) for call in calls]


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(("source", "calls"), PROGRAMS)
def test_every_way_keeps_what_the_program_does(way: str, source: str, calls: list[tuple[Any, ...]]) -> None:
    text = textwrap.dedent(source).strip() + "\n"
    expected = results(text, calls)
    parsed = parse(text)
    node = definition(parsed)
    assert node is not None
    subject = Subject(parsed, inner_definition(node))
    made = set()
    for seed in range(60):
        edits = WAYS[way](subject, random.Random(seed))
        if edits:
            other = apply_edits(text, tuple(edits))
            assert results(other, calls) == expected, other
            made.add(other)
    assert text not in made
    assert made or way == "reorder"


def test_independent_statements_only_are_reordered() -> None:
    def orders(*lines: str) -> int:
        text = "def f(a, b):\n    " + "\n    ".join(lines) + "\n"
        parsed = parse(text)
        node = definition(parsed)
        assert node is not None
        subject = Subject(parsed, inner_definition(node))
        return len({str(WAYS["reorder"](subject, random.Random(seed))) for seed in range(20)} - {"[]"})

    assert orders("x = a", "y = b") == 1
    assert orders("x = a", "y = x") == 0
    assert orders("x = y", "y = 1") == 0
    assert orders("x = a", "x = b") == 0
    assert orders("x = f()", "y = b") == 0
    assert orders("x = a.b", "y = b") == 0
    assert orders("x = a / b", "y = b") == 0


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.sampled_from([source for source, _ in PROGRAMS]))
def test_twins_stay_twins(seed: int, source: str) -> None:
    text = textwrap.dedent(source).strip() + "\n"
    parsed = parse(text)
    rng = random.Random(seed)
    rows = list(variants(parsed, candidates_of(parsed), 1, MIX, rng))
    if not rows:
        return
    buggy = identified(rows[0])
    fixed = DefectRow(text=text, label="clean", role="fixed")
    maker = Maker({"ways": list(WAYS)})
    copy = maker.copy([buggy, fixed], rng)
    if copy is None:
        return
    one, two = copy
    assert isinstance(one, DefectRow)
    assert isinstance(two, DefectRow)
    assert apply_edits(one.text, one.edits) == two.text
    assert one.label == buggy.label
    assert one.group == two.group != ""
    assert one.text != buggy.text
    assert not parse(one.text).tree.root_node.has_error
    assert len(one.spans) == len(buggy.spans)
    for start, end in one.spans:
        assert one.text[start:end].strip() == one.text[start:end] != ""


def given_rows(rows: list[Row], options: Mapping[str, Any], notes: Notes) -> Iterator[Row]:
    yield from map(identified, rows)


def corpus(folder: Path, rows: list[Row], kind: str) -> Path:
    run(Plan(given_rows, {}, [Unit("all", rows)], folder, kind))
    return folder


def augmented(tmp_path: Path, rows: list[Row], kind: str, **options: Any) -> list[Any]:
    values = {"ways": list(WAYS), "copies": 1, "seed": 0, "wordnet": None, "words": None, **options}
    run(plan_augment([corpus(tmp_path / "raw", rows, kind)], tmp_path / "out", **values, about={}))
    return list(read_rows(tmp_path / "out"))


def test_held_out_rows_are_not_multiplied(tmp_path: Path) -> None:
    text = textwrap.dedent(PROGRAMS[0][0]).strip() + "\n"
    rows: list[Row] = [FunctionRow(text=text, split="train"), FunctionRow(text=text, split="test")]
    made = augmented(tmp_path, rows, "functions", copies=3)
    assert [row.split for row in made] == ["train"] * 4 + ["test"]
    assert len({row.text for row in made}) == 4


def test_descriptions(tmp_path: Path) -> None:
    rows: list[Row] = [PairRow(kind="docstring", text="Return the list of all new names.", target="return x\n")]
    texts = {row.text for row in augmented(tmp_path, rows, "pairs", ways=["templates", "mixed", "noise"], copies=6)}
    assert len(texts) > 3
    assert "Return the list of all new names." in texts


def test_templates() -> None:
    texts = {templated("Returns the size.", random.Random(seed)) for seed in range(20)}
    assert {"Return the size.", "Get the size.", "This function returns the size."} <= texts
    assert templated("Whatever it is.", random.Random(0)) is None


def test_mixed_words(tmp_path: Path) -> None:
    texts = {mixed("Return the file of all", random.Random(seed)) for seed in range(40)}
    assert any(text and "archivo" in text for text in texts)
    assert mixed("xyzzy", random.Random(0)) is None
    (tmp_path / "words.tsv").write_text("fr\tfile\tfichier\n")
    table = dictionary(tmp_path / "words.tsv")
    assert {mixed("a file", random.Random(seed), table) for seed in range(9)} == {None, "a fichier"}
    (tmp_path / "bad.tsv").write_text("fr file fichier\n")
    with pytest.raises(CorpusError, match=r"bad.tsv, line 1"):
        dictionary(tmp_path / "bad.tsv")


def test_noise() -> None:
    words = "one two three four five".split()
    for seed in range(30):
        made = noisy(" ".join(words), random.Random(seed))
        assert made is not None
        assert set(made.split()) <= set(words)
        assert abs(len(made.split()) - 5) <= 1


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    """Three entries in the layout of wndb(5WN): the index names the byte where a synset's line begins."""
    folder = tmp_path / "wordnet"
    folder.mkdir()
    licence = "  1 This software and database is being provided\n"
    line = "00000050 03 n 03 list 0 listing 0 grocery_list 0 000 | things written down  \n"
    for part, lemma, text in (
        ("noun", "list", line),
        ("verb", "make", line.replace("list 0 listing", "make 0 create")),
    ):
        offset = len(licence.encode())
        (folder / f"index.{part}").write_text(licence + f"{lemma} n 1 1 @ 1 0 {offset:08d}  \n")
        (folder / f"data.{part}").write_text(licence + text)
    return folder


def test_synonyms(wordnet: Path, tmp_path: Path) -> None:
    names = Synonyms(wordnet)
    assert names.of("list") == ["listing"]
    assert names.of("make") == ["create"]
    assert names.of("nothing") == []
    assert names.reworded("Make one List here", random.Random(0)) == "Create one List here"
    assert names.reworded("Nothing here", random.Random(0)) is None
    with pytest.raises(CorpusError, match="no WordNet database"):
        Synonyms(tmp_path)


def test_synonyms_of_our_own() -> None:
    names = Synonyms()
    assert "build" in names.of("construct")
    assert names.of("construct") == ["build", "assemble"]
    assert names.of("quaternion") == []
    for seed in range(20):
        made = names.reworded("Remove the largest element", random.Random(seed))
        assert made is not None
        assert made.split()[1] == "the"
        assert made != "Remove the largest element"


def test_made_pairs_are_right() -> None:
    rows = [row for row, _ in zip(made_pairs(3), range(400), strict=False)]
    assert rows == [row for row, _ in zip(made_pairs(3), range(400), strict=False)]
    assert len({row.target for row in rows}) > 100
    space: dict[str, Any] = {}
    for row in rows:
        exec(f"{row.signature}\n" + textwrap.indent(row.target, "    "), space)
    cases = [
        ("mean_score", ([],), 0), ("mean_score", ([1, 2],), 1.5), ("unique_words", ([2, 1, 2],), [2, 1]),
        ("split_items", ([1, 2, 3], 2), [[1, 2], [3]]), ("find_name", (["a", "b"], "b"), 1), ("find_name", ([], 1), -1),
        ("clamp_price", (9, 1, 5), 5), ("count_row", ([1, 1], 1), 2), ("flatten_rows", ([[1], [2]],), [1, 2]),
    ]  # fmt: skip
    for name, arguments, expected in cases:
        if name in space:
            assert space[name](*arguments) == expected


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ways": ["magic"]}, "no such way: magic"),
        ({"ways": []}, "no such way"),
        ({"ways": ["synonyms"], "wordnet": Path("absent")}, "WordNet"),
    ],
)
def test_bad_ways(options: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=problem):
        augmented(tmp_path, [FunctionRow(text="def f(): pass\n")], "functions", **options)
