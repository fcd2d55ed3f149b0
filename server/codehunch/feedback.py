"""What a person thought of findings, fixes and bodies: an append-only file on this machine, one JSON object a line.

Nothing is ever sent anywhere. ``codehunch feedback list|export|clear`` shows, copies and erases it. Retraining reads
it with ``read_events``: a ``dismissed`` finding is a hard negative, a ``confirmed`` one a positive; an accepted fix is
a pair ``before``/``after``, a rejected one has what the person wrote instead as ``after``; a body is a prompt
(``before``) with the text that was offered (``after``).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import platformdirs

from codehunch.defects.findings import Finding

HOME_VARIABLE = "CODEHUNCH_HOME"
FILE_NAME = "feedback.jsonl"
MOST_TEXT = 20_000
"""Code points kept of a function or a body."""

_PRIOR = 3
"""So many times must a body be refused for its origin to count half."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)

EventKind = Literal[
    "dismissed",
    "restored",
    "confirmed",
    "fix-accepted",
    "fix-rejected",
    "completion-accepted",
    "completion-rejected",
    "completion-regenerated",
]
_KINDS: frozenset[str] = frozenset(get_args(EventKind))


@attrs.frozen
class Event:
    """One line of the file. What an event does not know is empty."""

    event: EventKind
    time: str = ""
    """UTC, ISO 8601, whole seconds."""
    path: str = ""
    """Absolute path, links resolved; the URI of a text that lies nowhere."""
    function: str = ""
    """Qualified name."""
    code: str = ""
    """Rule code of the finding, such as ``CH101``."""
    kind: str = ""
    """The finding's kind, such as ``variable-misuse``."""
    token: str = ""
    """Text of the flagged place."""
    fingerprint: str = ""
    confidence: float = 0.0
    bundle: str = ""
    """Id and version of the model that said it."""
    before: str = ""
    """The function as it was judged; for a body the function that asked for it."""
    after: str = ""
    """The function with the fix, or as the person wrote it instead; the offered body."""
    start: int = -1
    """Where the flagged place lies in ``before``, in code points; -1 where there is none."""
    end: int = -1


def feedback_file() -> Path:
    """``$CODEHUNCH_HOME/feedback.jsonl``, else the file of that name in the user's data folder."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home or platformdirs.user_data_dir("codehunch", appauthor=False)).expanduser() / FILE_NAME


def now() -> str:
    """The time an event gets."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def about(event: EventKind, finding: Finding, path: str, text: str, **more: Any) -> Event:
    """An event about a finding in ``text``; further fields come by name."""
    token = finding.span.of(text)[:200]
    return Event(
        event=event,
        time=now(),
        path=place_of(path),
        function=finding.function,
        code=finding.code,
        kind=finding.kind,
        token=token,
        fingerprint=finding.fingerprint,
        confidence=round(finding.confidence, 4),
        **more,
    )


def place_of(path: str) -> str:
    """How a path is written down: absolute, links resolved. URIs stay as they are."""
    return os.path.realpath(path) if "://" not in path and not path.startswith("untitled:") else path


def append(event: Event, file: Path | None = None) -> None:
    """Write one line at the end, in one step, so that several editors may write. Raises OSError."""
    file = file or feedback_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    line = _line(event)
    # Readable by its owner only: it holds source text.
    with open(os.open(file, _FLAGS, 0o600), "rb+", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(-1, os.SEEK_END)
            # A process that died half-way left a line without an end.
            line = line if stream.read(1) == b"\n" else b"\n" + line
        stream.write(line)


def read_events(file: Path | None = None) -> Iterator[Event]:
    """Every event, the oldest first. A missing file has none; lines that are no events are passed over."""
    try:
        stream = open(file or feedback_file(), "rb")  # noqa: SIM115
    except FileNotFoundError:
        return
    with stream:
        yield from _parse(stream)


def clear(file: Path | None = None, keep: Callable[[Event], bool] | None = None) -> int:
    """Erase everything, or what ``keep`` does not want to keep. Returns how many events are gone."""
    file = file or feedback_file()
    events = list(read_events(file))
    kept = [event for event in events if keep is not None and keep(event)]
    if not kept:
        file.unlink(missing_ok=True)
        return len(events)
    write_atomically(file, b"".join(map(_line, kept)), 0o600)
    return len(events) - len(kept)


def write_atomically(path: Path, data: bytes, mode: int | None = None) -> None:
    """Replace a file by one rename: whoever looks sees the old content or the new. Keeps its permissions.

    A link stays a link; the file it points at is replaced. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if mode is None:
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode & 0o7777
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode if mode is not None else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Followed:
    """What was said in a file of events, read as far as it has grown: another editor may write to it."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._read = (0, 0)
        """Inode and size of what has been read."""

    def refresh(self) -> bool:
        """Read what was written since; whether that changed anything. Asks the disk. Never raises."""
        file = self._file or feedback_file()
        before = self._state()
        try:
            info = file.stat()
        except OSError:
            self._reset()
            self._read = (0, 0)
            return self._state() != before
        inode, size = self._read
        if (info.st_ino, info.st_size) == self._read:
            return False
        if info.st_ino != inode or info.st_size < size:
            self._reset()
            size = 0
        try:
            with open(file, "rb") as stream:
                stream.seek(size)
                for event in _parse(stream):
                    self._add(event)
                self._read = info.st_ino, stream.tell()
        except OSError:
            return False
        return self._state() != before

    def _reset(self) -> None:
        raise NotImplementedError

    def _add(self, event: Event) -> None:
        raise NotImplementedError

    def _state(self) -> object:
        """A copy of what is known, to tell whether it changed."""
        raise NotImplementedError


class Dismissals(_Followed):
    """Which findings the person has called right code.

    A dismissal holds in the file it was made in, and anywhere once that file is gone: it was moved.
    """

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file)
        self._places: dict[str, set[str]] = {}

    def hides(self, finding: Finding, path: str) -> bool:
        """Whether a finding of the file at ``path`` was dismissed."""
        places = self._places.get(finding.fingerprint) if finding.fingerprint else None
        if not places:
            return False
        return place_of(path) in places or not any(map(os.path.lexists, places))

    def __len__(self) -> int:
        return len(self._places)

    def _reset(self) -> None:
        self._places = {}

    def _add(self, event: Event) -> None:
        if event.event == "dismissed":
            self._places.setdefault(event.fingerprint, set()).add(event.path)
        elif event.event == "restored":
            self._places.pop(event.fingerprint, None)

    def _state(self) -> object:
        return {key: set(places) for key, places in self._places.items()}


class Leanings(_Followed):
    """How often the bodies of a function, made to fit elsewhere, were taken and how often they were not wanted."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(file)
        self._taken: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def weight(self, origin: str, path: str) -> float:
        """What the likeness of a sample counts for: 1 where nothing is known, 0.25 to 1.25.

        ``origin`` is as suggestions have it; ``path`` is the file that asks, whose own functions come without one.
        """
        key = _key(origin, path)
        return min(1.25, max(0.25, (self._taken[key] + _PRIOR) / (self._refused[key] + _PRIOR)))

    def _reset(self) -> None:
        self._taken.clear()
        self._refused.clear()

    def _add(self, event: Event) -> None:
        # What a model wrote names its bundle there, and is the origin of nothing.
        if event.event == "completion-accepted":
            self._taken[_key(event.bundle, event.path)] += 1
        elif event.event in ("completion-rejected", "completion-regenerated"):
            self._refused[_key(event.bundle, event.path)] += 1

    def _state(self) -> object:
        return dict(self._taken), dict(self._refused)


def _key(origin: str, path: str) -> str:
    return origin if ": " in origin else f"{place_of(path)}: {origin}"


def _line(event: Event) -> bytes:
    fields = {name: value for name, value in attrs.asdict(event).items() if value not in ("", 0.0, -1)}
    for name in ("before", "after"):
        if name in fields:
            fields[name] = fields[name][:MOST_TEXT]
    return json.dumps(fields).encode("ascii") + b"\n"


def _parse(lines: Iterable[bytes]) -> Iterator[Event]:
    types = {field.name: str if field.default == "" else type(field.default) for field in attrs.fields(Event)[1:]}
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if isinstance(fields, dict) and isinstance(kind := fields.get("event"), str) and kind in _KINDS:
            known = {n: fields[n] for n, type_ in types.items() if isinstance(fields.get(n), type_)}
            yield Event(event=kind, **known)  # type: ignore[arg-type]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
