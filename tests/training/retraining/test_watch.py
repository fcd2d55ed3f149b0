"""`codehunch retrain --watch`: what counts as news, what is remembered, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from retraining_tools import git_in, make_repository

from codehunch.bundles import store
from codehunch_training.retraining.watching import look, remember, remembered


def commit(path: Path, count: int) -> None:
    git = git_in(path)
    for number in range(count):
        git("commit", "-q", "--allow-empty", "-m", f"More {number}")


def test_what_is_enough(tmp_path: Path) -> None:
    path = make_repository(tmp_path / "work", 5, 5)
    name, git = str(path), git_in(path)
    head = git("rev-parse", "HEAD").strip()
    first = look([name], {}, 3)
    assert (first.enough, dict(first.heads)) == (True, {name: head})
    same = look([name], {name: head}, 3)
    assert (same.enough, same.why) == (False, "nothing new")
    commit(path, 2)
    few = look([name], {name: head}, 3)
    assert (few.enough, few.why) == (False, "2 new commits of the 3 that are enough")
    commit(path, 1)
    assert look([name], {name: head}, 3).why == "3 new commits"
    address = path.as_uri()
    assert look([address], {address: head}, 99).why == f"{address} has moved on"
    git("reset", "-q", "--hard", "HEAD~3")
    git("commit", "-q", "--amend", "-m", "Another history")
    rewritten = look([name], {name: head}, 99)
    assert (rewritten.enough, rewritten.why) == (True, f"{name} has moved on")


def test_no_answer_is_no_news(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for known in ({}, {gone: "0" * 40}):
        found = look([gone], known, 1)
        assert (found.enough, found.why) == (False, "none of the repositories answers")


def test_two_repositories_are_counted_together(tmp_path: Path) -> None:
    paths = [make_repository(tmp_path / name, 5, 5) for name in ("one", "two")]
    names = [str(path) for path in paths]
    known = dict(look(names, {}, 1).heads)
    for path in paths:
        commit(path, 2)
    assert look(names, known, 4).enough
    assert not look(names, known, 5).enough


def test_what_was_read_is_remembered_by_repositories_and_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    assert remembered(["a"], ["defects"]) == {}
    remember(["a"], ["defects"], {"a": "1"})
    assert remembered(["a"], ["defects"]) == {"a": "1"}
    assert remembered(["a"], ["generation"]) == remembered(["a", "b"], ["defects"]) == {}
    (file,) = (tmp_path / "home" / "retrain").iterdir()
    for damaged in ("{", "[]"):
        file.write_text(damaged)
        assert remembered(["a"], ["defects"]) == {}


def test_it_stays_retrains_on_news_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """Too few later functions: the run ends quickly with its reason, and the watch goes on."""
    path = make_repository(tmp_path / "work", 20, 10)
    process = subprocess.Popen(
        [sys.executable, "-m", "codehunch", "retrain", "--repo", str(path), "--watch", "20s"],
        env={**os.environ, store.HOME_VARIABLE: str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    told: list[str] = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("next look"):
            process.send_signal(signal.SIGINT)
            break
    _, rest = process.communicate(timeout=600)
    assert process.returncode == 130
    assert rest == ""
    assert told[0].startswith("retraining: ")
    assert "was not retrained on yet" in told[0]
    assert any("functions came or changed" in line for line in told)
    assert told[-2:] == [
        "the run ended with exit code 2; it is tried again at the next look\n",
        "next look in 20 seconds; Ctrl-C ends\n",
    ]


@pytest.mark.parametrize("more", [("--dry-run",), ("--folder", "here")])
def test_what_does_not_go_together(tmp_path: Path, more: tuple[str, ...]) -> None:
    path = make_repository(tmp_path / "work", 5, 5)
    done = subprocess.run(
        [sys.executable, "-m", "codehunch", "retrain", "--repo", str(path), "--watch", "1h", *more],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 2
    assert "leave one of them out" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
