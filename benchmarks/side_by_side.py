"""Runs of several implementations, one after the other in every round, so that a busy machine disturbs all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import attrs
from rich.console import Console
from rich.progress import track
from rich.table import Table

Run = Callable[[], object]


@attrs.frozen
class Times:
    """Medians over all rounds, in seconds."""

    wall: float
    processor: float | None
    """Of this process; ``None`` for what computes in another one."""


def measure(runs: Mapping[str, Run], rounds: int, elsewhere: tuple[str, ...] = (), title: str = "") -> dict[str, Times]:
    """Warm every run up once, then time all of them, round by round."""
    wall: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in track(range(rounds), title, console=Console(stderr=True), transient=True):
        for name, run in runs.items():
            start, worked = time.perf_counter(), time.process_time()
            run()
            processor[name].append(time.process_time() - worked)
            wall[name].append(time.perf_counter() - start)
    return {
        name: Times(statistics.median(wall[name]), None if name in elsewhere else statistics.median(processor[name]))
        for name in runs
    }


def table(title: str, times: Mapping[str, Times], base: str, against: str, unit: float = 1.0) -> Table:
    """Milliseconds, processor time relative to ``base`` as a speed, and relative to ``against`` as a cost.

    Ratios are of processor time, which other programs on the machine change least; where there is none, of wall time.
    """
    result = Table(title, box=None, header_style="bold", pad_edge=False)
    for head in ("ms wall", "ms processor", f"speed, {base} = 1", f"time, {against} = 1", *(["per s"] * (unit != 1))):
        result.add_column(head, justify="right")
    for name, each in times.items():
        speed = _ratio(times[base], each)
        cost = _ratio(each, times[against])
        worked = f"{1e3 * each.processor:,.1f}" if each.processor is not None else "-"
        per_second = [f"{unit / (each.processor or each.wall):,.0f}"] if unit != 1 else []
        result.add_row(name, f"{1e3 * each.wall:,.1f}", worked, f"{speed:.2f}x", f"{cost:.2f}x", *per_second)
    return result


def _ratio(one: Times, other: Times) -> float:
    if one.processor is None or other.processor is None:
        return one.wall / other.wall
    return one.processor / other.processor
