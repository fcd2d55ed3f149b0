"""What a finding is known by survives edits elsewhere and no edit of its own line."""

from __future__ import annotations

import pytest

from codehunch.defects.fingerprints import fingerprint
from codehunch.defects.units import cut
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse

TEXT = """\
def area(width, height):
    "Twice."
    side = check(width)
    side = check(width)
    if side < height:
        return width * width
"""


def of(text: str, token: str, nth: int = 0, name: str = "area") -> str:
    parsed = parse(text)
    function = next(each for each in find_functions(parsed) if each.qualified_name == name)
    unit = cut(parsed, function)
    same = [lexeme for lexeme in unit.lexemes if lexeme.text == token]
    return fingerprint(name, unit.lexemes, same[nth].span)


@pytest.mark.parametrize(
    ("change", "survives"),
    [
        (("def area", "x = 1\n\n\ndef area"), True),
        (('"Twice."', '"Something else."'), True),
        (("if side < height:", "if side <= height:"), True),
        (("    side = check(width)\n    side = check(width)\n", "    side = 3\n"), True),
        (("return width * width", "return width*width  # why"), True),
        (("return width * width", "return (\n            width * width)"), False),
        (("return width * width", "return width * width + 1"), False),
        (("def area", "def room"), False),
    ],
)
def test_what_survives(change: tuple[str, str], survives: bool) -> None:
    changed = TEXT.replace(*change)
    assert changed != TEXT
    name = "room" if "room" in changed else "area"
    last = [each.text for each in cut(parse(changed), find_functions(parse(changed))[-1]).lexemes].count("width") - 1
    before = of(TEXT, "width", 4)
    assert (of(changed, "width", last, name) == before) == survives


def test_every_place_has_its_own() -> None:
    found = {of(TEXT, "width", nth) for nth in range(5)} | {of(TEXT, "side", nth) for nth in range(3)}
    assert len(found) == 8


def test_a_method_moved_and_indented_anew() -> None:
    method = "class A:\n    def area(self, width):\n        return width\n"
    inner = "class B:\n    x = 1\n\n\nclass A:\n        def area(self, width):\n                return  width\n"
    assert of(method, "width", 1, "A.area") == of(inner, "width", 1, "A.area")
