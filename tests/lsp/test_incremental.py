"""Reading only what an edit touched finds exactly what reading the whole file finds."""

from __future__ import annotations

import hashlib
import random
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.by_example import ExampleChecker, FileFacts
from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.options import CheckOptions
from codehunch.defects.surroundings import Surroundings
from codehunch.defects.units import cut
from codehunch.inference.errors import Cancelled
from codehunch.lsp.incremental import IncrementalChecker
from codehunch.lsp.offering import Sections
from codehunch.lsp.parcels import Parcels
from codehunch.syntax.functions import find_functions
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import section_starts
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

OPTIONS = CheckOptions()


class EveryFunction:
    """Reports every function with a fingerprint of its text and of how its names stand in the file: sees what the
    detector sees, without a model."""

    knows_files = True

    def __init__(self) -> None:
        self.read = 0
        self.examples = ExampleChecker()

    def check(
        self,
        source: SourceText,
        language: str = "python",
        options: CheckOptions | None = None,
        cancelled: Callable[[], bool] | None = None,
        surroundings: Surroundings | None = None,
    ) -> tuple[Finding, ...]:
        if cancelled is not None and cancelled():
            raise Cancelled
        parsed = parse(source, language)
        file = surroundings or surroundings_of(source.text)
        suppressions = find_suppressions(parsed)
        found = []
        for function in find_functions(parsed):
            if function.broken or suppressions.silences("CH100", "x", source.row_of(function.header.start)):
                continue
            self.read += 1
            name = Span(function.header.start, function.header.start + 3)
            unit = cut(parsed, function, file)
            assert unit.around is not None
            print_of = hashlib.sha256(f"{unit.text} {unit.around.to_json()}".encode()).hexdigest()[:8]
            fix = Fix("", (Edit(Span(function.body.start, function.body.end), ""),), 0.5)
            finding = Finding("CH100", "x", print_of, name, function.qualified_name, 0.5, (fix,), (), (function.span,))
            found.append(finding)
        return tuple(sorted(found, key=lambda each: each.span))

    def settle(
        self,
        statements: Sequence[str],
        findings: Mapping[int, Sequence[Finding]],
        options: CheckOptions,
        cancelled: Callable[[], bool] | None,
        facts: FileFacts,
    ) -> dict[int, tuple[Finding, ...]]:
        return self.examples.settle(statements, findings, cancelled, around=facts.around)


def check(checker: IncrementalChecker, text: str, options: CheckOptions = OPTIONS) -> tuple[Finding, ...]:
    return Parcels().open("file:///a.py", checker.check("file:///a.py", text, "python", options, lambda: False))


_LINES = st.sampled_from(
    [
        "def f(a):",
        "    return a",
        "    return self.meber + mesure",
        "    def member(self): pass",
        "measure = member = 1",
        "    def g(b):",
        "        return b",
        "class C:",
        "    x = 1",
        "@d",
        "else:",
        "if a:",
        "try:",
        "x = (",
        ")",
        '"""',
        "x = 1; y = 2",
        "x = 1 \\",
        "# note",
        "    # note",
        "# codehunch: ignore",
        "def h(c): return c  # codehunch: ignore",
        "# codehunch: ignore-file[CH100]",
        "lambda: 0",
        "",
        "   ",
        "\x0c",
        "async def k():",
        "    def m(self):",
        "        return self",
        "    @d(",
        "    )",
        "@d(1)",
        "a",
        "for a in b",
        "x = [",
        "]",
        "x = (1,",
        "f(a)[b]",
        "'''",
        "x = 'a \\",
        "    x = 1; y = (",
        "async for a in b:",
        "elif b:",
        "\rdef p(): pass\r",
        "x = f'{a[0]}'",
        "🙂 = 'é'",
        "import a, b as c",
        "from a import (",
        "    b,",
        "    def x(self): self.a = 1",
        "    global y",
        "class D(C):",
        "        return self.x + self.a",
        "from b import *",
    ]
)
_TEXTS = st.tuples(st.sampled_from(["\n", "\n", "\r\n", "\r"]), st.lists(_LINES, max_size=14)).map(
    lambda each: each[0].join(each[1])
)
_GOOD_LINES = ["def f(a):\n    return a\n", "class C:\n    def m(self):\n        return 1\n", "x = 1\n"]
_GOOD_LINES += ["# note\n", "\n", "@d\ndef g(): pass\n"]
_GOOD = st.lists(st.sampled_from(_GOOD_LINES), min_size=2, max_size=12).map("".join)
_EDITS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), _TEXTS | _LINES | st.text(max_size=2)), max_size=6)


# The same edits on every machine: the parser takes some texts that are no Python, such as ``def f(a):(a):`` above an
# assignment, for Python across two statements, and then a section is not read as its file is.
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_GOOD | _TEXTS, _EDITS)
def test_any_edits(text: str, edits: list[tuple[float, float, str]]) -> None:
    checker, parcels = IncrementalChecker(EveryFunction()), Parcels()
    assert check(checker, text) == EveryFunction().check(SourceText(text))
    for at, length, inserted in edits:
        start = round(at * len(text))
        text = text[:start] + inserted + text[start + round(length * 9) :]
        sent = checker.check("file:///a.py", text, "python", OPTIONS, lambda: False)
        assert parcels.open("file:///a.py", sent) == EveryFunction().check(SourceText(text)), text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_GOOD | _TEXTS, _EDITS, st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_the_section_around_a_cursor(text: str, edits: list[tuple[float, float, str]], cursors: list[float]) -> None:
    """What is remembered of the last text changes nothing."""
    sections = Sections()
    for (at, length, inserted), cursor in zip([(0.0, 0.0, ""), *edits], cursors, strict=False):
        start = round(at * len(text))
        text = text[:start] + inserted + text[start + round(length * 9) :]
        offset = round(cursor * len(text))
        starts = [0, *section_starts(text), len(text) + 1]
        (expected,) = [(one, two) for one, two in pairwise(starts) if one <= offset < two]
        span = sections.around(text, offset)
        assert (span.start, span.end) == (expected[0], min(expected[1], len(text)))


def test_no_keyword_is_a_name() -> None:
    """A method alone is read below a line of its own, whose words are no words of the file's."""
    text = "def f(a):\nclass C:\n    def g(b):\ndef f(a):"
    checker = IncrementalChecker(EveryFunction())
    for each in (text, "if a:" + text):
        assert check(checker, each) == EveryFunction().check(SourceText(each))


def test_a_backslash_at_a_lines_end_joins_what_follows() -> None:
    functions = ["def f(a):\n    return a\n"] * 4
    checker = IncrementalChecker(EveryFunction())
    for at in range(5):
        assert check(checker, "".join(functions)) == EveryFunction().check(SourceText("".join(functions)))
        text = "".join([*functions[:at], "x = 1 \\\n", *functions[at:]])
        assert check(checker, text) == EveryFunction().check(SourceText(text))


@pytest.mark.slow
def test_edits_of_real_files() -> None:
    """The standard library, typed in at random places with what people type."""
    chance = random.Random(3)
    pieces = [
        "x",
        " ",
        "\n",
        "(",
        ")",
        '"',
        ":",
        "    ",
        "\n\n",
        "#",
        "def f():\n    ",
        "return ",
        "else:",
        "@",
        "é",
        "",
    ]
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for path in chance.sample(paths, 12):
        text = path.read_text(encoding="utf-8")
        checker = IncrementalChecker(EveryFunction())
        for _ in range(60):
            start = chance.randrange(len(text) + 1)
            for char in chance.choice(pieces):
                text = text[:start] + char + text[start + chance.choice([0, 0, 0, 1, 5]) :]
                start += 1
                assert check(checker, text) == EveryFunction().check(SourceText(text)), path
            # Mostly mended again, as people do.
            if chance.random() < 0.7:
                text = path.read_text(encoding="utf-8")


FILE = "import os\n\n\n" + "".join(f"def f{index}(a):\n    return a + {index}\n\n\n" for index in range(3000))


@pytest.mark.parametrize("where", ["a + 0", "a + 1500", "a + 2999"])
def test_an_edit_costs_what_it_touched(where: str) -> None:
    detector = EveryFunction()
    checker = IncrementalChecker(detector)
    check(checker, FILE)
    detector.read = 0
    text = FILE.replace(where + "\n", where + " + 1\n")
    assert check(checker, text) == EveryFunction().check(SourceText(text))
    assert detector.read == 1


@pytest.mark.parametrize("comment", ["# codehunch: ignore-file[CH107]\n", "x = 'codehunch: ignore-file'\n"])
def test_an_edit_costs_no_more_where_a_rule_is_silenced(comment: str) -> None:
    detector = EveryFunction()
    checker = IncrementalChecker(detector)
    assert check(checker, FILE + comment)
    detector.read = 0
    text = FILE.replace("return a + 10\n", "return b + 10\n")
    assert check(checker, text + comment) == EveryFunction().check(SourceText(text + comment))
    assert detector.read == 1
    # A silenced file is not read at all, and comes back without being read again.
    detector.read = 0
    for more in ("# codehunch: ignore-file\n", "# codehunch: ignore-file[CH100]\n", ""):
        assert check(checker, text + comment + more) == EveryFunction().check(SourceText(text + comment + more))
    assert detector.read <= 3


def test_progress_in_a_large_file_outlives_an_edit() -> None:
    """The first look is taken in portions, and what was read before an edit is not read again."""
    detector = EveryFunction()
    checker = IncrementalChecker(detector)
    budget = iter([False] * 1000)
    with pytest.raises(Cancelled):
        checker.check("file:///a.py", FILE, "python", OPTIONS, lambda: next(budget, True))
    assert checker.portions > 1
    detector.read = 0
    text = FILE.replace("return a + 10\n", "return b + 10\n")
    assert check(checker, text) == EveryFunction().check(SourceText(text))
    assert checker.portions > 3
    # All but those thousand, in a portion and alone.
    assert detector.read < 2 * (3000 - 900)


SMALL = "import os\n\n\n" + "".join(f"def f{index}(a):\n    return a + {index}\n\n\n" for index in range(30))
HALF_TYPED = [
    "x = (",
    "if a",
    "return [",
    "foo(",
    "def k(",
    "def k(b):",
    "class D(",
    "@d(",
    ")",
    "'",
    "    x +",
    "lambda",
]


@pytest.mark.parametrize("statement", HALF_TYPED)
def test_a_half_typed_statement_costs_what_it_touched(statement: str) -> None:
    """And hides nothing but the function it is in."""
    detector = EveryFunction()
    checker = IncrementalChecker(detector)
    before = check(checker, SMALL)
    for indent in ("    ", ""):
        text = SMALL.replace("    return a + 15\n", f"{indent}{statement}\n    return a + 15\n")
        detector.read = 0
        found = check(checker, text)
        assert found == EveryFunction().check(SourceText(text))
        shown, expected = {each.function for each in found}, {each.function for each in before}
        assert expected - shown <= {"f15"}
        assert detector.read <= 4
        detector.read = 0
        assert check(checker, SMALL) == before
        assert detector.read == 0


def test_a_half_typed_method_hides_no_other() -> None:
    methods = "".join(f"    @d\n    def m{index}(self):\n        return {index}\n\n" for index in range(6))
    nested = "    class D:\n        def a(self): pass\n\n        def b(self):\n            pass\n\n"
    text = f"import os\n\n\nclass C(B):\n    x = 1\n\n{methods}{nested}    y = 2\n\n\ndef f(): pass\n"
    checker = IncrementalChecker(EveryFunction())
    everything = {each.function for each in check(checker, text)}
    for line, gone in (
        ("        return 3\n", "C.m3"),
        ("        return 5\n", "C.m5"),
        ("            pass\n", "C.D.b"),
        ("    x = 1\n", ""),
        ("    y = 2\n", ""),
    ):
        for statement in ("x = foo(", "return (", "if a", "'"):
            broken = text.replace(line, line[: len(line) - len(line.lstrip())] + statement + "\n" + line)
            found = check(checker, broken)
            assert found == EveryFunction().check(SourceText(broken))
            if line != "    x = 1\n":  # There it is the head of the class that is broken.
                assert everything - {each.function for each in found} <= {gone}, (line, statement)


def test_an_open_string_hides_the_rest_until_it_is_closed() -> None:
    detector = EveryFunction()
    checker = IncrementalChecker(detector)
    before = check(checker, SMALL)
    text = SMALL.replace("    return a + 15\n", '    """Half a docstring\n    return a + 15\n')
    assert check(checker, text) == EveryFunction().check(SourceText(text))
    detector.read = 0
    assert check(checker, SMALL) == before
    assert detector.read == 0


def test_other_options_are_another_question() -> None:
    checker = IncrementalChecker(EveryFunction())
    check(checker, FILE)
    before = checker.portions
    other = CheckOptions(sensitivity="low")
    assert check(checker, FILE, other) == EveryFunction().check(SourceText(FILE))
    assert checker.portions == 2 * before
    assert check(checker, FILE + "x = 1\n", other)
    assert checker.portions == 2 * before


def test_not_every_document_is_remembered_for_ever() -> None:
    checker = IncrementalChecker(EveryFunction())
    for index in range(200):
        checker.check(f"file:///{index}.py", "def f(): pass\n", "python", OPTIONS, lambda: False)
    assert len(checker._known) <= 64


_STATED = [
    "import math\n",
    "from math import floor as least\n",
    "LIMIT = 2\n",
    "LIMIT = 3\n",
    "LIMIT += 1\n",
    "def half(n):\n    return n // LIMIT\n",
    "def half(n):\n    return n / 2\n",
    "class half: pass\n",
    'def f(n):\n    """f(8) == 4"""\n    return half(n)\n',
    'def f(n):\n    """\n    >>> f(9)\n    4\n    """\n    return math.floor(half(n))\n',
    'def g(n):\n    """\n    >>> g(3)\n    6\n    """\n    return n + LIMIT\n',
    "assert g(3) == 5\n",
    "def test():\n    assert half(8) == 4\n",
    'def g(n):\n    """\n    >>> g(3)\n    6\n    """\n    return n + LIMIT  # codehunch: ignore\n',
    "x = (\n",
    "\n",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.lists(st.sampled_from(_STATED), max_size=7).map("".join), min_size=2, max_size=6))
def test_examples_say_the_same_after_any_edits(texts: list[str]) -> None:
    checker = IncrementalChecker(EveryFunction())
    for text in texts:
        assert check(checker, text) == check(IncrementalChecker(EveryFunction()), text)


def test_an_example_hears_of_an_edit_elsewhere() -> None:
    checker = IncrementalChecker(EveryFunction())
    file = "LIMIT = {}\n" + _STATED[5] + _STATED[8]
    told = [[each.kind for each in check(checker, file.format(limit))] for limit in (2, 3, 2)]
    assert told == [["x", "x"], ["x", "x", "broken-example"], ["x", "x"]]
