"""Which files a run reads: walking trees, ignore files, and a reason for every file that is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache

import attrs

from codehunch.patterns import PathPatterns, read_ignore_file
from codehunch.settings import MEGABYTE, Settings
from codehunch.syntax.decoding import DecodedSource, SourceUnreadable, decode_source
from codehunch.syntax.languages import language_of

DEFAULT_EXCLUDES = frozenset(
    {".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache"}
    | {".nox", ".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode"}
    | {"__pycache__", "__pypackages__", "_build", "buck-out", "build", "dist", "dist-packages", "node_modules"}
    | {"site-packages"}
)
"""Names of folders that are not walked into. A virtual environment is known by its pyvenv.cfg, whatever its name."""


@attrs.frozen
class SourceFile:
    """A file to read; ``path`` is absolute."""

    path: str
    language: str
    size: int
    """Bytes, as the file system said while walking."""


@attrs.frozen
class Skipped:
    """A file, or a folder, that is left out although it was asked for, and why."""

    path: str
    reason: str


@attrs.frozen
class Missing:
    """A path of the command line that is not there."""

    path: str


Entry = SourceFile | Skipped | Missing
SettingsOf = Callable[[str], Settings]
"""Settings that hold for the files of a folder."""


def walk(paths: Sequence[str], languages: Collection[str], settings_of: SettingsOf) -> Iterator[Entry]:
    """Every source file of ``paths`` in a stable order, each once, one folder listing in memory at a time per level.

    A path that is named is read even where an ignore rule speaks against it; below it the rules hold.
    Links to folders are not followed, so no loop can arise.
    """
    named = {os.path.realpath(path) for path in paths}
    done: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in done:
            continue
        done.add(real)
        absolute = os.path.abspath(path)
        try:
            info = os.stat(absolute)
        except (FileNotFoundError, NotADirectoryError):
            yield Missing(absolute)
        except OSError as error:
            yield Skipped(absolute, f"cannot be read ({error.strerror})")
        else:
            if stat.S_ISDIR(info.st_mode):
                yield from _walk_folder(absolute, real, named, languages, settings_of)
            else:
                yield _named_file(absolute, info, languages)


def read_source(file: SourceFile, limit: int) -> DecodedSource:
    """Bytes of ``file`` as text. Raises SourceUnreadable with the reason for files that cannot be checked.

    ``limit`` is in bytes; a file that grew since it was listed, or hides its size, is held to it as well.
    """
    if file.size > limit:
        raise SourceUnreadable(too_large(file.size, limit))
    try:
        with open(file.path, "rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise SourceUnreadable(f"cannot be read ({error.strerror})") from error
    if len(data) > limit:
        raise SourceUnreadable(too_large(len(data), limit))
    return decode_source(data)


def too_large(size: int, limit: int) -> str:
    """The reason for leaving out a file of ``size`` bytes."""
    return f"{size / MEGABYTE:.1f} MB, more than max-file-size = {limit / MEGABYTE:g} MB allows"


def _named_file(path: str, info: os.stat_result, languages: Collection[str]) -> Entry:
    if not stat.S_ISREG(info.st_mode):
        return Skipped(path, "is not a regular file")
    spec = language_of(path)
    language = spec.name if spec else _interpreter(path)
    if language is None:
        suffix = os.path.splitext(path)[1]
        return Skipped(path, f"no language is known by the suffix {suffix!r}" if suffix else "its language is unknown")
    if language not in languages:
        return Skipped(path, f"no installed model reads {language}")
    return SourceFile(path, language, info.st_size)


def _interpreter(path: str) -> str | None:
    """``python`` for a script whose first line names a Python interpreter."""
    try:
        with open(path, "rb") as stream:
            first = stream.readline(256)
    except OSError:
        return None
    return "python" if first.startswith(b"#!") and b"python" in first else None


def _walk_folder(
    root: str, real_root: str, named: Collection[str], languages: Collection[str], settings_of: SettingsOf
) -> Iterator[Entry]:
    stack: list[Iterator[Entry | _Folder]] = []
    found: Entry | _Folder | None = _Folder(root, tuple(_ignore_rules_above(root)))
    while True:
        if isinstance(found, _Folder):
            stack.append(_list_folder(found, root, languages, settings_of))
        elif found is not None and real_root + found.path[len(root) :] not in named:
            yield found
        found = None
        while stack and (found := next(stack[-1], None)) is None:
            stack.pop()
        if found is None:
            return
        if isinstance(found, _Folder) and real_root + found.path[len(root) :] in named:
            found = None


@attrs.frozen
class _Folder:
    path: str
    rules: tuple[PathPatterns, ...]
    """Ignore files that speak about this folder, the innermost last."""


def _list_folder(
    folder: _Folder, root: str, languages: Collection[str], settings_of: SettingsOf
) -> Iterator[Entry | _Folder]:
    settings = settings_of(folder.path)
    try:
        with os.scandir(folder.path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield Skipped(folder.path, f"the folder cannot be read ({error.strerror})")
        return
    names = {entry.name for entry in entries}
    if settings.default_excludes and folder.path != root and "pyvenv.cfg" in names:
        return
    rules = folder.rules
    if ".gitignore" in names:
        own = read_ignore_file(os.path.join(folder.path, ".gitignore"), folder.path)
        rules = (*rules, own) if own else rules
    for entry in entries:
        found = _classify(entry, languages)
        if found is not None and not _left_out(found, entry.name, rules, root, settings):
            yield _Folder(found.path, rules) if isinstance(found, _Folder) else found


def _classify(entry: os.DirEntry[str], languages: Collection[str]) -> Entry | _Folder | None:
    """What lies behind a name; ``None`` for what is no source file in one of ``languages``."""
    spec = language_of(entry.name)
    wanted = spec is not None and spec.name in languages
    try:
        if entry.is_dir(follow_symlinks=False):
            return _Folder(entry.path, ())
        if entry.is_symlink() and entry.is_dir():
            return Skipped(entry.path, "is a link to a folder, which is not followed")
        if not wanted or spec is None:
            return None
        if not entry.is_file():
            return Skipped(entry.path, "is a link to nothing" if entry.is_symlink() else "is not a regular file")
        return SourceFile(entry.path, spec.name, entry.stat().st_size)
    except OSError as error:
        return Skipped(entry.path, f"cannot be read ({error.strerror})") if wanted else None


def _left_out(found: Entry | _Folder, name: str, rules: Sequence[PathPatterns], root: str, settings: Settings) -> bool:
    is_folder = isinstance(found, _Folder)
    if settings.default_excludes and name in DEFAULT_EXCLUDES and not isinstance(found, SourceFile):
        return True
    if settings.exclude.patterns:
        exclude = settings.exclude
        if exclude.verdict(root, is_folder=True):
            # The root itself was named: only what the patterns say about the paths below it still counts.
            exclude = _rebased(exclude.patterns, root)
        if exclude.verdict(found.path, is_folder):
            return True
    if settings.respect_gitignore:
        for rule in reversed(rules):
            verdict = rule.verdict(found.path, is_folder)
            if verdict is not None:
                return verdict
    return False


@lru_cache(16)
def _rebased(patterns: tuple[str, ...], root: str) -> PathPatterns:
    return PathPatterns(patterns, root)


def _ignore_rules_above(root: str) -> Iterator[PathPatterns]:
    """Ignore files between the repository's top (else the working folder) and ``root``, outermost first.

    Those that speak against ``root`` itself are passed over: it was named, so its files are wanted.
    """
    folders = [root]
    while (parent := os.path.dirname(folders[-1])) != folders[-1]:
        folders.append(parent)
    here = os.path.abspath(os.curdir)
    top = next((folder for folder in folders if os.path.lexists(os.path.join(folder, ".git"))), None)
    if top is None:
        top = here if here in folders else root
    above = folders[1 : folders.index(top) + 1]
    files = [(os.path.join(top, ".git", "info", "exclude"), top)]
    files += [(os.path.join(folder, ".gitignore"), folder) for folder in reversed(above)]
    for path, folder in files:
        rules = read_ignore_file(path, folder)
        if rules and not rules.verdict(root, is_folder=True):
            yield rules
