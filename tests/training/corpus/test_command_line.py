"""``codehunch corpus`` from end to end: results, exit codes, what is said on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codehunch.cli import main
from codehunch_training.corpus.folder import read_rows

SHELF = """
class Shelf:
    def area(self, width, height):
        "Area of the shelf in square metres."
        total = width * height
        return total

    def grow(self, width, by):
        total = width + by
        return total
"""
MakeRepository = Callable[..., Path]


@pytest.fixture
def history(make_repository: MakeRepository) -> Path:
    return make_repository(
        [("a", {"shelf.py": SHELF}), ("Fix wrong area", {"shelf.py": SHELF.replace("width * height", "width * width")})]
    )


def run_cli(*arguments: object) -> int:
    return main(["corpus", *map(str, arguments)])


def test_the_whole_way(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    functions, mined, injected = tmp_path / "functions", tmp_path / "mined", tmp_path / "injected"
    assert run_cli("functions", history, "--out", functions, "--jobs", 1) == 0
    fingerprint = capsys.readouterr().out.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint)
    assert json.loads((functions / "corpus.json").read_text())["fingerprint"] == fingerprint
    assert run_cli("histories", history, "--out", mined, "--jobs", 1) == 0
    assert run_cli("inject", functions, "--out", injected, "--jobs", 1, "--seed", 5) == 0
    assert run_cli("docs", history, "--out", tmp_path / "docs", "--jobs", 1) == 0
    assert run_cli("preferences", mined, "--out", tmp_path / "p.json") == 0
    assert run_cli("dedup", injected, "--out", tmp_path / "clean", "--fractions", "1,0,0", "--exact") == 0
    capsys.readouterr()
    assert run_cli("report", tmp_path / "clean") == 0
    assert "buggy" in capsys.readouterr().out


def test_rows_from_little_or_nothing(tmp_path: Path) -> None:
    made, more, table = tmp_path / "made", tmp_path / "more", tmp_path / "questions.csv"
    assert run_cli("made", "--out", made, "--count", 20, "--jobs", 1) == 0
    assert run_cli("augment", made, "--out", more, "--ways", "synonyms,mixed,templates,noise", "--jobs", 1) == 0
    texts = [row.text for row in read_rows(more)]
    assert len(texts) > 30
    assert len(set(texts)) > len({row.text for row in read_rows(made)})
    table.write_text("intent,snippet\nsort a list,sorted(x)\n", encoding="utf-8")
    assert run_cli("load", table, "--question", "intent", "--code", "snippet", "--out", tmp_path / "loaded") == 0
    assert run_cli("dedup", made, tmp_path / "loaded", "--out", tmp_path / "clean", "--split", "given") == 0


def test_bad_inputs_beside_a_good_one(
    history: Path, make_repository: MakeRepository, git: Callable[..., str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Named where nothing of an input can be read, counted where a part cannot, and the rest is done."""
    empty, plain, shallow, torn = (tmp_path / name for name in ("empty", "plain", "shallow", "torn"))
    subprocess.run(["git", "init", "-q", str(empty)], check=True)
    plain.mkdir()
    odd = make_repository([("a", {"huge.py": b"x = 1\n" * 9_000_000, "odd.py": b"# coding: martian\nx = 1\n"})])
    git(odd, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(history), "sub")
    git(odd, "commit", "-q", "-m", "Fix with a submodule")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{history}", str(shallow))
    shutil.copytree(history, torn)
    blob = git(torn, "rev-parse", "HEAD:shelf.py")
    (torn / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    inputs = [history, empty, plain, shallow, torn, odd]
    assert run_cli("histories", *inputs, "--out", tmp_path / "mined", "--jobs", 1) == 1
    said = capsys.readouterr().err
    assert f"{empty}: no commits yet" in said
    assert f"{plain}: not a git repository" in said
    manifest = json.loads((tmp_path / "mined" / "corpus.json").read_text())
    assert manifest["total"] > 0
    assert manifest["skipped"]["missing object"] == 1
    assert manifest["skipped"]["cut off by a shallow clone"] == 1
    assert run_cli("functions", *inputs, "--out", tmp_path / "functions", "--jobs", 1) == 1
    skipped = json.loads((tmp_path / "functions" / "corpus.json").read_text())["skipped"]
    assert all(skipped[reason] == 1 for reason in ("missing object", "submodule", "larger than 1,000,000 bytes"))
    assert any("martian" in reason for reason in skipped)
    # What was only counted changes no exit code.
    assert run_cli("functions", shallow, odd, "--out", tmp_path / "counted", "--jobs", 1) == 0


def test_a_terminal_sees_rate_and_time_left(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    ours, theirs = pty.openpty()
    words = ["corpus", "made", "--out", str(tmp_path / "out"), "--count", "1500", "--jobs", "1"]
    command = [sys.executable, "-m", "codehunch", *words]
    environment = {**os.environ, "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as done:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # The other side has closed.
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert done.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "1500/1500 pairs" in text
    assert re.search(r"[\d,]+ pairs/s", text)
    assert re.search(r"\d:\d\d:\d\d", text)


EXITS: list[tuple[list[str], int, str]] = [
    (["functions", "absent", "--out", "out"], 2, "nothing to read (absent: no such folder)"),
    (["histories", "HISTORY", "absent", "--out", "out", "--jobs", "1"], 1, "absent: no such folder"),
    (["histories", "HISTORY", "--exclude", "project1", "--out", "out"], 2, "excluded by name"),
    (["histories", "HISTORY", "--licences", "Apache-2.0", "--out", "out"], 2, "licence MIT is not on the allow-list"),
    (["functions", "HISTORY", "--revision", "nowhere", "--out", "out"], 2, "cannot read nowhere"),
    (["functions", "@absent.txt", "--out", "out"], 2, "cannot read absent.txt"),
    (["report", "absent"], 2, "no finished corpus"),
    (["inject", "absent", "--out", "out"], 2, "no finished corpus"),
    (["dedup", "absent", "--out", "out"], 2, "no finished corpus"),
    (["dedup", "absent", "--out", "out", "--fractions", "1"], 2, "give three numbers"),
    (["load", "absent.csv", "--out", "out", "--text", "a", "--label", "b"], 2, "does not exist"),
    (["docs", "HISTORY", "--out", "out", "--kinds", "poems"], 2, "choose from docstring, comment, readme"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), EXITS)
def test_exit_codes(
    arguments: list[str], code: int, said: str, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_cli(*(str(history) if word == "HISTORY" else word for word in arguments)) == code
    assert said in capsys.readouterr().err


def test_a_changed_corpus_is_noticed(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run_cli("functions", history, "--out", out, "--jobs", 1)
    manifest = json.loads((out / "corpus.json").read_text())
    (out / "corpus.json").write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))
    assert run_cli("report", out) == 2
    assert "do not match the fingerprint" in capsys.readouterr().err


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['codehunch_training.corpus.folder'] = None\n"
        "from codehunch.cli import main; sys.exit(main(['corpus', 'report', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'codehunch[corpus]'" in done.stderr
