"""From raw corpora to one that may train: licences, duplicates, secrets, benchmarks, splits, balance.

Rows that belong together (the twins of a fix and their neighbours) stand or fall together, except that a
neighbour may go alone. The held-out splits come first: what they hold stays out of training.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.corpus.confounds import Confounds, Coverage
from codehunch_training.corpus.folder import (
    CorpusError,
    RowWriter,
    Tally,
    join_parts,
    read_manifest,
    read_rows,
    write_manifest,
)
from codehunch_training.corpus.near import NearIndex, digest_of, tokens_of
from codehunch_training.corpus.overlap import Benchmarks
from codehunch_training.corpus.report import write_report
from codehunch_training.corpus.rows import Row
from codehunch_training.corpus.scrub import scrubbed
from codehunch_training.corpus.splits import NAMES, By, Split, make_split
from codehunch_training.corpus.work import Progress, peak_bytes

ORDER = ("test", "valid", "train")


@attrs.frozen
class Rules:
    """What to keep."""

    split: By = "project"
    fractions: tuple[float, float, float] = (0.9, 0.05, 0.05)
    threshold: float = 0.8
    """Estimated Jaccard similarity of token 4-grams from which two functions are near-duplicates."""
    near: bool = True
    """Drop near-duplicates inside a split too; between splits they are always dropped."""
    licences: frozenset[str] = frozenset()
    """Empty: any."""
    benchmarks: tuple[Path, ...] = ()
    """Further benchmark files whose ten-word runs must not train."""
    known_benchmarks: bool = True
    """Those of HumanEval, HumanEvalPack and MBPP."""
    scrub: bool = True
    most_per_label: int = 0
    """Most groups of one label in a split; 0: all."""
    clean_per_buggy: float = 0.0
    """Most clean rows for each buggy one in a split; 0: all."""
    seed: int = 0


@attrs.frozen
class Group:
    """Rows that belong together and the shard order they came in."""

    rows: tuple[Row, ...]

    @property
    def leader(self) -> Row:
        """The row the group is compared by: the buggy twin, or the only row."""
        return next((row for row in self.rows if getattr(row, "role", "") == "buggy"), self.rows[0])


def clean(
    folders: Sequence[Path],
    out: Path,
    rules: Rules,
    about: Mapping[str, Any],
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Write a clean corpus from one or more; returns its manifest. Raises CorpusError.

    The work is done in one pass per split over the rows, in memory only signatures, digests and counts.
    """
    started, cpu = time.time(), time.process_time()
    kind, total = _kind_of(folders)
    if out.exists() and any(out.iterdir()) and not (out / "corpus.json").is_file():
        raise CorpusError(f"{out} is not empty and holds no corpus; choose another --out")
    if out.resolve() in [folder.resolve() for folder in folders]:
        raise CorpusError("--out must be another folder than the corpora that are read")
    out.mkdir(parents=True, exist_ok=True)
    split = _split(folders, rules)
    sieve = _Sieve(rules, split, Benchmarks(rules.benchmarks, known=rules.known_benchmarks))
    writer = RowWriter(out / "clean.gz")
    done = 0
    conflicts = _conflicts(folders)
    for name in ORDER:
        sieve.begin(name)
        for group in _groups(folders):
            done += len(group.rows)
            if on_progress is not None and done % 500 < len(group.rows):
                on_progress(Progress(done, total * len(ORDER), writer.rows))
            if split.of(group.leader) == name:
                for row in sieve.kept(group, name, conflicts):
                    writer.write(row)
    writer.close()
    part = out / "clean.gz"
    fingerprint = join_parts([part], out)
    part.unlink()
    tally = Tally(writer.rows, writer.counts, sieve.skipped, (), time.process_time() - cpu, peak_bytes())
    entry = {
        "options": attrs.asdict(rules, value_serializer=_plain),
        "inputs": [{"fingerprint": read_manifest(folder)["fingerprint"], "path": str(folder)} for folder in folders],
        "masked": sieve.masked,
        "confounds": sieve.confounds.report(),
        "coverage": sieve.coverage.report(),
        **about,
        "seconds": round(time.time() - started, 2),
    }
    manifest = write_manifest(out, kind, tally, fingerprint, entry)
    write_report(out)
    return manifest


def _plain(_: type, __: Any, value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value) if isinstance(value, Path) else value


def _kind_of(folders: Sequence[Path]) -> tuple[str, int]:
    manifests = [read_manifest(folder) for folder in folders]
    kinds = {manifest["rows"] for manifest in manifests}
    if len(kinds) != 1:
        raise CorpusError(f"the corpora hold different rows ({', '.join(sorted(kinds))}); clean them one by one")
    return kinds.pop(), sum(manifest["total"] for manifest in manifests)


def _groups(folders: Sequence[Path]) -> Iterator[Group]:
    """Rows in order, those with one group (they follow each other) together."""
    for folder in folders:
        held: list[Row] = []
        for row in read_rows(folder):
            group = getattr(row, "group", "")
            if held and (not group or (group, row.project) != (getattr(held[0], "group", ""), held[0].project)):
                yield Group(tuple(held))
                held = []
            held.append(row)
        if held:
            yield Group(tuple(held))


def _split(folders: Sequence[Path], rules: Rules) -> Split:
    sizes: Counter[str] = Counter()
    dates: list[str] = []
    for folder in folders:
        if rules.split == "project":
            sizes.update(read_manifest(folder)["counts"].get("project", {}))
        elif rules.split == "time":
            dates.extend(row.date for row in read_rows(folder))
    return make_split(rules.split, sizes, dates, rules.fractions, rules.seed)


def _conflicts(folders: Sequence[Path]) -> set[bytes]:
    """Digests of the texts that are buggy somewhere: nothing equal may count as clean."""
    found: dict[bytes, set[bool]] = defaultdict(set)
    for folder in folders:
        for row in read_rows(folder):
            label = getattr(row, "label", "")
            if label:
                found[digest_of(tokens_of(getattr(row, "text", ""), row.language))].add(label != "clean")
    return {digest for digest, verdicts in found.items() if len(verdicts) > 1}


class _Sieve:
    """The state of one cleaning: what was seen, what was dropped and why."""

    def __init__(self, rules: Rules, split: Split, benchmarks: Benchmarks) -> None:
        self._rules, self._split, self._benchmarks = rules, split, benchmarks
        self._index = NearIndex(rules.threshold)
        self._exact: set[bytes] = set()
        self._labels: Counter[str] = Counter()
        self._random = random.Random(rules.seed)
        self.skipped: Counter[str] = Counter()
        self.masked = 0
        self.confounds = Confounds()
        self.coverage = Coverage()

    def begin(self, split: str) -> None:
        """A split starts: balance is counted anew."""
        self._labels.clear()

    def kept(self, group: Group, split: str, conflicts: set[bytes]) -> Iterator[Row]:
        """The rows of a group that pass, with their split."""
        reason = self._refusal(group, split)
        if reason is not None:
            self.skipped[reason] += len(group.rows)
            return
        rows = [row for row in group.rows if self._stays(row, group, split, conflicts)]
        if self._rules.scrub:
            rows, masked = scrubbed(rows)
            self.masked += masked
        for row in rows:
            text = _text(row)
            tokens = tokens_of(text, row.language)
            label = getattr(row, "label", "")
            self.confounds.add(label, getattr(row, "role", ""), len(tokens), row.date, digest_of(tokens))
            self.coverage.add(split, label or getattr(row, "kind", "") or "rows", row.project)
            yield attrs.evolve(row, split=split)

    def _refusal(self, group: Group, split: str) -> str | None:
        leader, rules = group.leader, self._rules
        if rules.licences and leader.licence not in rules.licences:
            return f"licence {leader.licence or 'unknown'}"
        label = getattr(leader, "label", "")
        if rules.most_per_label and label and self._labels[label] >= rules.most_per_label:
            return f"enough of {label}"
        if split != "test" and any(self._benchmarks.touches(_text(row)) for row in group.rows):
            return "overlaps a benchmark"
        tokens = tokens_of(_text(leader), leader.language)
        twins = [digest_of(tokens_of(_text(row), row.language)) for row in group.rows if _is_twin(row)]
        digest = hashlib.blake2b(b"".join(twins) or digest_of(tokens), digest_size=12).digest()
        if digest in self._exact:
            return "duplicate"
        signature, marks = self._index.alike(tokens)
        own = NAMES.index(split)
        if marks - {own}:
            return "near-duplicate of a held-out function"
        if own in marks and rules.near:
            return "near-duplicate"
        self._exact.add(digest)
        self._index.add(signature, own)
        self._labels[label] += 1
        return None

    def _stays(self, row: Row, group: Group, split: str, conflicts: set[bytes]) -> bool:
        """Whether a row of a group that passed stays: clean rows have rules of their own."""
        label = getattr(row, "label", "")
        if label != "clean":
            return True
        tokens = tokens_of(_text(row), row.language)
        digest = digest_of(tokens)
        if digest in conflicts:
            self.skipped["conflicting label"] += 1
            return False
        if row is not group.leader and getattr(row, "role", "") == "untouched":
            own = NAMES.index(split)
            signature, marks = self._index.alike(tokens)
            if digest in self._exact or marks - {own} or (own in marks and self._rules.near):
                self.skipped["untouched function seen before"] += 1
                return False
            self._exact.add(digest)
            self._index.add(signature, own)
        if self._rules.clean_per_buggy and row is not group.leader:
            buggy = sum(count for name, count in self._labels.items() if name not in ("", "clean"))
            if self._labels["clean"] >= self._rules.clean_per_buggy * buggy:
                self.skipped["enough clean rows"] += 1
                return False
            self._labels["clean"] += 1
        return True


def _is_twin(row: Row) -> bool:
    return getattr(row, "role", "") in ("buggy", "fixed")


def _text(row: Row) -> str:
    """All code of a row that could give something away."""
    target = getattr(row, "target", "")
    return f"{getattr(row, 'signature', '')}\n{target}" if target else str(getattr(row, "text", ""))
