"""What the tests of a project say of a file while it is edited, told where it is and mended with all that hold."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from codehunch.bundles.store import active_bundle
from codehunch.defects import by_test
from codehunch.defects.by_example import ExampleChecker
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.defects.rewrites import apply
from codehunch.project import Project
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

STACK = '''from shop.rates import rate


class Empty(Exception):
    """Nothing is there."""


class Stack:
    def __init__(self, items=()):
        self.items = list(items)

    def push(self, item):
        self.items.append(item)
        return self

    def peek(self):
        if not self.items:
            raise Empty
        return self.items[-1]

    def total(self):
        total = 0
        for item in self.items:
            total += item
        return total


def gross(stack):
    return stack.total() * (100 + rate()) // 100


def labelled(stack, label):
    """
    >>> labelled([], "a")
    'a'
    """
    return label + "!" * len(stack)
'''
FILES = {
    "pyproject.toml": "",
    "shop/__init__.py": "",
    "shop/stack.py": STACK,
    "shop/rates.py": "def rate():\n    return 19\n",
    "tests/test_stack.py": """import pytest

from shop.stack import Empty, Stack, gross, labelled


def test_push():
    stack = Stack()
    assert stack.push(3).push(4).items == [3, 4]


def test_peek():
    assert Stack([1, 2, 3]).peek() == 3


def test_peek_empty():
    with pytest.raises(Empty):
        Stack().peek()


@pytest.mark.parametrize("items, wanted", [([], 0), ([1], 1), ([1, 2], 3)])
def test_total(items, wanted):
    assert Stack(items).total() == wanted


def test_gross():
    assert gross(Stack([100])) == 119


def test_label():
    assert labelled([1], "b") == "b!"


def test_files(tmp_path):
    assert Stack([tmp_path]).peek() != tmp_path
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(active_bundle("defects"))


def told(detector: Detector, project: Path, before: str, after: str, **options: object) -> list[Finding]:
    assert before in STACK
    text = STACK.replace(before, after, 1)
    around = Project().around(project / "shop/stack.py")
    found = detector.check(SourceText(text), options=CheckOptions(**options), around=around)  # type: ignore[arg-type]
    return [each for each in found if each.kind == OF_EXAMPLES.name]


def settled(
    checker: ExampleChecker, project: Path, text: str, findings: Mapping[int, list[Finding]] | None = None
) -> list[Finding]:
    pieces = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    found = checker.settle(pieces, findings or {}, around=Project().around(project / "shop/stack.py"))
    return [each for number in sorted(found) for each in found[number]]


def test_what_passes_is_not_told(detector: Detector, project: Path) -> None:
    assert told(detector, project, "[-1]", "[-1]") == []


@pytest.mark.parametrize(
    ("before", "after", "function", "place", "message"),
    [
        (
            "self.items[-1]",
            "self.items[0]",
            "Stack.peek",
            "0",
            "`test_peek` in test_stack.py fails: `Stack([1, 2, 3]).peek()` gives 1, wanted 3; "
            "replace `0` by `-1` (passes 5 tests)?",
        ),
        (
            "if not self.items",
            "if self.items",
            "Stack.peek",
            "self.items",
            "`test_peek` in test_stack.py fails: Empty is raised; "
            "replace `self.items` by `not self.items` (passes 5 tests)?",
        ),
        (
            "total += item",
            "total = item",
            "Stack.total",
            "=",
            "`test_total` in test_stack.py fails: `Stack(items).total()` gives 2, wanted 3; "
            "replace `=` by `+=` (passes 5 tests)?",
        ),
        (
            "items.append(item)",
            "items.extend(item)",
            "Stack.push",
            "extend",
            "`test_push` in test_stack.py fails: TypeError is raised; replace `extend` by `append` (passes 5 tests)?",
        ),
    ],
)
def test_a_failing_test_is_told_with_what_mends_it(
    detector: Detector, project: Path, before: str, after: str, function: str, place: str, message: str
) -> None:
    text = STACK.replace(before, after, 1)
    (finding,) = told(detector, project, before, after)
    assert (finding.code, finding.function, finding.span.of(text)) == ("CH120", function, place)
    assert finding.message == message
    assert apply(text, finding.fixes[0].edits) == STACK


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_offsets_are_those_of_the_file(detector: Detector, project: Path, end: str) -> None:
    text = STACK.replace("self.items[-1]", "self.items[0]").replace("\n", end)
    around = Project().around(project / "shop/stack.py")
    (finding,) = (each for each in detector.check(SourceText(text), around=around) if each.code == "CH120")
    assert apply(text, finding.fixes[0].edits) == STACK.replace("\n", end)


def test_without_a_small_edit_it_is_told_where_the_result_comes_from(detector: Detector, project: Path) -> None:
    (finding,) = told(detector, project, "return self.items[-1]", "return [len(self.items), [self.items]]")
    assert (finding.function, finding.fixes) == ("Stack.peek", ())
    assert "fails" in finding.message


def test_without_a_small_edit_an_error_is_told_where_it_is_raised(detector: Detector, project: Path) -> None:
    lines = "        for each in range(3):\n            each.append(self.items.missing[each])\n        return 4"
    text = STACK.replace("        return self.items[-1]", lines)
    (finding,) = told(detector, project, "        return self.items[-1]", lines)
    assert finding.span.of(text) == "each.append(self.items.missing[each])"
    assert finding.message == "`test_peek` in test_stack.py fails: AttributeError is raised"


def test_another_file_is_not_blamed_on_this_one(detector: Detector, project: Path) -> None:
    (project / "shop/rates.py").write_text("def rate():\n    return [][7]\n", encoding="utf-8")
    assert told(detector, project, "[-1]", "[-1]") == []


def test_what_is_not_written_yet_is_not_told(detector: Detector, project: Path) -> None:
    assert told(detector, project, "        return self.items[-1]", "        raise NotImplementedError") == []
    body = STACK[STACK.index("        if not self.items") : STACK.index("    def total")]
    assert told(detector, project, body, "        ...\n\n") == []
    assert told(detector, project, body, "        return self.items[\n\n") == []


def test_an_example_of_its_own_goes_first_and_is_told_once(detector: Detector, project: Path) -> None:
    (finding,) = told(detector, project, 'label + "!"', '"?" + "!"')
    assert "its example shows" in finding.message


def test_a_fix_breaks_no_example(project: Path) -> None:
    text = STACK.replace('label + "!" * len(stack)', 'label + "!" * len(label)')
    (finding,) = settled(ExampleChecker(), project, text)
    for fix in finding.fixes:
        pieces = [piece for _, piece in cut_at(text, list(section_starts(text)))]
        last = apply(pieces[-1], fix.edits)
        scope: dict[str, object] = {}
        exec(last, scope)
        assert scope["labelled"]([], "a") == "a"  # type: ignore[operator]
        assert scope["labelled"]([1], "b") == "b!"  # type: ignore[operator]


def test_what_is_silenced_is_not_told(detector: Detector, project: Path) -> None:
    after = "self.items[0]"
    assert told(detector, project, "self.items[-1]", after, ignore=frozenset(["CH120"])) == []
    assert told(detector, project, "self.items[-1]", f"{after}  # codehunch: ignore[CH120]") == []
    assert len(told(detector, project, "self.items[-1]", f"{after}  # codehunch: ignore[CH101]")) == 1


def _finding_at(text: str, token: str, label: str) -> tuple[int, Finding]:
    pieces = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    number = next(number for number, piece in enumerate(pieces) if token in piece)
    at = pieces[number].index(token)
    span = Span(at, at + len(token))
    fix = Fix(f"Replace `{token}` by `{label}`", (Edit(span, label),), 1.0)
    return number, Finding("CH104", "wrong-binary-operator", "?", span, "", 0.9, (fix,))


def test_a_fix_of_the_model_that_breaks_a_test_is_not_offered(project: Path) -> None:
    number, wrong = _finding_at(STACK, "+=", "-=")
    assert settled(ExampleChecker(), project, STACK, {number: [wrong]}) == []
    number, harmless = _finding_at(STACK, "len(stack)", "len(list(stack))")
    assert settled(ExampleChecker(), project, STACK, {number: [harmless]}) == [harmless]


def test_a_test_is_tried_again_only_when_something_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    real = by_test.attempt

    def counted(tests: object, trial: by_test.Trial, *rest: object, **words: object) -> by_test.Verdict:
        names.append(trial.name)
        return real(tests, trial, *rest, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(by_test, "attempt", counted)
    checker = ExampleChecker()
    assert settled(checker, project, STACK) == []
    assert len(names) == 7
    names.clear()
    assert settled(checker, project, STACK) == []
    assert settled(checker, project, STACK.replace("class Empty", "def other():\n    return 1\n\n\nclass Empty")) == []
    assert names == []
    assert settled(checker, project, STACK.replace("return label", "return str(label)")) == []
    assert names == ["test_label"]
    names.clear()
    (project / "shop/rates.py").write_text("def rate():\n    return 10 + 9\n", encoding="utf-8")
    assert settled(checker, project, STACK.replace("return label", "return str(label)")) == []
    assert names == ["test_gross"]
    names.clear()
    faulty = STACK.replace("self.items[-1]", "self.items[0]")
    (first,) = settled(checker, project, faulty)
    assert "test_peek" in names
    names.clear()
    assert settled(checker, project, faulty) == [first]
    assert names == []


def test_what_is_told_does_not_depend_on_the_edits_that_led_to_it(project: Path) -> None:
    edits = [
        ("self.items[-1]", "self.items[0]"),
        ("total += item", "total -= item"),
        ("self.items.append(item)", "self.items.insert(0, item)"),
        ("class Empty(Exception)", "class Empty(KeyError)"),
        ("raise Empty", "return None"),
        ("def peek(self)", "def peek(self, at"),
        ("rate()) // 100", "rate()) / 100"),
        ("* len(stack)", "* len(label)"),
    ]
    chance, checker, text = random.Random(3), ExampleChecker(), STACK
    for _ in range(60):
        before, after = chance.choice(edits)
        text = text.replace(before, after) if before in text else text.replace(after, before)
        assert settled(checker, project, text) == settled(ExampleChecker(), project, text)


def test_tests_are_read_again_when_they_change(project: Path) -> None:
    checker = ExampleChecker()
    assert settled(checker, project, STACK) == []
    path = project / "tests/test_stack.py"
    path.write_text(path.read_text(encoding="utf-8").replace("peek() == 3", "peek() == 1"), encoding="utf-8")
    (finding,) = settled(checker, project, STACK)
    assert finding.message.endswith("gives 3, wanted 1; replace `-1` by `0` (passes 5 tests)?")


@pytest.mark.parametrize(
    "text",
    ["import pytest\n@pytest.fixture(autouse=True)\ndef a():\n    pass\n", "def pytest_runtest_setup(item): ...\n"],
)
def test_what_is_set_up_for_a_folder_is_not_guessed(detector: Detector, project: Path, text: str) -> None:
    (project / "conftest.py").write_text(text, encoding="utf-8")
    assert told(detector, project, "self.items[-1]", "self.items[0]") == []


def test_tests_of_any_content_are_survived(project: Path) -> None:
    hostile = {
        "tests/test_a_stack.py": b"from shop.stack import Stack\ndef test_a():\n    while Stack():\n        pass\n",
        "tests/test_b_stack.py": b"from shop.stack import Stack\n" + b"def test_b():\n    assert Stack(\n",
        "tests/test_c_stack.py": b"\xff\xfe\0Stack assert shop\n",
        "tests/test_d_stack.py": b"from shop.stack import Stack\ndef test_d():\n    assert Stack() == "
        + b"(" * 3000
        + b")" * 3000,
        "tests/test_e_stack.py": b"from shop.stack import Stack\n"
        + b"".join(b"def test_%d():\n    assert Stack([%d]).peek() == %d\n" % (n, n, n) for n in range(2000)),
        "tests/test_f_stack.py": b"from shop.stack import Stack\n"
        b"def test_f():\n    assert Stack([[0]] * 10**9).peek()\n",
        "tests/test_g_stack.py": b"from shop.stack import Stack\ntest_g = lambda: Stack().peek\n"
        b"class TestG(Stack, test_g):\n"
        b"    def test_h(self):\n        assert self.peek() == 1\n",
    }
    for name, content in hostile.items():
        (project / name).write_bytes(content)
    assert settled(ExampleChecker(), project, STACK) == []
    found = settled(ExampleChecker(), project, STACK.replace("self.items[-1]", "self.items[0]"))
    assert all(each.code == "CH120" for each in found)


def test_a_cancelled_check_ends_and_remembers_nothing_wrong(project: Path) -> None:
    checker, text = ExampleChecker(), STACK.replace("self.items[-1]", "self.items[0]")
    pieces = [piece for _, piece in cut_at(text, list(section_starts(text)))]
    around = Project().around(project / "shop/stack.py")
    for stop in (0, 1, 3, 5, 8, 9, 12, 30):
        left = iter(range(stop))
        checker.settle(pieces, {}, lambda left=left: next(left, None) is None, around=around)  # type: ignore[misc]
    assert len(settled(checker, project, text)) == 1


def test_a_file_of_tests_is_not_told_about_itself(detector: Detector, project: Path) -> None:
    path = project / "tests/test_stack.py"
    around = Project().around(path)
    assert around.tests == ()


def test_the_nearest_tests_come_first(project: Path) -> None:
    for name in ("tests/test_other.py", "tests/deep/test_rates.py", "shop/test_rates.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("import shop\ndef test_a():\n    assert shop.stack\n", encoding="utf-8")
    names = [Path(each).relative_to(project).as_posix() for each in Project().around(project / "shop/rates.py").tests]
    assert names[:2] == ["shop/test_rates.py", "tests/deep/test_rates.py"]
    assert set(names[2:]) == {"tests/test_other.py", "tests/test_stack.py"}
