"""What examples say goes before what a model thinks, in whole files and through every setting."""

from __future__ import annotations

import pytest

from codehunch.bundles.store import active_bundle
from codehunch.defects.by_example import ExampleChecker
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.kinds import OF_EXAMPLES
from codehunch.defects.rewrites import apply
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

FILE = '''import os


def add(a, b):
    """Add two numbers.

    >>> add(2, 3)
    5
    """
    return a - b


def clamp(value, low, high):
    """
    >>> clamp(5, 0, 3)
    3
    """
    return max(low, min(value, high))


def reset():
    return os.getcwd()
'''


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(active_bundle("defects"))


def told(detector: Detector, text: str, **options: object) -> list[Finding]:
    found = detector.check(SourceText(text), options=CheckOptions(**options))  # type: ignore[arg-type]
    return [each for each in found if each.kind == OF_EXAMPLES.name]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("sensitivity", ["low", "medium", "high"])
def test_a_broken_example_is_told_exactly(detector: Detector, sensitivity: str, end: str) -> None:
    text = FILE.replace("\n", end)
    (finding,) = told(detector, text, sensitivity=sensitivity)
    assert (finding.code, finding.function, finding.span.of(text)) == ("CH120", "add", "-")
    assert finding.message == ("`add(2, 3)` gives -1, its example shows 5; replace `-` by `+` (fits the example)?")
    assert [each.of(text) for each in finding.evidence] == ["add(2, 3)"]
    fixed = apply(text, finding.fixes[0].edits)
    assert fixed == text.replace("a - b", "a + b")
    assert told(detector, fixed) == []


def test_without_a_fix_it_stands_at_the_name(detector: Detector) -> None:
    text = FILE.replace("    5\n", "    'seventeen'\n")
    (finding,) = told(detector, text)
    assert (finding.span.of(text), finding.fixes) == ("add", ())
    assert finding.message == "`add(2, 3)` gives -1, its example shows 'seventeen'"


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace("return a - b", "return a - b  # codehunch: ignore"),
        FILE.replace("return a - b", "return a - b  # codehunch: ignore[CH120]"),
        FILE.replace("return a - b", "return a - b  # codehunch: ignore[broken-example]"),
        FILE + "# codehunch: ignore-file[CH120]\n",
        FILE + "# codehunch: ignore-file\n",
        FILE.replace("a - b", "a + b"),
        FILE.replace("a - b", "a - "),
    ],
)
def test_what_silences_it(detector: Detector, text: str) -> None:
    assert told(detector, text) == []


def test_select_and_ignore(detector: Detector) -> None:
    assert told(detector, FILE, ignore=("CH120",)) == []
    assert told(detector, FILE, select=("CH101",)) == []
    assert len(told(detector, FILE, select=("broken-example",))) == 1


def test_a_broken_neighbour_does_not_silence_it(detector: Detector) -> None:
    assert len(told(detector, FILE + "\n\ndef half(\n")) == 1


def test_its_fingerprint_survives_edits_elsewhere(detector: Detector) -> None:
    (before,) = told(detector, FILE)
    (after,) = told(detector, "x = 1\n\n" + FILE.replace("Add two numbers.", "Add.\n\n    >>> add(1, 0)\n    1"))
    (other,) = told(detector, FILE.replace("a - b", "b - a"))
    assert before.fingerprint == after.fingerprint != other.fingerprint


def _hunch(text: str, token: str, *others: str) -> Finding:
    at = text.rindex(token)
    span = Span(at, at + len(token))
    fixes = tuple(Fix(f"Replace by `{other}`", (Edit(span, other),), 0.9) for other in others)
    return Finding("CH101", "variable-misuse", "a hunch", span, "f", 0.9, fixes)


KEPT = 'def f(a, b):\n    """\n    >>> f(3, 1)\n    2\n    >>> f(5, 1)\n    4\n    """\n    c = 1\n    return a - b\n'


def test_a_fix_that_breaks_an_example_is_none() -> None:
    """And a finding that has no other is none."""
    right, wrong = _hunch(KEPT, "b", "a", "c"), _hunch(KEPT, "b", "a")
    settled = ExampleChecker().settle([KEPT], {0: [right, wrong, _hunch(KEPT, "c")]})
    (kept, without) = settled[0]
    assert [each.edits[0].content for each in kept.fixes] == ["c"]
    assert without.fixes == ()


def test_a_hunch_about_what_is_proven_is_left_out() -> None:
    text = KEPT.replace("a - b", "a + b")
    (finding,) = ExampleChecker().settle([text], {0: [_hunch(text, "a + b", "b")]})[0]
    assert (finding.kind, finding.span.of(text)) == (OF_EXAMPLES.name, "+")


def test_what_says_nothing_changes_nothing() -> None:
    text = KEPT.replace("a - b", "unknown(a)")
    hunch = _hunch(text, "a", "b")
    assert ExampleChecker().settle([text], {0: [hunch]}) in ({}, {0: (hunch,)})
    assert ExampleChecker().settle(["def f(a):\n    return a\n"], {0: [hunch]}) == {}
