"""Rows of like length in one run, where that changes no row's answer.

Dynamic quantisation takes one scale for all rows of a tensor, so there a row's answer depends on its company, and
every row runs alone, unpadded. Whether the rows of a graph are independent is measured when it is opened, bit by bit;
those runs warm the session up as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codehunch.inference.errors import Cancelled
from codehunch.inference.fallback import Session

Row = Mapping[str, NDArray[np.int64]]
"""Inputs of one row by name, each of shape [tokens]."""

STEP = 16
"""A row that may be batched is padded to a multiple of this, also when it happens to be alone: its answer depends on
itself only. The padding is under 8 tokens on average, never up to the longest row of all."""
MOST_TOKENS = 2048
"""Of one batch: more does not make a CPU faster, delays a cancel and needs more memory."""
PROBED_IDS = 64
"""Made-up tokens are below this: every vocabulary has them."""
_PROBED_ROWS, _PROBED_TOKENS = 3, 2 * STEP


class BatchRunner:
    """Runs rows over a session, in batches where ``independent``.

    ``pads`` gives for every input the value that stands for nothing; ``None`` for a graph that knows no padding,
    whose rows are only batched with rows of the very same length.
    """

    def __init__(self, session: Session, outputs: Sequence[str], pads: Mapping[str, int] | None) -> None:
        self._session, self._outputs, self._pads = session, list(outputs), pads
        self.independent = False

    def warm_up(self, values: Mapping[str, range], longest: int) -> None:
        """Run made-up rows of at most ``longest`` tokens, whose inputs lie in ``values``, alone and together, and see
        whether they differ."""
        random, length = np.random.default_rng(0), min(_PROBED_TOKENS, longest)
        rows = [
            {name: random.integers(within.start, within.stop, length) for name, within in values.items()}
            for _ in range(_PROBED_ROWS)
        ]
        self._session.warm_up(self._outputs, self._feed(rows[:1], length))
        together = self._batch(rows, length)
        alone = [self._batch([row], length)[0] for row in rows]
        self.independent = all(
            np.array_equal(one, other)
            for mine, others in zip(alone, together, strict=True)
            for one, other in zip(mine, others, strict=True)
        )

    def run(
        self, rows: Sequence[Row], cancelled: Callable[[], bool] | None = None
    ) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """Every row's number and outputs, without the batch axis; a padded row's outputs are padded too.

        Asks ``cancelled`` before every batch and raises Cancelled where it says yes.
        """
        lengths = [len(next(iter(row.values()))) for row in rows]
        if self.independent:
            step = STEP if self._pads is not None else 1
            groups = groups_of([-(-length // step) * step for length in lengths])
        else:
            groups = [(length, [number]) for number, length in enumerate(lengths)]
        for length, numbers in groups:
            if cancelled is not None and cancelled():
                raise Cancelled
            yield from zip(numbers, self._batch([rows[number] for number in numbers], length), strict=True)

    def _batch(self, rows: Sequence[Row], length: int) -> list[list[NDArray[Any]]]:
        found = self._session.run(self._outputs, self._feed(rows, length))
        return [[output[number] for output in found] for number in range(len(rows))]

    def _feed(self, rows: Sequence[Row], length: int) -> dict[str, NDArray[np.int64]]:
        feed = {}
        for name in rows[0]:
            array = np.full((len(rows), length), self._pads[name] if self._pads is not None else 0, dtype=np.int64)
            for target, row in zip(array, rows, strict=True):
                target[: len(row[name])] = row[name]
            feed[name] = array
        return feed


def groups_of(lengths: Sequence[int], most_tokens: int = MOST_TOKENS) -> list[tuple[int, list[int]]]:
    """Row numbers by equal length, the short ones first, each group at most ``most_tokens`` or one row."""
    by_length: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        by_length.setdefault(length, []).append(number)
    groups = []
    for length in sorted(by_length):
        numbers, size = by_length[length], max(1, most_tokens // max(1, length))
        groups += [(length, numbers[start : start + size]) for start in range(0, len(numbers), size)]
    return groups
