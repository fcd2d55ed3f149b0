"""A corpus on disk: ``rows-*.jsonl.gz`` and ``corpus.json``, which says what they hold and how they were made.

The fingerprint is the SHA-256 of all rows, uncompressed and in order: ``zcat rows-*.jsonl.gz | sha256sum``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import attrs

from codehunch_training.corpus.rows import ROW_TYPES, Row, from_line, to_line

SCHEMA = 1
SHARD_BYTES = 48_000_000
"""Compressed size after which a new shard begins."""
COUNTED = ("label", "role", "kind", "evidence", "split", "licence", "project", "language")
"""Fields whose values are counted in ``corpus.json``."""
_LEVEL = 4


class CorpusError(Exception):
    """Something a person can put right; the message says what and how."""


@attrs.frozen
class Tally:
    """What a run counted; tallies of parts add up to the whole's."""

    rows: int = 0
    counts: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    """Field -> value -> rows."""
    skipped: Mapping[str, int] = attrs.field(factory=dict)
    """Reason -> how many commits, files or functions."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Inputs that could not be read at all, with the reason."""
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    """Largest resident size of a worker."""

    def __add__(self, other: Tally) -> Tally:
        counts: dict[str, Counter[str]] = {}
        for tally in (self, other):
            for field, values in tally.counts.items():
                counts.setdefault(field, Counter()).update(values)
        return Tally(
            self.rows + other.rows,
            counts,
            Counter(self.skipped) + Counter(other.skipped),
            tuple(dict.fromkeys((*self.unreadable, *other.unreadable))),
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
        )


class RowWriter:
    """Writes rows to one gzip file under a temporary name and counts them; ``close`` gives it its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".part")
        self._raw = self._partial.open("wb")
        self._gzip = gzip.GzipFile("", "wb", _LEVEL, self._raw, mtime=0)  # No name, no time: equal rows, equal bytes.
        self.rows = 0
        self.counts: dict[str, Counter[str]] = {}

    def write(self, row: Row) -> None:
        self._gzip.write(to_line(row).encode("utf-8", "backslashreplace") + b"\n")
        self.rows += 1
        for field in COUNTED:
            value = getattr(row, field, "")
            if value:
                self.counts.setdefault(field, Counter())[value] += 1

    def close(self, *, keep: bool = True) -> None:
        self._gzip.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        if keep:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)


def join_parts(parts: Iterable[Path], out: Path) -> str:
    """Join gzip files into shards, as gzip allows, without unpacking them; returns the fingerprint."""
    for old in out.glob("rows-*.jsonl.gz"):
        old.unlink()
    digest = hashlib.sha256()
    shard: IO[bytes] | None = None
    number = 0
    for part in parts:
        if shard is None or shard.tell() > SHARD_BYTES:
            if shard is not None:
                shard.close()
            shard = (out / f"rows-{number:05d}.jsonl.gz").open("wb")
            number += 1
        with part.open("rb") as source:
            shutil.copyfileobj(source, shard, 1 << 20)
        with gzip.open(part, "rb") as unpacked:
            while chunk := unpacked.read(1 << 20):
                digest.update(chunk)
    if shard is None:
        shard = (out / "rows-00000.jsonl.gz").open("wb")
        shard.write(gzip.compress(b"", _LEVEL, mtime=0))
    shard.close()
    return digest.hexdigest()


def write_manifest(out: Path, rows: str, tally: Tally, fingerprint: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``corpus.json``. ``about``: command line, options, inputs, seconds."""
    from codehunch import __version__

    manifest = {
        "schema": SCHEMA,
        "rows": rows,
        "fingerprint": fingerprint,
        "total": tally.rows,
        "counts": {field: dict(Counter(values).most_common()) for field, values in sorted(tally.counts.items())},
        "skipped": dict(Counter(tally.skipped).most_common()),
        "unreadable": [list(entry) for entry in tally.unreadable],
        "cpu_seconds": round(tally.cpu_seconds, 2),
        "peak_megabytes": round(tally.peak_bytes / 1e6, 1),
        "codehunch": __version__,
        **about,
    }
    partial = out / "corpus.json.part"
    partial.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(out / "corpus.json")
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """``corpus.json`` of a finished corpus. Raises CorpusError."""
    path = folder / "corpus.json"
    if not path.is_file():
        unfinished = (folder / "work").is_dir()
        hint = (
            "its run did not finish; give the same command again" if unfinished else "make one with `codehunch corpus`"
        )
        raise CorpusError(f"{folder} is no finished corpus (it has no corpus.json); {hint}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path} is not valid JSON ({error}); make the corpus anew") from error
    if not isinstance(manifest, dict) or manifest.get("rows") not in ROW_TYPES:
        raise CorpusError(f"{path} does not say what rows it holds; make the corpus anew")
    if manifest.get("schema") != SCHEMA:
        raise CorpusError(f"{path} has schema {manifest.get('schema')}, this version reads {SCHEMA}; update codehunch")
    return manifest


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("rows-*.jsonl.gz"))


def read_rows(folder: Path) -> Iterator[Row]:
    """All rows of a corpus in order, of the type its ``corpus.json`` names. Raises CorpusError for a broken row."""
    kind = ROW_TYPES[read_manifest(folder)["rows"]]
    for shard in shards(folder):
        yield from read_shard(shard, kind)


R = TypeVar("R", bound=Row)


def read_shard(path: Path, kind: type[R]) -> Iterator[R]:
    number = 0
    try:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                number += 1
                yield from_line(kind, line)
    except (OSError, EOFError, ValueError) as error:
        raise CorpusError(f"{path}, row {number}: {error}; make the corpus anew") from error


def fingerprint_of(folder: Path) -> str:
    """The fingerprint computed anew from the rows."""
    digest = hashlib.sha256()
    for shard in shards(folder):
        with gzip.open(shard, "rb") as unpacked:
            while chunk := unpacked.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
