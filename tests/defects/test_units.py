"""Functions cut from their files: the same lexemes, offsets that lead back."""

from __future__ import annotations

import pytest

from codehunch.defects.findings import Edit
from codehunch.defects.units import cut
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span

PLAIN = "def f(a):\n    return a\n"
METHOD = (
    "class C:\n    @property\n    def f(self):\n        if self.a:\n            return 1\n        return '''\nx'''\n"
)
TABS = "class C:\n\tdef f(self):\n\t\treturn self\n"
CRLF = "class C:\r\n    def f(self):\r\n        return 'é😀'\r\n"
ONE_LINE = "class C: \n  async def f(self): return await self.g()\n"


@pytest.mark.parametrize("text", [PLAIN, METHOD, TABS, CRLF, ONE_LINE])
def test_lexemes_of_a_unit_are_those_of_the_file(text: str) -> None:
    parsed = parse(text)
    (function, *_) = find_functions(parsed)
    unit = cut(parsed, function)
    assert unit.definition is not None
    assert not unit.parsed.tree.root_node.has_error
    for lexeme in unit.lexemes:
        assert unit.in_file(lexeme.span).of(text) == lexeme.text
    assert [lexeme.text for lexeme in unit.lexemes if lexeme.text][-1] in function.span.of(text)


def test_a_rewrite_that_breaks_the_function_is_refused() -> None:
    parsed = parse(PLAIN)
    unit = cut(parsed, find_functions(parsed)[0])
    at = unit.text.index("return")
    assert unit.rewritten((Edit(Span(at, at + 6), "return return"),)) is None
    changed = unit.rewritten((Edit(Span(at, at + 6), "yield"),))
    assert changed is not None
    assert "yield a" in changed.text
