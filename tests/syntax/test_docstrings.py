from __future__ import annotations

import pytest

from codehunch.syntax.docstrings import docstring_text

LITERALS = [
    ('"""Doc."""', "Doc."),
    ("'Doc \"quoted\".'", 'Doc "quoted".'),
    ('"""First.\n\n        Second.\n            Third.\n    """', "First.\n\nSecond.\n    Third."),
    ('"""First.\r\n    Second.\r    """', "First.\nSecond."),
    (r'"""Tab\tand \"quotes\" \x41\u00e9\U0001F600\101."""', 'Tab     and "quotes" A\xe9\U0001f600A.'),
    (r'r"""Raw \d \n."""', r"Raw \d \n."),
    # Escapes that are no escapes make Python warn; here they stay.
    (r'"""A pattern: \d+\.\U99999999"""', r"A pattern: \d+\.\U99999999"),
    ('"""Joined \\\n    line."""', "Joined     line."),
    ("\"one \" 'two'", "one two"),
    ('("one"\n # comment\n "two")', "onetwo"),
    ('""""Quoted" at the start."""', '"Quoted" at the start.'),
    ('""', ""),
]


@pytest.mark.parametrize(("literal", "text"), LITERALS)
def test_docstring_text(literal: str, text: str) -> None:
    assert docstring_text(literal) == text
