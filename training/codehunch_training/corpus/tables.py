"""Rows of published files as plain dictionaries: JSON lines, JSON, CSV, Parquet, Arrow folders of Hugging Face."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from codehunch_training.corpus.folder import CorpusError

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")


def table_files(path: Path) -> list[Path]:
    """The tables of a path: a file, or all in a folder (``datasets.save_to_disk`` writes such). Raises CorpusError."""
    if path.is_file():
        if _suffix(path) not in _SUFFIXES:
            raise CorpusError(f"{path} is of no known format ({', '.join(_SUFFIXES)}, each also with .gz)")
        return [path]
    if not path.exists():
        raise CorpusError(f"{path} does not exist")
    # Beside its tables, Hugging Face writes JSON files that describe them.
    about = {"dataset_info.json", "dataset_dict.json", "state.json"}
    found = sorted(p for p in path.rglob("*") if p.is_file() and _suffix(p) in _SUFFIXES and p.name not in about)
    arrow = [p for p in found if _suffix(p) == ".arrow" and not p.name.startswith("cache-")]
    if not found:
        raise CorpusError(f"{path} holds no table ({', '.join(_SUFFIXES)})")
    return arrow or found


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Rows in order. Raises CorpusError where the file cannot be read; the message names file and place."""
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from _parquet(path)
        elif suffix == ".arrow":
            yield from _arrow(path)
        else:
            with _text(path) as source:
                yield from _csv(source, suffix) if suffix in (".csv", ".tsv") else _json(source, path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {path}: {error}") from error


def _text(path: Path) -> IO[str]:
    packed = path.suffix == ".gz"
    raw = gzip.open(path, "rb") if packed else path.open("rb")  # noqa: SIM115 (the wrapper below closes it)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _json(source: IO[str], path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines, or one JSON array of objects."""
    number = 0
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        if number == 1 and line.lstrip().startswith("["):
            yield from _array(line + source.read(), path)
            return
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}, line {number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{path}, line {number}: not a JSON object")
        yield row


def _array(content: str, path: Path) -> Iterator[dict[str, Any]]:
    try:
        rows = json.loads(content)
    except ValueError as error:
        raise CorpusError(f"{path}: not valid JSON ({error})") from error
    if not all(isinstance(row, dict) for row in rows):
        raise CorpusError(f"{path}: not an array of JSON objects")
    yield from rows


def _csv(source: IO[str], suffix: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # Functions are longer than the default of 128 kB allows.
    for row in csv.DictReader(source, delimiter="\t" if suffix == ".tsv" else ","):
        yield {key: value for key, value in row.items() if key is not None}


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise CorpusError(f"cannot read {path}: {error}") from error


def _arrow(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_stream(source) as batches:
            for batch in batches:
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise CorpusError(f"cannot read {path}: {error}") from error
