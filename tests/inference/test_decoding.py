"""How continuations are chosen, without a model."""

from __future__ import annotations

import numpy as np
import pytest

from codehunch.inference.decoding import _best


@pytest.mark.parametrize("vocabulary", [7, 127, 2_049, 32_128])
@pytest.mark.parametrize(("beams", "count"), [(1, 2), (4, 8), (5, 15)])
@pytest.mark.parametrize("alike", [False, True], ids=["spread", "many ties"])
def test_the_best_continuations_are_those_of_a_full_sort(vocabulary: int, beams: int, count: int, alike: bool) -> None:
    random = np.random.default_rng(vocabulary + count)
    scores = random.normal(size=beams)
    rows = random.normal(size=(beams, vocabulary)).astype(np.float32)
    if alike:
        rows = np.round(rows)
    found = _best(rows, scores, count)

    total = scores[:, None] + rows
    assert [score for score, _, _ in found] == np.sort(total.reshape(-1))[::-1][:count].tolist()
    assert len({(beam, token) for _, beam, token in found}) == min(count, total.size)
    assert all(score == total[beam, token] for score, beam, token in found)
