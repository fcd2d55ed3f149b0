"""The functions of a workspace, found again by the words in them: BM25 by SQLite's full-text search.

The file holds words and places, no source text; it is a cache that may be deleted at any time. Ranking is Okapi BM25
(Robertson and Zaragoza 2009) over a function's head, with its class, and its description.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from codehunch.generation.context import FileContext
from codehunch.generation.samples import Asked, Sample, body_text, sample_in
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.docstrings import docstring_text
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse
from codehunch.syntax.text import SourceText
from codehunch.syntax.words import split_words

VERSION = 1
MOST_FILE_BYTES = 1_000_000
_CANDIDATES = 24
_MOST_WORDS = 48
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, path TEXT UNIQUE, modified INTEGER, size INTEGER);
CREATE TABLE IF NOT EXISTS functions (id INTEGER PRIMARY KEY, file INTEGER, name TEXT, start INTEGER, stop INTEGER);
CREATE INDEX IF NOT EXISTS functions_by_file ON functions (file);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (head, described, tokenize = 'porter unicode61', detail = column);
"""
_QUERY = f"""
SELECT files.path, functions.name, functions.start, functions.stop
FROM words JOIN functions ON functions.id = words.rowid JOIN files ON files.id = functions.file
WHERE words MATCH ? AND files.path != ? ORDER BY bm25(words, 2.0, 1.0) LIMIT {_CANDIDATES}
"""

Stamp = tuple[int, int]
"""Time of the last change in nanoseconds, and size in bytes."""


class IndexUnusable(OSError):
    """The index can be neither read nor made. The message says why."""


class FunctionIndex:
    """One file per workspace. Several processes may use it; it belongs to one thread of each."""

    def __init__(self, file: Path) -> None:
        """Open or make it; a damaged one, or one of another version, is made anew. Raises IndexUnusable."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = _open(file)
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(f"{file}: the index of functions cannot be used ({error})") from error

    def stamps(self) -> dict[str, Stamp]:
        """The files that are known, as they were when they were read."""
        with _told(self._database):
            rows = self._database.execute("SELECT path, modified, size FROM files")
            return {path: (modified, size) for path, modified, size in rows}

    def update(self, path: str, stamp: Stamp, data: bytes) -> int:
        """Read a file anew and give back how many of its functions can be examples. Raises IndexUnusable."""
        try:
            source = decode_source(data).source if len(data) <= MOST_FILE_BYTES else SourceText("")
        except SourceUnreadable:
            source = SourceText("")
        rows = list(_rows(source))
        with _told(self._database), self._database:
            self._remove([path])
            cursor = self._database.execute("INSERT INTO files (path, modified, size) VALUES (?, ?, ?)", (path, *stamp))
            file = cursor.lastrowid
            for name, start, stop, *words in rows:
                cursor = self._database.execute(
                    "INSERT INTO functions (file, name, start, stop) VALUES (?, ?, ?, ?)", (file, name, start, stop)
                )
                self._database.execute(
                    "INSERT INTO words (rowid, head, described) VALUES (?, ?, ?)", (cursor.lastrowid, *words)
                )
        return len(rows)

    def forget(self, paths: Iterable[str]) -> None:
        """Files that are gone. Raises IndexUnusable."""
        with _told(self._database), self._database:
            self._remove(paths)

    def similar(self, asked: Asked, path: str) -> tuple[Sample, ...]:
        """Functions of other files than ``path`` that share words with what is asked, the best by BM25 first.

        Their text is read from disk; what is no longer there as it was indexed is left out.
        """
        words = dict.fromkeys(split_words(" ".join((asked.name, *asked.parameters, asked.description))))
        terms = [word for word in words if len(word) > 1 and word.isascii()][:_MOST_WORDS]
        if not terms:
            return ()
        with _told(self._database):
            found = self._database.execute(_QUERY, (" OR ".join(f'"{term}"' for term in terms), path)).fetchall()
        texts: dict[str, str] = {}
        samples = []
        for file, name, start, stop in found:
            if file not in texts:
                texts[file] = _text_of(file)
            sample = sample_in(_dedented(texts[file], start, stop), file, name)
            if sample is not None:
                samples.append(sample)
        return tuple(samples)

    def close(self) -> None:
        self._database.close()

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            for (file,) in self._database.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchall():
                self._database.execute(
                    "DELETE FROM words WHERE rowid IN (SELECT id FROM functions WHERE file = ?)", (file,)
                )
                self._database.execute("DELETE FROM functions WHERE file = ?", (file,))
                self._database.execute("DELETE FROM files WHERE id = ?", (file,))


def _open(file: Path) -> sqlite3.Connection:
    for attempt in (1, 2):
        database = sqlite3.connect(file, timeout=2.0)
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version in (0, VERSION):
                database.executescript(_SCHEMA)
                return database
        except sqlite3.OperationalError:  # Locked, read-only, or without FTS5: it is not ours to delete.
            database.close()
            raise
        except sqlite3.DatabaseError:
            if attempt == 2:
                database.close()
                raise
        database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
    raise sqlite3.DatabaseError("made by another version, and it comes back")


@contextlib.contextmanager
def _told(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise IndexUnusable(f"the index of functions failed ({error})") from error


def _rows(source: SourceText) -> Iterator[tuple[str, int, int, str, str]]:
    """Name, place and words of every function that can be an example."""
    context = FileContext(parse(source))
    text = source.text
    for function, node in function_nodes(context.parsed):
        if body_text(context, function, node) is None:
            continue
        described = docstring_text(function.docstring.of(text)) if function.docstring is not None else ""
        header = function.header.of(text)
        yield (
            function.qualified_name,
            function.span.start,
            function.span.end,
            _unique(f"{function.enclosing_class or ''} {header}"),
            _unique(described),
        )


def _unique(text: str) -> str:
    return " ".join(dict.fromkeys(split_words(text)))


def _text_of(path: str) -> str:
    try:
        data = Path(path).read_bytes()
        return decode_source(data).source.text if len(data) <= MOST_FILE_BYTES else ""
    except (OSError, SourceUnreadable):
        return ""


def _dedented(text: str, start: int, stop: int) -> str:
    """A function's text at the margin."""
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    indent = text[line:start]
    function = text[start:stop]
    return re.sub(rf"^{indent}", "", function, flags=re.MULTILINE) if indent and not indent.strip() else function


def changed(known: Mapping[str, Stamp], found: Mapping[str, Stamp]) -> tuple[list[str], list[str]]:
    """Which files have to be read, and which are gone."""
    return [path for path, stamp in found.items() if known.get(path) != stamp], [p for p in known if p not in found]
