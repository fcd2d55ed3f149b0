"""Functions that differ from a git revision. A finding counts as the person's own where its function was touched, or
the statement outside of functions that it is in.

git is asked for objects only, in a process of its own: no work tree is read by it, so no hook, filter, pager, textconv
or file system monitor that a repository names is ever run, and nothing is fetched.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable

import attrs

from codehunch.defects.findings import Finding
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.spans import Span
from codehunch.syntax.statements import class_parts, outer_statements
from codehunch.syntax.text import SourceText

_SETTINGS = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat"),
    *("-c", "core.sshCommand=false", "-c", "protocol.allow=never"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    # Reading objects is safe in a repository of another user, too: nothing it names is run.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "LC_ALL": "C",
}
_SECONDS = 20.0
_STILL_GOOD = 3.0
"""Seconds for which a name such as ``HEAD`` is taken to mean the commit it meant before."""


class RevisionUnknown(ValueError):
    """There is no such revision, no repository or no git. The message is one line for the person."""


@attrs.frozen
class _Old:
    """A file at the revision."""

    text: str
    parts: frozenset[str]
    """Outermost functions and statements outside of them, as ``_flat`` gives them."""


class Revision:
    """One revision, such as ``HEAD`` or ``main``, seen from every repository that is asked about. Not thread-safe."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._commits: dict[str, tuple[float, str]] = {}
        self._files: dict[tuple[str, str, str], _Old | None] = {}

    def is_unchanged(self, path: str, source: SourceText, language: str) -> bool:
        """Whether the whole file reads as it did. Raises RevisionUnknown."""
        old = self._old(path, language)
        return old is not None and _flat(old.text) == _flat(source.text)

    def touched(self, findings: Iterable[Finding], path: str, source: SourceText, language: str) -> tuple[Finding, ...]:
        """Findings whose outermost function, or statement, is not in the file at the revision as it is here.

        In a file that is new nothing is. Raises RevisionUnknown.
        """
        findings = tuple(findings)
        if not findings or (old := self._old(path, language)) is None:
            return findings
        changed = [span for text, span in _parts(source, language) if text not in old.parts]
        return tuple(each for each in findings if any(span.contains(each.span) for span in changed))

    def _old(self, path: str, language: str) -> _Old | None:
        path = os.path.realpath(path)
        top = _top(path)
        commit = self._commit(top)
        key = top, commit, path
        if key not in self._files:
            if len(self._files) > 2000:
                self._files.clear()
            name = os.path.relpath(path, top).replace(os.sep, "/")
            data = _git(top, "cat-file", "blob", f"{commit}:{name}")
            self._files[key] = _read(data, language) if data is not None else None
        return self._files[key]

    def _commit(self, top: str) -> str:
        known = self._commits.get(top)
        if known is not None and time.monotonic() - known[0] < _STILL_GOOD:
            return known[1]
        found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{self.name}^{{commit}}")
        if not found:
            raise RevisionUnknown(f"{top}: there is no revision {self.name!r} here; `git log` lists commits")
        commit = found.decode("ascii", "replace").strip()
        self._commits[top] = time.monotonic(), commit
        return commit


def _top(path: str) -> str:
    folder = os.path.dirname(path)
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            raise RevisionUnknown(f"{path}: lies in no git repository, so nothing can be compared with a revision")
        folder = parent
    return folder


def _git(top: str, *arguments: str) -> bytes | None:
    """What git prints; ``None`` where it fails. Raises RevisionUnknown where there is no git."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", f"--git-dir={os.path.join(top, '.git')}", *_SETTINGS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, **_ENVIRONMENT},
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise RevisionUnknown("git is not installed, so nothing can be compared with a revision") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RevisionUnknown(f"{top}: git does not answer ({error})") from error
    return done.stdout if done.returncode == 0 else None


def _read(data: bytes, language: str) -> _Old | None:
    try:
        source = decode_source(data).source
    except SourceUnreadable:
        return None
    return _Old(source.text, frozenset(text for text, _ in _parts(source, language)))


def _parts(source: SourceText, language: str) -> list[tuple[str, Span]]:
    """Outermost functions as they would read at the margin, statements outside of them, and where they are."""
    found = []
    parsed = parse(source, language)
    for function in find_functions(parsed):
        if not function.nesting:
            start = source.line_starts[source.row_of(function.span.start)]
            indent = source.text[start : function.span.start]
            found.append((_flat(function.span.of(source.text), indent if not indent.strip() else ""), function.span))
    if language == "python":
        outside = [*outer_statements(parsed), *(part.span for part in class_parts(parsed))]
        found += [(_flat(span.of(source.text)), span) for span in outside]
    return found


def _flat(text: str, indent: str = "") -> str:
    """Without what an editor or git changes by itself: line ends, trailing white space, where a block stands."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.removeprefix(indent).rstrip() for line in lines)
