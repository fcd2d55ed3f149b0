"""Injected defects: every one parses, lies in its labelled span, and goes away byte for byte."""

from __future__ import annotations

import ast
import random
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codehunch.defects.kinds import KINDS
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.folder import CorpusError, read_rows
from codehunch_training.corpus.functions import units_of_folder
from codehunch_training.corpus.injected import Mix, candidates_of, plan_inject, variant, variants
from codehunch_training.corpus.preferences import Preferences, load_preferences, measure, write_preferences
from codehunch_training.corpus.rows import DefectRow, FunctionRow
from codehunch_training.corpus.work import run

SEEDS = [
    """
    @property
    async def läuft(self, größe, items, *, limit=10):
        '''Liest "é😀" ein.'''
        total = 0
        seen = set()
        for index, item in enumerate(items):
            if item.size >= limit and not item.hidden:
                total += item.size * 2 - 1
                seen.add(item.name)
            elif item is None or index == 3:
                continue
            else:
                await self.store(item, total)
                self.count = len(items) + self.limit
        if total > größe:
            raise ValueError(f"{total} is more than {größe}")
        text = "ß {}".format(größe) + 'a'.strip()
        self.close()
        value = self.read()
        return text, range(0, total), items.get(größe, None), value
    """,
    """
    def swap(a, b):
        return f(a, b) if a and b else g(b[0], a[-1])
    """,
    """
    def nested(n):
        def inner(x, y=1):
            return x ** y // 2
        values = [inner(v, n) for v in range(n) if v % 2 != 0]
        with open("a") as one, open("b") as two:
            one.write(two.read())
        return max(values, default=n)
    """,
    """
    def hand_on(self, name, default, *args, **kwargs):
        self.before(*args)
        return self.inner.get(name, default, *args, strict=True, **kwargs)
    """,
]


def any_kind(offered: float = 1.0) -> Mix:
    kinds = {kind.name: 1.0 for kind in KINDS}
    return Mix(Preferences(kinds, {}, {}), dict.fromkeys(kinds, offered))


def inside(row: DefectRow, start: int, end: int) -> bool:
    """Whether an edit lies in a labelled span, the blank behind a ``not`` left out."""
    end = start + len(row.text[start:end].rstrip())
    return any(left <= start and end <= right for left, right in row.spans)


def check(original: str, row: DefectRow) -> None:
    assert row.text != original
    assert not parse(row.text).tree.root_node.has_error
    assert apply_edits(row.text, row.edits) == original
    assert all(inside(row, start, end) for start, end, _ in row.edits), (row.label, row.spans, row.edits)
    for start, end in row.spans:
        assert row.text[start:end].strip() == row.text[start:end] != ""
    assert ast.dump(ast.parse(row.text)) != ast.dump(ast.parse(original))


@pytest.mark.parametrize("source", SEEDS)
def test_every_slot_of_every_kind(source: str) -> None:
    original = textwrap.dedent(source).strip() + "\n"
    parsed = parse(original)
    made = 0
    for slot in candidates_of(parsed):
        for rewrite in slot.rewrites:
            text = original
            for edit in sorted(rewrite.edits, key=lambda edit: edit.span, reverse=True):
                text = text[: edit.span.start] + edit.content + text[edit.span.end :]
            row = variant(parsed, text, slot.kind, rewrite)
            if row is not None:
                check(original, row)
                made += 1
    assert made > 10


def test_the_seeds_offer_every_kind_that_can_be_injected() -> None:
    offered = {slot.kind for source in SEEDS for slot in candidates_of(parse(textwrap.dedent(source)))}
    assert offered == {kind.name for kind in KINDS if kind.learned} - {"defective-function"}


STATEMENTS = st.sampled_from(
    [
        "x = a.b(c, d)", "return a + b", "if a and not b: return c", "raise KeyError(a)", "self.x = b[1]",
        "for i in range(a): b.append(i)", "c = f'{a}-{b}'", "d(a, key=b)", "a += 1", "assert a is not None",
        "x = [v for v in a if v in b]", "while a < b: a = a.next()", "return self.a or ''", "del c", "x = -a ** 2",
        "try:\n        a.read()\n    except OSError:\n        pass", "x = lambda q: q.z", "yield a, b",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STATEMENTS, min_size=1, max_size=8), st.integers(0, 99))
def test_drawn_defects_revert(statements: list[str], seed: int) -> None:
    original = "def f(self, a, b, c, d):\n    " + "\n    ".join(statements) + "\n"
    parsed = parse(original)
    rows = list(variants(parsed, candidates_of(parsed), 4, any_kind(), random.Random(seed)))
    assert len({row.text for row in rows}) == len(rows)
    for row in rows:
        assert apply_edits(row.text, row.edits) == original
        assert not parse(row.text).tree.root_node.has_error
        assert all(inside(row, start, end) for start, end, _ in row.edits)


def test_commutative_arguments_are_not_swapped() -> None:
    def swaps(call: str) -> int:
        return sum(slot.kind == "argument-swap" for slot in candidates_of(parse(f"def f(a, b):\n    return {call}\n")))

    assert swaps("g(a, b)") == 1
    assert swaps("max(a, b)") == 0
    assert swaps("math.gcd(a, b)") == 0


def functions(tmp_path: Path) -> Path:
    from codehunch_training.corpus.functions import map_functions
    from codehunch_training.corpus.work import Plan

    source = tmp_path / "source"
    source.mkdir()
    for number, text in enumerate(SEEDS):
        (source / f"m{number}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    out = tmp_path / "functions"
    run(Plan(map_functions, {}, units_of_folder(source, "source"), out, "functions"))
    return out


def test_a_corpus_of_twins(tmp_path: Path) -> None:
    folder = functions(tmp_path)
    manifests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        plan = plan_inject([folder], tmp_path / name, count=3, seed=seed, preferences=None, about={})
        manifests.append(run(plan))
    assert manifests[0]["fingerprint"] == manifests[1]["fingerprint"] != manifests[2]["fingerprint"]
    rows = [row for row in read_rows(tmp_path / "a") if isinstance(row, DefectRow)]
    twins = {row.group: row.text for row in rows if row.role == "fixed"}
    sources = {row.id: row.text for row in read_rows(folder) if isinstance(row, FunctionRow)}
    assert twins == {group: sources[group] for group in twins}
    for row in rows:
        if row.role == "buggy":
            check(twins[row.group], row)


def test_kinds_follow_the_preferences() -> None:
    parsed = parse(textwrap.dedent(SEEDS[0]))
    wanted = {"variable-misuse": 3.0, "wrong-comparison": 1.0}
    mix = Mix(Preferences(wanted, {}, {}), dict.fromkeys(wanted, 1.0))
    found = candidates_of(parsed)
    drawn = [next(variants(parsed, found, 1, mix, random.Random(seed))).label for seed in range(400)]
    assert 0.68 < drawn.count("variable-misuse") / len(drawn) < 0.82


def test_wrong_for_right_follows_the_preferences() -> None:
    parsed = parse("def f(a, b):\n    return a < b\n")
    only = Preferences({"wrong-comparison": 1.0}, {}, {"<": {"<=": 1000.0}})
    mix = Mix(only, {"wrong-comparison": 1.0})
    found = candidates_of(parsed)
    drawn = [next(variants(parsed, found, 1, mix, random.Random(seed))).text for seed in range(50)]
    assert all("a <= b" in text for text in drawn)


def test_preferences_are_measured_on_fixes(tmp_path: Path) -> None:
    right, wrong = "def f(a, b):\n    return a < b\n", "def f(a, b):\n    return a <= b\n"
    row = DefectRow(text=wrong, label="wrong-comparison", role="buggy", edits=[[26, 28, "<"]])
    assert apply_edits(row.text, row.edits) == right
    preferences, share = measure([row, DefectRow(text=right, label="clean", role="fixed")])
    assert share == 1.0
    assert preferences.kinds == {"wrong-comparison": 1}
    assert preferences.replacements == {"<": {"<=": 1}}
    write_preferences(tmp_path / "p.json", preferences)
    assert load_preferences(tmp_path / "p.json") == preferences


def test_preferences_that_ship_know_every_kind() -> None:
    assert set(load_preferences().kinds) == {kind.name for kind in KINDS if kind.learned} - {"defective-function"}


def test_broken_preferences(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(CorpusError, match=r"p.json"):
        load_preferences(tmp_path / "p.json")
