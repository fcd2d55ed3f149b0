"""What a run learns from and is judged on: the split in time, secrets, hostile repositories, bad ones."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from retraining_tools import RECIPE, git_in, made_function, make_repository

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.corpus.repositories import open_repository
from codehunch_training.retraining.mining import Mined, mine
from codehunch_training.retraining.options import RetrainError
from codehunch_training.retraining.remotes import clone, head_of, is_address
from codehunch_training.retraining.timeline import opened, timelines

WANTED = {"later": 0.2, "valid": 0.15, "most_functions": 1000, "most_commits": 1000}


def mined_of(path: Path, out: Path, later: float = 0.2) -> Mined:
    lines, _ = timelines([(open_repository(path), "")], later)
    return mine(lines, ("defects", "generation"), out, WANTED)


def test_the_past_trains_and_what_came_later_judges(repository: Path, tmp_path: Path) -> None:
    mined = mined_of(repository, tmp_path / "out")
    splits = {row.path: set[str]() for row in mined.functions}
    for row in mined.functions:
        splits[row.path].add(row.split)
    later = {"module_8.py", "module_9.py"}
    assert {path for path, found in splits.items() if "test" in found} == later
    assert all(found == {"test"} for path, found in splits.items() if path in later)
    assert len(mined.functions) == 60
    assert all(row.around for row in mined.functions)
    assert 0 < len(mined.sources("valid")) < len(mined.sources("train"))
    assert {row.split for row in mined.bodies if row.path in later} == {"test"}
    (facts,) = mined.facts["repositories"]
    assert (facts["commits_trained_on"], facts["commits_judged_on"]) == (8, 2)
    assert facts["head"] == git_in(repository)("rev-parse", "HEAD").strip()


def test_a_changed_function_is_judged_on_and_an_untouched_one_is_not(tmp_path: Path) -> None:
    path = make_repository(tmp_path / "work", functions=10, commits=5)
    module = path / "module_0.py"
    module.write_text(module.read_text().replace("step *", "step +", 1))
    git = git_in(path)
    git("commit", "-q", "-a", "-m", "Add instead")
    mined = mined_of(path, tmp_path / "out", 0.17)
    assert [row.name for row in mined.functions if row.split == "test"] == ["step_0_0"]
    assert "step +" in next(row.text for row in mined.functions if row.split == "test")


def test_fixes_have_the_split_of_their_time(tmp_path: Path) -> None:
    path = make_repository(tmp_path / "work", functions=20, commits=5)
    git = git_in(path)
    for number, name in enumerate(("module_1.py", "module_2.py")):
        text = (path / name).read_text()
        (path / name).write_text(text.replace(" < 0 or ", " < 0 and ", 1))
        git("commit", "-q", "-a", "-m", "Tidy up")
        (path / name).write_text(text)
        git("commit", "-q", "-a", "-m", "Fix wrong bug in the check of bounds")
        if not number:
            for extra in range(2):
                (path / f"more_{extra}.py").write_text(made_function(random.Random(extra), f"more_{extra}"))
                git("add", "-A")
                git("commit", "-q", "-m", "More")
    mined = mined_of(path, tmp_path / "out", 0.2)
    found = {(row.path, row.split, row.label) for row in mined.fixes if row.role == "buggy"}
    assert found == {
        ("module_1.py", "train", "wrong-boolean-operator"),
        ("module_2.py", "test", "wrong-boolean-operator"),
    }


def test_secrets_do_not_reach_the_rows(tmp_path: Path) -> None:
    token, address = "AKIA" + "IOSFODNN7EXAMPLA", "someone@firm.org"  # Made up, in the form of real ones.

    def with_secret(rng: random.Random, name: str) -> str:
        plain = made_function(rng, name)
        return plain.replace("    for step", f"    key, owner = '{token}', '{address}'\n    for step")

    path = make_repository(tmp_path / "work", 10, 5, with_secret)
    mined = mined_of(path, tmp_path / "out")
    everything = repr(mined.functions) + repr(mined.bodies) + repr(mined.fixes)
    assert "key, owner" in everything
    assert token not in everything
    assert address not in everything


def test_nothing_of_a_repository_runs(tmp_path: Path) -> None:
    """Hooks, filters, external diffs, text conversions, file system monitors and pagers all name programs."""
    path = make_repository(tmp_path / "work", 20, 5)
    trap = tmp_path / "sprung"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    program.chmod(0o755)
    git = git_in(path)
    (path / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    git("add", "-A")
    git("commit", "-q", "-m", "Attributes")
    for name in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.command", "diff.evil.textconv",
                 "diff.external", "core.fsmonitor", "core.pager", "core.sshCommand", "uploadpack.packObjectsHook",
                 "core.gitProxy", "gpg.program", "core.editor", "credential.helper"):  # fmt: skip
        git("config", name, str(program))
    hooks = path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change", "fsmonitor-watchman"):
        shutil.copy(program, hooks / name)
    mined_of(path, tmp_path / "out")
    cloned = clone(path.as_uri(), tmp_path / "clones", 100, 1)
    mined_of(cloned, tmp_path / "other")
    assert not trap.exists()


def emptied(path: Path) -> None:
    for file in path.glob("*.py"):
        file.rename(file.with_suffix(".txt"))
    git = git_in(path)
    git("add", "-A")
    git("commit", "-q", "--amend", "-m", "x")
    git("checkout", "-q", "--orphan", "other")
    git("commit", "-q", "-m", "No Python")
    (path / "more.txt").write_text("more")
    git("add", "-A")
    git("commit", "-q", "-m", "Still none")


def corrupt(path: Path) -> None:
    for file in (path / ".git" / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"not what it was")


def squashed(path: Path) -> None:
    git = git_in(path)
    git("checkout", "-q", "--orphan", "other")
    git("commit", "-q", "-m", "All at once")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (corrupt, "cannot read HEAD"),
        (squashed, "one commit only"),
        (emptied, "no Python"),
        (lambda path: shutil.rmtree(path / ".git"), "not a git repository"),
        (lambda path: shutil.rmtree(path), "no such folder"),
    ],
    ids=["corrupt", "one commit", "no Python", "no repository", "no folder"],
)
def test_bad_repositories_are_told_in_a_line(tmp_path: Path, spoil: object, message: str) -> None:
    path = make_repository(tmp_path / "work", 10, 5)
    spoil(path)  # type: ignore[operator]

    def work() -> None:
        lines, _ = timelines([(opened(str(path)), "")], RECIPE.later)
        mine(lines, ("defects", "generation"), tmp_path / "out", WANTED)

    with pytest.raises(RetrainError, match=message) as caught:
        work()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com/a/b", True),
        ("git@example.com:a/b.git", True),
        ("ssh://git@example.com/a", True),
        ("file:///somewhere", True),
        ("../here", False),
        ("/work/a", False),
        ("a:b", False),
        ("ext::sh -c true", False),
    ],
)
def test_addresses(text: str, expected: bool) -> None:
    assert is_address(text) == expected


def test_clones_are_bare_and_within_limits(repository: Path, tmp_path: Path) -> None:
    address = repository.as_uri()
    path = clone(address, tmp_path / "clones", 100, 1)
    assert (path / "HEAD").is_file()
    assert not list(path.rglob("*.py"))
    assert head_of(address) == head_of(str(repository)) == open_repository(path).head
    assert clone(address, tmp_path / "clones", 0, 0) == path  # There already.
    for wrong in ("file:///nowhere/at/all", "https://127.0.0.1:9/none.git"):
        with pytest.raises(RetrainError, match=r"none|nowhere"):
            clone(wrong, tmp_path / "clones", 100, 1)
    assert not list((tmp_path / "clones").rglob("*.part"))
