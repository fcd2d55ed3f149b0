"""Only code that differs from a revision; git reads objects and runs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from codehunch.changes import Revision, RevisionUnknown
from codehunch.defects.findings import Finding
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
OLD = "def one():\n    return 1\n\n\nclass A:\n    def two(self):\n        return 2\n\n\nif A:\n    return 5\n"


def git(folder: Path, *arguments: str) -> None:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, **names})


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work é"
    folder.mkdir()
    git(folder, "init", ".")
    (folder / "a.py").write_text(OLD, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "x")
    return folder


def touched(revision: Revision, path: Path, text: str) -> list[str]:
    """Which of the words in the text that start with ``return`` lie in a touched function."""
    starts = [at for at in range(len(text)) if text.startswith("return ", at)]
    found = [Finding("CH101", "x", "", Span(at, at + 8), "", 0.9) for at in starts]
    kept = revision.touched(found, str(path), SourceText(text), "python")
    return [each.span.of(text) for each in kept]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OLD, []),
        (OLD.replace("return 1", "return 7"), ["return 7"]),
        (OLD.replace("return 2", "return 7"), ["return 7"]),
        ("x = 1\n\n\n" + OLD, []),
        (OLD.replace("\n", "\r\n"), []),
        (OLD.replace("1\n", "1  \n"), []),
        (OLD.replace("class A:\n    def two(self):\n        return", "def two(self):\n    return"), []),
        (OLD.replace("    return 1", "     return 1"), ["return 1"]),
        (OLD + "\n\ndef three():\n    return 3\n", ["return 3"]),
        (OLD.replace("return 5", "return 6"), ["return 6"]),
        (OLD.replace("return 1", "return 7") + "while A:\n    return 8\n", ["return 7", "return 8"]),
    ],
)
def test_touched(repository: Path, text: str, expected: list[str]) -> None:
    path = repository / "a.py"
    for name in ("HEAD", "main"):
        assert touched(Revision(name), path, text) == expected
    unchanged = Revision("HEAD").is_unchanged(str(path), SourceText(text), "python")
    assert unchanged == (text.replace("\r\n", "\n").replace(" \n", "\n").replace(" \n", "\n") == OLD)


def test_a_new_file_is_all_new(repository: Path) -> None:
    assert touched(Revision("HEAD"), repository / "deep" / "b.py", OLD) == ["return 1", "return 2", "return 5"]


@pytest.mark.parametrize("name", ["nothing", "--help", "", "HEAD~1", "a.py"])
def test_no_such_revision(repository: Path, name: str) -> None:
    with pytest.raises(RevisionUnknown, match="no revision"):
        touched(Revision(name), repository / "a.py", OLD)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RevisionUnknown, match="no git repository"):
        touched(Revision("HEAD"), tmp_path / "a.py", OLD)


def test_nothing_a_repository_names_is_run(repository: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for key in ("core.fsmonitor", "core.sshCommand", "filter.x.clean", "filter.x.smudge", "diff.x.textconv"):
        git(repository, "config", key, f"touch '{mark}'; cat")
    (repository / ".gitattributes").write_text("*.py filter=x diff=x\n", encoding="utf-8")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch '{mark}'\n", encoding="utf-8")
        (hooks / hook).chmod(0o755)
    # An object that is missing is not fetched from where the repository says.
    git(repository, "config", "remote.origin.url", f"ext::touch {mark}")
    git(repository, "config", "remote.origin.promisor", "true")
    git(repository, "config", "extensions.partialClone", "origin")
    mark.unlink(missing_ok=True)
    changed = OLD.replace("return 1", "return 7")
    assert touched(Revision("HEAD"), repository / "a.py", changed) == ["return 7"]
    blob = next(each for each in (repository / ".git" / "objects").rglob("*") if each.is_file())
    for each in [blob, *(repository / ".git" / "objects").rglob("*")]:
        if each.is_file():
            each.unlink()
    with pytest.raises(RevisionUnknown):
        touched(Revision("HEAD"), repository / "a.py", changed)
    assert not mark.exists()
