"""Corpora as input of further work: pieces of their shards, one a unit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import attrs

from codehunch_training.corpus.folder import R, read_manifest, read_shard, shards
from codehunch_training.corpus.rows import ROW_TYPES
from codehunch_training.corpus.work import Unit


@attrs.frozen
class Stretch:
    """Rows ``start`` to ``stop`` of a shard."""

    shard: Path
    start: int
    stop: int

    def rows(self, kind: type[R]) -> Iterator[R]:
        return islice(read_shard(self.shard, kind), self.start, self.stop)


def units_of_corpus(folder: Path, rows_a_unit: int) -> list[Unit]:
    """Units over all rows of a corpus, in order. Raises CorpusError as ``read_manifest``."""
    manifest = read_manifest(folder)
    found = shards(folder)
    units = []
    for shard in found:
        only = len(found) == 1
        count = manifest["total"] if only else sum(1 for _ in read_shard(shard, ROW_TYPES[manifest["rows"]]))
        for start in range(0, count, rows_a_unit):
            stop = min(count, start + rows_a_unit)
            key = f"{manifest['fingerprint'][:16]}/{shard.name}:{start}"
            units.append(Unit(key, Stretch(shard, start, stop), stop - start))
    return units
