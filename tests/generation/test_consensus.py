"""Which candidate comes first."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from codehunch.generation.consensus import chosen

SUM = "return sum(rows)"
TOTAL = "total = sum(rows)\nreturn total"
LOOP = "total = 0\nfor row in rows:\n    total += row\nreturn total"
OTHER = "raise KeyError(name)"


def anything(_: int) -> bool:
    return True


def test_what_several_say_comes_before_what_one_is_surer_of() -> None:
    texts = [OTHER, TOTAL, "total = sum(rows)\nreturn total + 1", "total = sum(self.rows)\nreturn total"]
    assert chosen(texts, [0.5, 0.4, 0.4, 0.4], 1, anything) == [1]
    assert chosen(texts, [0.9, 0.4, 0.4, 0.4], 1, anything) == [0]


def test_a_list_does_not_say_one_thing_twice_before_another() -> None:
    texts = [TOTAL, TOTAL.replace("total", "result"), TOTAL + "\n", OTHER]
    assert chosen(texts, [0.5, 0.45, 0.45, 0.3], 2, anything) == [0, 3]


def test_what_does_not_pass_comes_last_and_only_what_is_shown_is_asked() -> None:
    asked: list[int] = []

    def passes(place: int) -> bool:
        asked.append(place)
        return place != 0

    texts = [SUM, OTHER, LOOP]
    assert chosen(texts, [0.9, 0.5, 0.2], 1, passes) == [1]
    assert asked == [0, 1]
    assert chosen(texts, [0.9, 0.5, 0.2], 3, passes) == [1, 2, 0]


def test_of_equals_the_first_comes_first() -> None:
    assert chosen([SUM, OTHER], [0.5, 0.5], 2, anything) == [0, 1]
    assert chosen([SUM, OTHER], [0.0, 0.0], 2, anything) == [0, 1]
    assert chosen([], [], 3, anything) == []


_TRUST = st.floats(0, 1)
_POOL = st.lists(st.tuples(st.text("ab \n(.)=", max_size=30), _TRUST), max_size=8, unique_by=lambda pair: pair[0])


@given(_POOL, st.integers(1, 9), st.integers(0, 255))
def test_every_place_once_whatever_the_texts(pool: list[tuple[str, float]], most: int, clean: int) -> None:
    texts, trust = [text for text, _ in pool], [sure for _, sure in pool]
    order = chosen(texts, trust, most, lambda place: bool(clean >> place & 1))
    assert len(order) == len(set(order)) == min(most, len(texts))
    passed = [bool(clean >> place & 1) for place in order]
    assert passed == sorted(passed, reverse=True)
    assert passed.count(True) == min(most, sum(bool(clean >> place & 1) for place in range(len(texts))))


def test_the_order_in_which_they_come_says_nothing() -> None:
    pool = [(SUM, 0.31), (TOTAL, 0.3), (LOOP, 0.42), (OTHER, 0.36), (f"{SUM}  # {OTHER}", 0.27)]
    first = {
        texts[chosen(texts, trust, 1, anything)[0]]
        for seed in range(20)
        for texts, trust in [zip(*random.Random(seed).sample(pool, len(pool)), strict=True)]
    }
    assert len(first) == 1
