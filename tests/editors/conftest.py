"""What the editor tests share. They drive real editors with the installed wheel, the packaged extension and the
bundles that ship; tests/editors/install.sh puts all of it into one folder."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .asking import bodies_of
from .examples import COMMENTED, DESCRIBED, EXEMPLIFIED, MISTAKES, Mistake
from .matrix import EDITORS_SHOWN, FEATURES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDITORS = Path(os.environ.get("EDITORS", ROOT / "build" / "editors")).absolute()
SEEN = EDITORS / "seen.tsv"
"""Which editor has shown what since the file was removed."""
CODEHUNCH = EDITORS / "server" / "bin" / "codehunch"

_TEXTS = {"described": DESCRIBED, "commented": COMMENTED, "exemplified": EXEMPLIFIED}

Shows = Callable[..., None]
Drive = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def codehunch() -> Path:
    """The installed server."""
    if not CODEHUNCH.exists():
        pytest.fail(f"{CODEHUNCH} is missing: run tests/editors/install.sh")
    return CODEHUNCH


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Any:
    """What ``make`` gives for a new folder, made by one of the test processes and read by the others."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = root / f"{name}.json"
        if not kept.exists():
            folder = Path(tempfile.mkdtemp(prefix=name, dir=root))
            kept.write_text(json.dumps(make(folder)), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def mistake(codehunch: Path, tmp_path_factory: pytest.TempPathFactory) -> Mistake:
    """The first mistake that the shipped model sees on its token, alone and with the right repair, and no longer once
    it is mended."""
    name = once(tmp_path_factory, "mistake", lambda folder: _first_seen(codehunch, folder))
    return next(each for each in MISTAKES if each.name == name)


def _first_seen(codehunch: Path, folder: Path) -> str:
    wrong, right = folder / "wrong", folder / "right"
    for place in (wrong, right):
        place.mkdir()
    for each in MISTAKES:
        (wrong / each.name).write_text(each.text, encoding="utf-8")
        (right / each.name).write_text(each.mended, encoding="utf-8")
    command = [codehunch, "check", "--format", "json", wrong, right]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    for each in MISTAKES:
        here = [row for row in rows if Path(row["filename"]).name == each.name]
        if len(here) == 1 and Path(here[0]["filename"]).parent == wrong and _is_about(here[0], each):
            return each.name
    pytest.fail(f"the shipped model sees none of the mistakes in examples.py: {rows}")


def _is_about(row: dict[str, Any], mistake: Mistake) -> bool:
    lines = mistake.text.split("\n")
    edits = row["fix"]["edits"] if row["fix"] else []
    for edit in sorted(edits, key=lambda each: each["location"]["column"], reverse=True):
        begin, end = edit["location"], edit["end_location"]
        line = lines[begin["row"] - 1]
        lines[begin["row"] - 1] = line[: begin["column"] - 1] + edit["content"] + line[end["column"] - 1 :]
    place = (row["location"]["row"], row["location"]["column"])
    return place == (mistake.line + 1, mistake.column + 1) and "\n".join(lines) == mistake.mended


@pytest.fixture(scope="session")
def bodies(codehunch: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """``described``, ``commented`` and ``exemplified``: texts at whose end a body is offered unasked."""
    found: dict[str, str] = once(tmp_path_factory, "bodies", lambda folder: _offered(codehunch, folder))
    return found


def _offered(codehunch: Path, folder: Path) -> dict[str, str]:
    texts = {f"{kind}_{i}.py": text for kind in _TEXTS for i, text in enumerate(_TEXTS[kind])}
    offered = bodies_of(codehunch, folder, texts)
    found = {kind: [text for name, text in texts.items() if name.startswith(kind) and offered[name]] for kind in _TEXTS}
    assert all(found.values()), f"no body is offered unasked: {offered}"
    return {kind: rows[0] for kind, rows in found.items()}


@pytest.fixture
def shows() -> Shows:
    """``shows(editor, feature, ...)``: what a test has just asserted, for the table in the documentation."""

    def add(editor: str, *features: str) -> None:
        assert editor in EDITORS_SHOWN, editor
        assert set(features) <= set(FEATURES), features
        with SEEN.open("a", encoding="utf-8") as out:
            out.write("".join(f"{editor}\t{feature}\n" for feature in features))

    return add


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first."""
    items.sort(key=lambda item: "test_vscode" not in item.nodeid)


@pytest.fixture
def drive(codehunch: Path, tmp_path: Path) -> Drive:
    """Runs an editor and gives back the JSON lines its script wrote to $REPORT, an object each."""

    def run(*command: str | Path, seconds: float = 90, **variables: str) -> list[dict[str, Any]]:
        report = tmp_path / "report.jsonl"
        state = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        environment = {**os.environ, **state, "HOME": str(tmp_path), "CODEHUNCH": str(codehunch), "REPORT": str(report)}
        arguments = [str(part) for part in command]
        result = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=tmp_path,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            timeout=seconds,
        )
        written = report.read_text(encoding="utf-8") if report.exists() else ""
        rows = [json.loads(line) for line in written.splitlines()]
        if result.returncode != 0:
            pytest.fail(f"{arguments[0]} ended with {result.returncode}\n{result.stdout}\n{result.stderr}\n{written}")
        return rows

    return run


def named(rows: list[dict[str, Any]], name: str) -> Any:
    """What a script reported under a name."""
    found = [row[name] for row in rows if name in row]
    assert found, f"nothing was reported as {name}: {rows}"
    return found[-1]
