"""Small git repositories, made on the spot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

Commit = tuple[str, Mapping[str, str | bytes | None]]
"""A message, and the files written (or, with ``None``, removed) before it."""
MakeRepository = Callable[[Sequence[Commit]], Path]

MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"


def run_git(folder: Path, *arguments: str, when: int = 1_600_000_000) -> str:
    environment = {
        **os.environ,
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_AUTHOR_DATE": f"{when} +0000",
        "GIT_COMMITTER_DATE": f"{when} +0000",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def git() -> Callable[..., str]:
    """``git(folder, *arguments)`` with a fixed author and time; gives what git printed."""
    return run_git


@pytest.fixture
def make_repository(tmp_path: Path) -> MakeRepository:
    """Makes a repository with an MIT licence and one commit after the other, a day apart."""
    made = 0

    def make(commits: Sequence[Commit]) -> Path:
        nonlocal made
        made += 1
        folder = tmp_path / f"project{made}"
        folder.mkdir()
        run_git(folder, "init", "-q", "-b", "main")
        for number, (message, files) in enumerate([("begin", {"LICENSE": MIT}), *commits]):
            for name, content in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if content is None:
                    path.unlink()
                else:
                    path.write_bytes(content if isinstance(content, bytes) else content.encode())
            run_git(folder, "add", "-A")
            run_git(folder, "commit", "-q", "--allow-empty", "-m", message, when=1_600_000_000 + 86_400 * number)
        return folder

    return make
