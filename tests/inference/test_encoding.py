"""From lexemes to windows: nothing lost, nothing counted twice, labels on exactly one token each."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from codehunch.bundles.store import default_bundle
from codehunch.inference.encoding import SPECIAL_TOKENS, LexicalEncoder
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import LexemeKind, lexemes_of
from codehunch.syntax.parsing import parse

SHORT = "def f(self, total):\n    if total is not None:\n        return self.total + total  # why\n"


def _tokenizer() -> Tokenizer:
    bundle = default_bundle("defects")
    assert bundle is not None
    return Tokenizer.from_file(str(bundle.path / "tokenizer.json"))


def _lexemes(text: str):
    parsed = parse(text)
    (_, node), *_ = function_nodes(parsed)
    return lexemes_of(parsed, node)


@pytest.fixture(scope="module")
def encoder() -> LexicalEncoder:
    return LexicalEncoder(_tokenizer(), 512, 128)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SHORT, SHORT.replace("    ", "\t")),
        (SHORT, SHORT.replace("\n", "\r\n")),
        (SHORT, SHORT.replace("  # why", "")),
        (SHORT, SHORT.replace("(self, total)", "( self,\n   total )")),
        (SHORT, SHORT.replace("):\n", '):\n    """A docstring."""\n', 1)),
    ],
    ids=["tabs", "crlf", "comment", "spacing", "docstring"],
)
def test_layout_comments_and_docstrings_change_nothing(encoder: LexicalEncoder, one: str, other: str) -> None:
    first, second = encoder.encode(_lexemes(one)), encoder.encode(_lexemes(other))
    assert first[0].input_ids.tolist() == second[0].input_ids.tolist()


@pytest.mark.parametrize(
    "change", [("is not", "is"), ("+", "-"), ("self.total", "self.size"), ("        return", "        x =")]
)
def test_a_changed_program_changes_the_input(encoder: LexicalEncoder, change: tuple[str, str]) -> None:
    first, second = encoder.encode(_lexemes(SHORT)), encoder.encode(_lexemes(SHORT.replace(*change)))
    assert first[0].input_ids.tolist() != second[0].input_ids.tolist()


def test_tokens_of_one_identifier_share_a_number(encoder: LexicalEncoder) -> None:
    lexemes = _lexemes(SHORT)
    (window,) = encoder.encode(lexemes)
    by_name: dict[str, set[int]] = {}
    for at, owner in enumerate(window.lexemes):
        if owner >= 0 and lexemes[owner].kind in (LexemeKind.NAME, LexemeKind.ATTRIBUTE):
            by_name.setdefault(lexemes[owner].text, set()).add(int(window.identifier_ids[at]))
    assert all(len(numbers) == 1 and 0 not in numbers for numbers in by_name.values())
    assert len(set.union(*by_name.values())) == len(by_name) == 3


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_special_tokens_in_the_source_are_ordinary_text(encoder: LexicalEncoder, token: str) -> None:
    window = encoder.encode(_lexemes(f"def f():\n    return '{token}'\n"))[0]
    quiet = encoder.encode(_lexemes("def f():\n    return 'x'\n"))[0]
    special = range(len(SPECIAL_TOKENS))
    count = [sum(int(i) in special for i in each.input_ids) for each in (window, quiet)]
    assert count[0] == count[1]


def test_a_long_string_keeps_its_ends(encoder: LexicalEncoder) -> None:
    text = "def f():\n    return '" + "word " * 2000 + "'\n"
    assert sum(map(len, encoder.encode(_lexemes(text)))) < 40


@given(
    statements=st.lists(
        st.sampled_from(["a = b\n", "g(a, b, key=a.b)\n", "if a:\n        b()\n"]), min_size=1, max_size=400
    )
)
@settings(max_examples=25, deadline=None)
def test_every_lexeme_belongs_to_exactly_one_window(statements: list[str]) -> None:
    encoder = LexicalEncoder(_tokenizer(), 200, 48)
    lexemes = _lexemes("def f(a, b, c=None):\n" + "".join("    " + line for line in statements))
    windows = encoder.encode(lexemes)
    answered = [0] * len(lexemes)
    for window in windows:
        assert len(window) <= 200
        first, last = window.core
        for owner in window.lexemes:
            if first <= owner < last:
                answered[owner] += 1
    assert answered == [1] * len(lexemes)
    cores = [window.core for window in windows]
    assert cores[0][0] == 0
    assert cores[-1][1] == len(lexemes)
    assert all(one[1] == other[0] for one, other in pairwise(cores))


def test_a_window_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        LexicalEncoder(_tokenizer(), 128, 64)
