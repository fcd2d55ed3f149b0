"""Which rows train, which choose, which judge: by project, by time, or as a data set gave them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.rows import Row

By = Literal["project", "time", "given"]
NAMES = ("train", "valid", "test")


@attrs.frozen
class Split:
    """A rule that gives every row one of ``NAMES``."""

    by: By
    projects: Mapping[str, str] = attrs.field(factory=dict)
    borders: tuple[str, str] = ("", "")
    """First dates of ``valid`` and of ``test``."""

    def of(self, row: Row) -> str:
        if self.by == "project":
            return self.projects[row.project]
        if self.by == "time":
            valid, test = self.borders
            return "test" if row.date >= test else "valid" if row.date >= valid else "train"
        return row.split or "train"


def make_split(
    by: By, sizes: Mapping[str, int], dates: Iterable[str], fractions: tuple[float, float, float], seed: int
) -> Split:
    """A split near the wanted fractions. ``sizes``: rows per project; ``dates``: one per row.

    By project: projects in an order drawn from the seed go where most rows are still wanted, so no project lies in
    two splits. By time: the borders are the dates that leave the wanted fraction behind them. Raises CorpusError.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise CorpusError("the fractions of train, valid and test must add up to 1, such as 0.8,0.1,0.1")
    if by == "project":
        return Split(by, _projects(sizes, fractions, seed))
    if by == "time":
        known = sorted(date for date in dates if date)
        if not known:
            raise CorpusError("no row has a date; split by project instead")
        last = len(known) - 1
        first = round(fractions[0] * len(known))
        second = round((fractions[0] + fractions[1]) * len(known))
        high = "\uffff"  # Later than every date.
        valid = known[first] if first <= last else high
        return Split(by, borders=(valid, known[second] if second <= last else high))
    return Split(by)


def _projects(sizes: Mapping[str, int], fractions: tuple[float, float, float], seed: int) -> dict[str, str]:
    def drawn(project: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{project}".encode()).digest()

    total = sum(sizes.values())
    wanted = dict(zip(NAMES, fractions, strict=True))
    given = dict.fromkeys(NAMES, 0)
    chosen: dict[str, str] = {}
    for project in sorted(sizes, key=drawn):
        # The larger part of what is still owed, relative to its own size: small splits get their projects too.
        owed = {name: wanted[name] * total - given[name] for name in NAMES if wanted[name] > 0}
        name = max(owed, key=lambda name: (owed[name] / (wanted[name] * total), -NAMES.index(name)))
        chosen[project] = name
        given[name] += sizes[project]
    return chosen
