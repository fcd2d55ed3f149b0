"""Reading git repositories through git's own plumbing: no checkout, no hooks, no network, nothing written.

``git`` is asked for raw tree differences and patches, and ``git cat-file --batch`` for blobs.
``benchmarks/corpus.py`` times this against pygit2 and PyDriller.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import attrs

LARGEST_BLOB = 1_000_000
"""Bytes; larger sources are tables or generated and are skipped with that reason."""
_SETTINGS = (
    *("-c", "core.bigFileThreshold=1m"),
    # A repository's own settings may name programs. None of them is to run.
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat"),
    *("-c", "core.sshCommand=false", "-c", "protocol.allow=never"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "LC_ALL": "C",
}


class RepositoryUnreadable(ValueError):
    """The path is no repository that can be read; ``reason`` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.frozen
class Repository:
    """A git directory, bare or the one of a work tree."""

    git_dir: Path
    project: str
    head: str
    """Commit the reading starts from."""
    shallow: frozenset[str]
    """Commits whose parents were cut off by a shallow clone."""

    def command(self, *arguments: str) -> list[str]:
        return ["git", f"--git-dir={self.git_dir}", *_SETTINGS, *arguments]

    def run(self, *arguments: str, stdin: bytes = b"", partly: bool = False) -> bytes:
        """Standard output of one git command. Raises RepositoryUnreadable with git's own last line.

        ``partly``: what git wrote before it failed will do.
        """
        done = subprocess.run(self.command(*arguments), input=stdin, capture_output=True, env=_environment())
        if done.returncode and not partly:
            raise RepositoryUnreadable(_last_line(done.stderr) or f"git {arguments[0]} failed")
        return done.stdout

    def stream(self, *arguments: str, lines: Iterable[str] = ()) -> subprocess.Popen[bytes]:
        """A git command reading ``lines`` from a temporary file, so that no pipe can fill up and stop both sides."""
        with tempfile.TemporaryFile() as given:
            given.write("".join(f"{line}\n" for line in lines).encode())
            given.seek(0)
            return subprocess.Popen(
                self.command(*arguments),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )

    def commits(self, *, since: str = "", until: str = "") -> list[str]:
        """Commits with at most one parent, the oldest first; merges are left out."""
        dates = [f"--since={since}"] * bool(since) + [f"--until={until}"] * bool(until)
        return (
            self.run("rev-list", "--no-merges", "--reverse", "--topo-order", *dates, self.head, "--").decode().split()
        )


def open_repository(path: Path, revision: str = "HEAD", project: str = "") -> Repository:
    """The repository at a path: a bare one, a work tree, or a ``.git`` folder.

    Raises RepositoryUnreadable: no folder, no repository, no commit yet, no such revision.
    """
    if not path.exists():
        raise RepositoryUnreadable("no such folder")
    git_dir = next((p for p in (path / ".git", path) if (p / "HEAD").is_file() and (p / "objects").is_dir()), None)
    if git_dir is None and (path / ".git").is_file():  # A work tree of its own, or a submodule.
        pointer = (path / ".git").read_text(errors="replace").removeprefix("gitdir:").strip()
        git_dir = (path / pointer).resolve() if (path / pointer).is_dir() else None
    if git_dir is None:
        raise RepositoryUnreadable("not a git repository")
    shallow = git_dir / "shallow"
    cut = frozenset(shallow.read_text().split()) if shallow.is_file() else frozenset()
    bare = Repository(git_dir, project or project_name(path), "", cut)
    try:
        head = bare.run("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}").decode().strip()
    except RepositoryUnreadable as error:
        empty = revision == "HEAD" and not _has_refs(bare)
        raise RepositoryUnreadable("no commits yet" if empty else f"cannot read {revision}: {error.reason}") from error
    return attrs.evolve(bare, head=head)


def project_name(path: Path) -> str:
    """``owner/name`` of a path: folders named ``owner+name`` are read so, else the folder's own name."""
    path = path.resolve()
    if path.name in (".git", "repo"):
        path = path.parent
    return path.name.removesuffix(".git").replace("+", "/")


def _has_refs(repository: Repository) -> bool:
    try:
        return bool(repository.run("for-each-ref", "--count=1").strip())
    except RepositoryUnreadable:
        return True


def tree_files(repository: Repository, revision: str = "") -> Iterator[tuple[str, str, str]]:
    """``(mode, object, path)`` of everything in a revision's tree; submodules have mode 160000."""
    for entry in repository.run("ls-tree", "-r", "-z", "--full-tree", revision or repository.head).split(b"\0"):
        if entry:
            meta, _, path = entry.partition(b"\t")
            mode, _, name = meta.split(b" ")
            yield mode.decode(), name.decode(), path.decode("utf-8", "replace")


def read_blobs(repository: Repository, names: Sequence[str]) -> Iterator[bytes | RepositoryUnreadable]:
    """The blobs of some object names, in order; what cannot be read comes as its reason instead.

    All names are given to one ``git cat-file --batch`` at once, so git reads ahead and nobody waits for an answer.
    Large blobs are read past and never held. A reader that stops early ends git.
    """
    if not names:
        return
    process = repository.stream("cat-file", "--batch", "--buffer", lines=names)
    out = process.stdout
    assert out is not None
    try:
        for _ in names:
            yield _next_blob(out)
    finally:
        out.close()
        process.terminate()
        process.wait()


def _next_blob(out: IO[bytes]) -> bytes | RepositoryUnreadable:
    header = out.readline().split()
    if len(header) != 3:
        return RepositoryUnreadable("missing object" if header[1:] == [b"missing"] else "broken object store")
    size = int(header[2])
    if size > LARGEST_BLOB:
        _read_past(out, size + 1)
        return RepositoryUnreadable(f"larger than {LARGEST_BLOB:,} bytes")
    data = out.read(size + 1)
    return data[:-1] if len(data) == size + 1 else RepositoryUnreadable("broken object store")


def _read_past(stream: IO[bytes], count: int) -> None:
    while count > 0 and (chunk := stream.read(min(count, 1 << 20))):
        count -= len(chunk)


def _environment() -> dict[str, str]:
    return {**os.environ, **_ENVIRONMENT}


def _last_line(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("fatal: ") if lines else ""
