"""Running the command line, in this process where that is enough and in its own where it is not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from codehunch.cli import main

WRONG = """\
def area(width, height):
    if width < 0 or width < 0:
        raise ValueError("negative size")
    return width * height


def overlap(first, second):
    start = max(first.start, second.start)
    end = min(first.end, second.start)
    return max(0, end - start)


def copy_points(source, target):
    for index in range(len(source)):
        target[index].x = source[index].x
        target[index].y = source[index].x


def split_pairs(pairs):
    keys = []
    values = []
    for key, value in pairs:
        keys.append(key)
        values.append(key)
    return keys, values


class Account:
    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = owner

    def withdraw(self, amount):
        if amount < self.balance:
            raise ValueError("not enough money")
        self.balance -= amount


def first_line(path, cache):
    if path not in cache:
        return cache[path]
    with open(path) as stream:
        cache[path] = stream.readline()
    return cache[path]


def total(items):
    result = 0
    for item in items:
        result += item.price
    result


def check_name(name):
    if not isinstance(name, str):
        TypeError(f"a name must be a string, not {name!r}")
    return name.strip()
"""
"""Mistakes that a person sees at once; the model sees at least one of them when it is asked to be strict."""

CLEAN = "def name_of(person):\n    return person.name\n"


@attrs.frozen
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded bundles serve, whatever the person who runs the tests has installed."""
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_WORKSPACE", "CODEHUNCH_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``cli("check", "a.py", stdin=b"...")`` in this process."""

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run


@pytest.fixture
def process() -> Cli:
    """``process("check", "a.py")`` in a process of its own."""

    def run(*arguments: str, stdin: bytes = b"", python: tuple[str, ...] = (), **variables: str) -> Result:
        done = subprocess.run(
            [sys.executable, *python, "-m", "codehunch", *arguments],
            input=stdin,
            capture_output=True,
            env={**os.environ, **variables},
            timeout=120,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
