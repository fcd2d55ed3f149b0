"""Findings already computed, by the text of the function: an edit costs the functions it touched.

In memory for one process, and in a file that outlives it and that several processes share.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections import OrderedDict
from functools import cache
from importlib.metadata import version
from pathlib import Path

import cattrs
import platformdirs

from codehunch import __version__
from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import HOME_VARIABLE
from codehunch.defects.findings import Finding

logger = logging.getLogger(__name__)

FILE_NAME = "findings.sqlite3"
MOST_BYTES = 64 * 2**20
_SECONDS_TO_WAIT = 1.0
"""For another process that writes; longer, and the finding is computed instead."""
_PAUSE = 0.01
"""Seconds between two tries to open the file."""
_EVICTED = 4
"""A full file loses its least recently used quarter."""
_LARGE = 16
"""A value of more than this part of the file is not worth the others it would push out."""
_DAY = 86_400


def unit_key(text: str, around: str = "") -> bytes:
    """Key of a function's text, and of what is known of its file."""
    return hashlib.blake2b(f"{text}\0{around}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class FindingCache:
    """Least recently used findings of up to ``size`` functions, in the unit's own offsets; ``disk`` is asked for
    what memory does not hold."""

    def __init__(self, size: int = 20_000, disk: DiskCache | None = None) -> None:
        self._size = size
        self._disk = disk
        self._held: OrderedDict[bytes, tuple[Finding, ...]] = OrderedDict()

    def get(self, key: bytes) -> tuple[Finding, ...] | None:
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
        elif self._disk is not None and (found := self._disk.get(key)) is not None:
            self._hold(key, found)
        return found

    def put(self, key: bytes, findings: tuple[Finding, ...]) -> None:
        self._hold(key, findings)
        if self._disk is not None:
            self._disk.put(key, findings)

    def _hold(self, key: bytes, findings: tuple[Finding, ...]) -> None:
        self._held[key] = findings
        self._held.move_to_end(key)
        while len(self._held) > self._size:
            self._held.popitem(last=False)


class DiskCache:
    """Findings of one ``namespace`` in an SQLite file of at most ``most_bytes``, shared between processes.

    It never raises and never holds up the work: a file that cannot be opened, read or written is told once in the
    log, and the findings are computed. A damaged file is made anew. Nothing in it is source text, but messages and
    fixes quote identifiers, so only its owner may read it.
    """

    _connection: sqlite3.Connection | None = None

    def __init__(self, path: Path, namespace: bytes, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self._namespace = namespace
        self._most_bytes = most_bytes
        self._today = int(time.time()) // _DAY
        self._told = False
        try:
            try:
                self._connection = self._open_in_turn()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # Locked, full or unreachable: not damaged.
                    raise
                self._renew(error)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def get(self, key: bytes) -> tuple[Finding, ...] | None:
        """The findings, or ``None`` where they are not known."""
        row = self._execute("SELECT value, used FROM findings WHERE key = ?", (self._key(key),))
        if row is None:
            return None
        if row[1] != self._today:  # Once a day is enough to tell what is in use.
            self._execute("UPDATE findings SET used = ? WHERE key = ?", (self._today, self._key(key)))
        try:
            return _read(row[0])
        except (AttributeError, LookupError, TypeError, ValueError):
            return None  # Not what this program writes: computed and put again.

    def put(self, key: bytes, findings: tuple[Finding, ...]) -> None:
        value = json.dumps(_converter.unstructure(findings), ensure_ascii=False, separators=(",", ":"))
        row = (self._key(key), value.encode("utf-8", "surrogatepass"), self._today)
        if len(row[1]) > self._most_bytes // _LARGE:
            return
        self._execute("INSERT OR REPLACE INTO findings VALUES (?, ?, ?)", row)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def _key(self, key: bytes) -> bytes:
        return hashlib.blake2b(self._namespace + key, digest_size=16).digest()

    def _open_in_turn(self) -> sqlite3.Connection:
        """Another process that makes the file at this moment is waited for: SQLite itself does not where the journal's
        mode changes."""
        end = time.monotonic() + _SECONDS_TO_WAIT
        while True:
            try:
                return self._open()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        # Calls come one at a time, but the thread that works need not be the one that opened.
        connection = sqlite3.connect(self.path, timeout=_SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False)
        try:
            # Readers and the writer do not wait for each other, and a commit needs no flush to stay whole.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {self._most_bytes // 8}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS findings"
                " (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
            )
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max(8, self._most_bytes // page)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _renew(self, error: Exception) -> None:
        """Put a fresh file in the place of a damaged one."""
        logger.warning("%s: damaged (%s); starting a new one", self.path, error)
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self._connection = self._open()

    def _execute(self, statement: str, values: tuple[object, ...]) -> tuple[bytes, int] | None:
        """The first row of the answer. Whatever goes wrong is the cache's own affair."""
        if self._connection is None:
            return None
        try:
            try:
                found: tuple[bytes, int] | None = self._connection.execute(statement, values).fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                    return None
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                self._evict()
                found = self._connection.execute(statement, values).fetchone()
            return found
        except sqlite3.OperationalError as error:
            self._give_up(error)
        except sqlite3.DatabaseError as error:
            try:
                self._renew(error)
            except (OSError, sqlite3.Error) as second:
                self._give_up(second)
        return None

    def _evict(self) -> None:
        """Free the pages of the least recently used quarter; they are filled again, the file does not shrink."""
        assert self._connection is not None
        self._connection.execute(
            "DELETE FROM findings WHERE key IN"
            " (SELECT key FROM findings ORDER BY used LIMIT (SELECT max(1, count(*) / ?) FROM findings))",
            (_EVICTED,),
        )

    def _give_up(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            logger.warning("%s: findings are not kept (%s)", self.path, error)
        self.close()


def cache_folder() -> Path:
    """``$CODEHUNCH_HOME/cache``, else the user's cache folder."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() / "cache" if home else Path(platformdirs.user_cache_dir("codehunch", False))


def open_cache(bundle: Bundle) -> FindingCache:
    """The findings of ``bundle`` by this very program, kept between processes."""
    namespace = hashlib.blake2b(f"{bundle.fingerprint} {_program()}".encode()).digest()
    return FindingCache(disk=DiskCache(cache_folder() / FILE_NAME, namespace))


@cache
def _program() -> str:
    """Tells apart everything but the bundle that findings depend on: the code and the runtime."""
    package = Path(__file__).parents[1]
    parts = [__version__, version("onnxruntime") if _installed("onnxruntime") else "", version("tree-sitter")]
    for room in ("defects", "inference", "interpreter", "synthesis", "syntax"):
        for path in sorted((package / room).glob("*.py")):
            status = path.stat()
            parts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(parts)


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:  # Another build of onnxruntime, such as onnxruntime-gpu, has its own name.
        return False
    return True


def _read(value: bytes) -> tuple[Finding, ...]:
    return _converter.structure(json.loads(value.decode("utf-8", "surrogatepass")), tuple[Finding, ...])


_converter = cattrs.Converter(detailed_validation=False)
