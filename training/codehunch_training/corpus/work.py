"""Corpus work in units: one process a core, bounded memory, resumable; or the same map on a Ray cluster.

A unit's rows go from the worker straight to a file of their own; only counts travel back. Finished units
leave a small JSON file behind, so an interrupted run goes on where it stopped and ends with the same rows.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal

import attrs

from codehunch_training.corpus.folder import CorpusError, RowWriter, Tally, join_parts, write_manifest
from codehunch_training.corpus.report import write_report
from codehunch_training.corpus.rows import Row

Engine = Literal["processes", "ray"]


@attrs.frozen
class Unit:
    """A piece of work that can be done alone. ``weight`` counts what progress is shown in."""

    key: str
    """Unique and stable: two runs over the same input name their units alike."""
    payload: Any
    """Anything picklable; the map knows it."""
    weight: int = 1


@attrs.frozen
class Notes:
    """What a map tells besides rows; filled by the map while it runs."""

    skipped: Counter[str] = attrs.field(factory=Counter)
    unreadable: list[tuple[str, str]] = attrs.field(factory=list)


Map = Callable[[Any, Mapping[str, Any], Notes], Iterator[Row]]
"""``(payload, options, notes) -> rows``: a module-level function, the same in every process."""


@attrs.frozen
class Progress:
    """How far a run is."""

    done: int
    total: int
    """In the units' weight."""
    rows: int


@attrs.frozen
class Plan:
    """One run: the map, its options, and where rows go."""

    work: Map
    options: Mapping[str, Any]
    """JSON values; a folder begun with other options is not continued."""
    units: Sequence[Unit]
    out: Path
    rows: str
    """Name of the row type in ``ROW_TYPES``."""
    about: Mapping[str, Any] = attrs.field(factory=dict)
    """Further entries of ``corpus.json``."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Inputs that gave no unit at all, with the reason."""
    skipped: Mapping[str, int] = attrs.field(factory=dict)
    """What planning already left out."""


def run(
    plan: Plan,
    *,
    jobs: int = 1,
    engine: Engine = "processes",
    address: str = "",
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Do what is left of a plan and finish the corpus; returns its manifest.

    Raises CorpusError where the folder holds other work. A worker that dies (out of memory) costs its unit, which
    is named under ``unreadable``; every other unit is done.
    """
    started = time.time()
    work = plan.out / "work"
    _claim(plan, work)
    tallies = {unit.key: tally for unit in plan.units if (tally := _finished(work, unit.key)) is not None}
    left = [unit for unit in plan.units if unit.key not in tallies]
    weights = {unit.key: unit.weight for unit in plan.units}
    total = sum(weights.values())
    done = sum(weights[key] for key in tallies)
    rows = sum(tally.rows for tally in tallies.values())
    if on_progress is not None:
        on_progress(Progress(done, total, rows))
    for key, tally in _results(plan, left, work, jobs, engine, address):
        tallies[key] = tally
        done, rows = done + weights[key], rows + tally.rows
        if on_progress is not None:
            on_progress(Progress(done, total, rows))
    whole = sum((tallies[unit.key] for unit in plan.units), Tally(skipped=plan.skipped, unreadable=plan.unreadable))
    fingerprint = join_parts((p for unit in plan.units if (p := part_of(work, unit.key)).is_file()), plan.out)
    about = {"options": dict(plan.options), **plan.about, "seconds": round(time.time() - started, 2)}
    manifest = write_manifest(plan.out, plan.rows, whole, fingerprint, about)
    write_report(plan.out)
    shutil.rmtree(work)
    return manifest


def part_of(work: Path, key: str) -> Path:
    return work / f"{_file_name(key)}.jsonl.gz"


def _file_name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _claim(plan: Plan, work: Path) -> None:
    """Make the folder this plan's, or see that it already is."""
    plan.out.mkdir(parents=True, exist_ok=True)
    identity = {
        "map": f"{plan.work.__module__}.{plan.work.__qualname__}",
        "options": json.loads(json.dumps(dict(plan.options))),
        "units": hashlib.sha256(
            "\n".join(unit.key for unit in plan.units).encode("utf-8", "surrogateescape")
        ).hexdigest(),
    }
    path = work / "plan.json"
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != identity:
            raise CorpusError(
                f"{plan.out} holds unfinished work with other inputs or options; finish that with its own command,"
                " delete the folder, or choose another --out"
            )
        return
    if (plan.out / "corpus.json").is_file():
        (plan.out / "corpus.json").unlink()
    elif any(plan.out.iterdir()) and not work.is_dir():
        raise CorpusError(f"{plan.out} is not empty and holds no corpus; choose another --out")
    work.mkdir(exist_ok=True)
    partial = work / "plan.json.part"
    partial.write_text(json.dumps(identity), encoding="utf-8")
    partial.replace(path)


def _finished(work: Path, key: str) -> Tally | None:
    path = work / f"{_file_name(key)}.json"
    if not path.is_file() or not part_of(work, key).is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return Tally(**{**values, "unreadable": tuple((name, reason) for name, reason in values["unreadable"])})


def do_unit(work: Map, options: Mapping[str, Any], unit: Unit, folder: Path) -> Tally:
    """Run the map over one unit, in whichever process this is. Rows first, then the note that they are whole."""
    started = _cpu_seconds()
    notes = Notes()
    writer = RowWriter(part_of(folder, unit.key))
    try:
        for row in work(unit.payload, options, notes):
            writer.write(row)
    except BaseException:
        writer.close(keep=False)
        raise
    writer.close()
    tally = Tally(
        writer.rows,
        {field: dict(values) for field, values in writer.counts.items()},
        dict(notes.skipped),
        tuple(notes.unreadable),
        _cpu_seconds() - started,
        peak_bytes(),
    )
    note = folder / f"{_file_name(unit.key)}.json"
    partial = note.with_suffix(".json.part")
    partial.write_text(json.dumps(attrs.asdict(tally)), encoding="utf-8")
    partial.replace(note)
    return tally


def _results(
    plan: Plan, units: list[Unit], work: Path, jobs: int, engine: Engine, address: str
) -> Iterator[tuple[str, Tally]]:
    if not units:
        return
    if engine == "ray":
        from codehunch_training.corpus.cluster import ray_results

        yield from ray_results(plan, units, work, jobs, address)
    elif jobs <= 1 or len(units) == 1:
        for unit in units:
            yield unit.key, do_unit(plan.work, plan.options, unit, work)
    else:
        yield from _pool_results(plan, units, work, jobs)


def _pool_results(plan: Plan, units: list[Unit], work: Path, jobs: int) -> Iterator[tuple[str, Tally]]:
    """A pool of fresh interpreters. What was in flight when a worker died is tried again, one at a time."""
    suspects: list[Unit] = []
    waiting = list(reversed(units))
    while waiting or suspects:
        alone = not waiting
        source = [suspects.pop()] if alone else waiting
        with ProcessPoolExecutor(1 if alone else jobs, multiprocessing.get_context("spawn")) as pool:
            flying: dict[Future[Tally], Unit] = {}
            try:
                while source or flying:
                    while source and len(flying) < 2 * jobs:  # No more payloads in memory than can be used soon.
                        unit = source.pop()
                        flying[pool.submit(do_unit, plan.work, plan.options, unit, work)] = unit
                    ready, _ = wait(flying, return_when=FIRST_COMPLETED)
                    for future in ready:
                        tally = future.result()
                        yield flying.pop(future).key, tally
            except BrokenProcessPool:
                lost = list(flying.values())
                if alone:
                    yield from ((unit.key, _died(unit, work)) for unit in lost)
                else:
                    suspects.extend(unit for unit in lost if _finished(work, unit.key) is None)
                    yield from ((u.key, t) for u in lost if (t := _finished(work, u.key)) is not None)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _died(unit: Unit, work: Path) -> Tally:
    RowWriter(part_of(work, unit.key)).close()
    return Tally(unreadable=((unit.key, "the worker died twice (out of memory?)"),))


def _cpu_seconds() -> float:
    """CPU time of this process and the git processes it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_bytes() -> int:
    """Largest resident size of this process so far; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows does not say.
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
