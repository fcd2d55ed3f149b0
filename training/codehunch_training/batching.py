"""Batches of rows of like length under a budget of tokens, the same on every machine and after every restart."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import torch
from torch.utils.data import Dataset, Sampler

from codehunch_training.recipe import BatchTable
from codehunch_training.tasks.specification import Features, Task


@attrs.frozen
class Plan:
    """All micro-batches of a run, by visit (epoch) and row; known before the first step."""

    batches: tuple[tuple[tuple[int, int], ...], ...]
    """Each a tuple of (row, visit)."""
    epoch_ends: tuple[int, ...]
    """Number of batches after which each epoch ended."""


def epoch_batches(
    lengths: Sequence[int], table: BatchTable, seed: int, visit: int, rows: Sequence[int] | None = None
) -> list[list[int]]:
    """One epoch of ``rows``, or of all: shuffled, pooled, sorted by length within a pool and cut by the budget; the
    batches in any order."""
    rng = random.Random(f"{seed}:{visit}:batches")
    order = list(range(len(lengths)) if rows is None else rows)
    rng.shuffle(order)
    most = table.size if table.limit or not table.tokens else len(lengths)
    groups: list[list[int]] = []
    if not table.tokens:
        groups = [order[at : at + most] for at in range(0, len(order), most)]
        return groups
    for start in range(0, len(order), table.pool):
        group: list[int] = []
        for at in sorted(order[start : start + table.pool], key=lambda row: lengths[row]):
            if group and (lengths[at] * (len(group) + 1) > table.tokens or len(group) >= most):
                groups.append(group)
                group = []
            group.append(at)
        if group:
            groups.append(group)
    rng.shuffle(groups)
    return groups


def plan_batches(
    lengths: Sequence[int],
    table: BatchTable,
    seed: int,
    epochs: float,
    steps: int,
    world: int,
    rows: Callable[[int], Sequence[int]] | None = None,
) -> Plan:
    """The whole run's batches. ``steps`` optimiser steps, or ``epochs`` where it is 0; ``world`` processes. ``rows``
    says which rows an epoch reads; all of them without it."""
    batches: list[tuple[tuple[int, int], ...]] = []
    ends: list[int] = []
    wanted = steps * table.accumulation * world
    visit = 0
    while len(batches) < wanted if steps else visit < epochs:
        found = epoch_batches(lengths, table, seed, visit, rows(visit) if rows is not None else None)
        if not steps and epochs - visit < 1:
            found = found[: max(1, round(len(found) * (epochs - visit)))]
        batches += [tuple((row, visit) for row in group) for group in found]
        ends.append(len(batches))
        visit += 1
    if steps:
        batches = batches[:wanted]
        ends = [end for end in ends if end < wanted] + [wanted]
    # Each process takes its share of every step, so all must have the same number.
    whole = len(batches) // world * world or world
    batches = (batches + batches[: world - 1])[: max(whole, world)]
    return Plan(tuple(batches), tuple(min(end, len(batches)) for end in ends))


class PlannedBatches(Sampler[list[tuple[int, int]]]):
    """This process's batches of a plan, in order. One pass is the whole run, so that resuming is skipping."""

    def __init__(self, plan: Plan, rank: int, world: int) -> None:
        self.batches = plan.batches[rank::world]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in self.batches:
            yield list(batch)


class Examples(Dataset[Features]):
    """Encoded rows; an index is (row, visit), and what a task draws depends on both and the seed alone."""

    def __init__(self, task: Task, features: Sequence[Features], seed: int) -> None:
        self.task, self.features, self.seed = task, features, seed

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Any) -> Features:
        row, visit = index
        return self.task.draw(self.features[row], random.Random(f"{self.seed}:{visit}:{row}"))


def loader(task: Task, features: Sequence[Features], plan: Plan, seed: int, rank: int, world: int) -> Any:
    """A DataLoader over this process's batches."""
    return torch.utils.data.DataLoader(
        Examples(task, features, seed), batch_sampler=PlannedBatches(plan, rank, world), collate_fn=task.collate
    )
