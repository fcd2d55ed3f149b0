"""Metrics of written code against sacrebleu and against tables worked out by hand."""

from __future__ import annotations

import math

import pytest

from codehunch.syntax.parsing import parse
from codehunch_training.evaluation.codebleu import CodeBleu, code_bleu, code_tokens, data_flow
from codehunch_training.evaluation.texts import bleu, code_pieces, is_valid, text_metrics

ONE = "def add(a, b):\n    total = a + b\n    return total\n"
RENAMED = "def add(x, y):\n    out = x + y\n    return out\n"


def test_the_ends_of_the_scale() -> None:
    assert code_bleu([ONE], [ONE]) == CodeBleu(1.0, 1.0, 1.0, 1.0, 1.0)
    assert code_bleu([""], [ONE]).score == 0.0
    assert 0 < code_bleu([ONE[:20]], [ONE]).score < 1


def test_each_part_sees_its_own_difference() -> None:
    renamed = code_bleu([RENAMED], [ONE])
    assert renamed.syntax == renamed.flow == 1.0
    assert renamed.ngrams < renamed.weighted < 1
    other_flow = code_bleu([ONE.replace("a + b", "a + a")], [ONE])
    assert other_flow.syntax == 1.0
    assert other_flow.flow < 1
    other_shape = code_bleu([ONE.replace("total = a + b", "total = (a + b)")], [ONE])
    assert other_shape.syntax < 1
    assert other_shape.flow == 1.0
    # A comment is no code.
    assert code_bleu([ONE.replace("\n    return", "  # sum\n    return")], [ONE]).score == 1.0


def test_parts_by_hand() -> None:
    found = code_bleu(["return y"], ["return x"])
    # Tokens `return` (a keyword, 5) and a name (1): 5 of 6 weights match.
    assert found.weighted == pytest.approx(5 / 6)
    # module, return_statement: both subtrees match. No edge in the reference: the part has no weight.
    assert found.syntax == 1.0
    assert math.isnan(found.flow)
    # 1-grams 1/2, 2-grams (0 + 1)/(1 + 1), no 3- and 4-grams: (0 + 1)/(0 + 1).
    assert found.ngrams == pytest.approx((1 / 2 * 1 / 2) ** 0.25)
    assert found.score == pytest.approx((found.ngrams + 5 / 6 + 1) / 3)


def test_a_short_answer_pays_for_it() -> None:
    short = code_bleu(["return x"], ["return x, y, z"])
    assert short.weighted == pytest.approx(math.exp(1 - 6 / 2))


@pytest.mark.parametrize(
    ("source", "edges"),
    [
        ("a = b\n", [("v0", ("v1",))]),
        ("a = 1\nb = a\nc = b + a\n", [("v0", ("v0",)), ("v1", ("v0",)), ("v1", ("v1",)), ("v0", ("v0",)),
                                       ("v2", ("v1", "v0"))]),
        ("t += i\n", [("v0", ("v1", "v0"))]),
        ("for i in xs:\n    print(i)\n", [("v0", ("v1",)), ("v0", ("v0",))]),
        ("x.y = f(k=1)\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_data_flow(source: str, edges: list[tuple[str, tuple[str, ...]]]) -> None:
    # Numbering is by first appearance in an edge; compare up to renaming.
    found, names = data_flow(parse(source)), {}
    for made, wanted in zip(found, edges, strict=True):
        flat = zip((made[0], *made[1]), (wanted[0], *wanted[1]), strict=True)
        assert all(names.setdefault(a, b) == b for a, b in flat)


def test_tokens_keep_strings_whole_and_drop_comments() -> None:
    assert code_tokens(parse("x = 'a b'  # no\n")) == ["x", "=", "'a b'"]


def test_c_is_read_with_its_own_grammar() -> None:
    assert (
        code_bleu(["int f(int a) { int b = a; return b; }"], ["int f(int x) { int y = x; return y; }"], "c").flow == 1
    )
    with pytest.raises(KeyError):
        code_bleu(["x"], ["x"], "cobol")


def test_bleu_is_sacrebleus_on_code_tokens() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    direct = sacrebleu.corpus_bleu([code_pieces(RENAMED)], [[code_pieces(ONE)]], tokenize="none", force=True).score
    assert bleu([RENAMED], [ONE]) == pytest.approx(direct)
    # Our n-gram part, without smoothing needed, is BLEU too.
    longer, reference = ONE + "print(add(1, 2))\n", ONE + "print(add(2, 1))\n"
    assert 100 * code_bleu([longer], [reference]).ngrams == pytest.approx(bleu([longer], [reference]), abs=0.01)


@pytest.mark.parametrize(
    ("text", "language", "valid"),
    [
        ("x = 1", "python", True),
        ("    return x\n", "python", True),
        ("return x", "python", True),
        ("def f(:", "python", False),
        ("", "python", False),
        ("  \n", "python", False),
        ("x = '\0'", "python", False),
        ("(" * 5000, "python", False),
        ("int f(void) { return 1; }", "c", True),
        ("int f(void) { return 1", "c", False),
    ],
)
def test_validity(text: str, language: str, valid: bool) -> None:
    assert is_valid(text, language) is valid


def test_all_metrics_of_a_corpus() -> None:
    pytest.importorskip("sacrebleu")
    found = text_metrics([ONE, "x ="], [ONE, "x = 1"])
    assert found["exact_match"] == found["syntax_valid"] == 0.5
    assert found["edit_similarity"] == pytest.approx((1 + 3 / 5) / 2)
    assert {"bleu", "codebleu", "codebleu_flow"} <= set(found)
    assert "codebleu" not in text_metrics(["x"], ["x"], "cobol")
    assert text_metrics([], []) == {}
