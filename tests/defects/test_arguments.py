"""What is forgotten in calls can be put back."""

from __future__ import annotations

import re

import pytest

from codehunch.defects.arguments import argument_slots
from codehunch.defects.repairs import repairs
from codehunch.defects.rewrites import apply, moved
from codehunch.defects.scopes import analyse
from codehunch.defects.units import Unit

TEXT = """def hand_on(self, name, default, size: int = 3, *args, strict=True, **kwargs):
    self.before(*args, **kwargs)
    found = self.inner.get(name, default, size=size, strict=strict)
    print(found, *args, 'done')
    (lambda: 0)(name)
    return list(each for each in found)
"""


def unit_of(text: str) -> Unit:
    unit = Unit(text, 0)
    assert unit.definition is not None
    return unit


def parts(text: str) -> list[str]:
    """What stands in a text, in whatever order: a keyword is put back behind the others."""
    return sorted(re.findall(r"[\w*=]+|[^\w\s,]", text))


def labels(text: str, token: str, kind: str) -> list[str]:
    """What a kind's repairs make of the text at a token, the first of its name."""
    unit = unit_of(text)
    at = next(number for number, lexeme in enumerate(unit.lexemes) if lexeme.text == token)
    return [apply(text, rewrite.edits).split("\n")[1].strip() for rewrite in repairs(unit, at, kind)]


def test_all_that_is_forgotten_can_be_put_back() -> None:
    unit = unit_of(TEXT)
    assert unit.definition is not None
    seen = set()
    for slot in argument_slots(unit.parsed, unit.definition, analyse(unit.definition)):
        for rewrite in slot.rewrites:
            faulty = unit.rewritten(rewrite.edits)
            assert faulty is not None
            start = moved(rewrite.anchors[0], rewrite.edits)
            at = next(i for i, lexeme in enumerate(faulty.lexemes) if lexeme.text and lexeme.span.start == start)
            restored = [parts(apply(faulty.text, fix.edits)) for fix in repairs(faulty, at, slot.kind)]
            line = faulty.text.count("\n", 0, start)
            assert parts(TEXT) in restored, (slot.kind, faulty.text)
            seen.add((slot.kind, faulty.text.split("\n")[line].strip()))
    assert ("missing-argument", "self.before(**kwargs)") in seen
    assert ("missing-argument", "found = self.inner.get(name, size=size, strict=strict)") in seen
    assert ("missing-argument", "found = self.inner.get(name, default, strict=strict)") in seen
    assert ("missing-star", "self.before(args, **kwargs)") in seen
    assert ("wrong-literal", 'found = self.inner.get(name, default, size="size", strict=strict)') in seen
    # Read elsewhere too, or not the last one: leaves no trace.
    assert not any("get(default" in line or "(lambda: 0)()" in line for _, line in seen)


@pytest.mark.parametrize(
    ("text", "token", "kind", "expected"),
    [
        ("def f(a, b):\n    g(a)\n", "g", "missing-argument", ["g(a, b)", "g(a, b=b)"]),
        ("def f(a, b):\n    g()\n    h(a)\n", "g", "missing-argument", ["g(b)", "g(b=b)"]),
        ("def f(a, b):\n    g(x=a)\n", "g", "missing-argument", ["g(b, x=a)", "g(x=a, b=b)"]),
        ("def f(*args, **kw):\n    g(*args)\n", "g", "missing-argument", ["g(*args, **kw)"]),
        ("def f(*a, b: int = 1):\n    g(*a)\n", "g", "missing-argument", ["g(b, *a)", "g(*a, b=b)"]),
        ("def f(a):\n    g(a)\n", "g", "missing-argument", []),  # All is read.
        ("def f(self, _):\n    g()\n", "g", "missing-argument", []),
        ("def f(a, **kw):\n    g(a, kw)\n", "kw", "missing-star", []),  # The parameter itself, not the argument.
        ("def f(a, b):\n    g(b=0)\n    h(a)\n", "0", "wrong-literal", ["g(b=b)"]),
        ("def f(a, b):\n    g(a, None, b=b)\n", "None", "wrong-literal", []),
        ("def f(a):\n    a.get('quite')\n    a.quiet\n", "'", "wrong-literal", ["a.get('quiet')"]),
        ("def f(a):\n    a.get('quite', 'no')\n", "'", "wrong-literal", ["a.get('no', 'no')"]),
    ],
)
def test_repairs(text: str, token: str, kind: str, expected: list[str]) -> None:
    assert labels(text, token, kind) == expected


def test_a_star_goes_before_the_argument() -> None:
    text = "def f(a, *rest, **kw):\n    g(a, rest, kw, b)\n"
    unit = unit_of(text)
    found = {}
    for at, lexeme in enumerate(unit.lexemes):
        if lexeme.span.start > text.index("g("):
            found.update({fix.label: apply(text, fix.edits) for fix in repairs(unit, at, "missing-star")})
    assert found.keys() == {"*a", "*rest", "**kw", "*b"}
    assert found["**kw"].endswith("g(a, rest, **kw, b)\n")
