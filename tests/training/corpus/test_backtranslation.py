"""There and back again: descriptions are kept where the code comes back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from codehunch_training.corpus.backtranslation import Size, back_translate, likeness, models_for
from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.made import made_pairs
from codehunch_training.corpus.rows import PairRow

ROWS = [
    PairRow(kind="docstring", text="Add the numbers.", target="return sum(numbers)\n", signature="def add(numbers):"),
    PairRow(kind="docstring", text="Sort.", target="return sorted(items)\n", signature="def sort(items):"),
    PairRow(kind="docstring", text="Read.", target="return open(path).read()\n", signature="def read(path):"),
]


def test_only_what_comes_back_is_kept() -> None:
    words = {"add": "Sum up all numbers.", "sort": "Put items in order.", "read": "Read."}
    codes = {"Sum up all numbers.": "def add(numbers):\n    return sum(numbers)\n", "Put items in order.": "pass"}

    def summarise(texts: Sequence[str]) -> list[str]:
        return [words[text[4 : text.index("(")]] for text in texts]

    def generate(texts: Sequence[str]) -> list[str]:
        return [codes.get(text, ROWS[2].target) for text in texts]

    made = list(back_translate(iter(ROWS), summarise, generate))
    assert [(row.text, row.target) for row in made] == [("Sum up all numbers.", "return sum(numbers)\n")]


@pytest.mark.parametrize(("one", "two", "expected"), [("a b", "a b", 1.0), ("a b", "c d", 0.0), ("a b", "a c", 0.5)])
def test_likeness(one: str, two: str, expected: float) -> None:
    assert likeness(one, two) == expected


def test_too_few_pairs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(CorpusError, match="3 pairs are too few"):
        models_for(ROWS, tmp_path, Size(steps=1))


@pytest.mark.slow
def test_two_models_trained_here_describe_anew(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    rows = list(islice(made_pairs(0), 800))
    size = Size(width=64, layers=1, vocabulary=700, steps=300, rate=4e-3)
    summariser, generator = models_for(rows, tmp_path / "models", size)
    again = models_for(rows, tmp_path / "models", size)
    fresh = list(islice(made_pairs(1), 64))
    made = list(back_translate(iter(fresh), summariser.translate, generator.translate, least=0.6))
    same = list(back_translate(iter(fresh), again[0].translate, again[1].translate, least=0.6))
    assert [row.text for row in made] == [row.text for row in same]
    # Templates with two sentences each: about half of the descriptions come out in the other words.
    assert len(made) > 10
