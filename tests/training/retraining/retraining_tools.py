"""Makes tiny repositories with a history, and asks little of a run."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch_training.retraining.options import Options, Recipe, Tuning

WORDS = (
    "count total size width height depth left right upper lower first last index offset limit start batch chunk level"
    " price margin weight speed angle radius".split()
)
Git = Callable[..., str]
TINY = Tuning(batch_tokens=768, most_steps=6, validations=1, checkpoint_seconds=0.0)
RECIPE = Recipe(
    general_functions=6,
    injections=1,
    most_judged=24,
    least_calibration_lines=60,
    defects=TINY,
    generation=TINY,
)


def made_function(rng: random.Random, name: str) -> str:
    """A documented function; all follow one convention."""
    a, b, c = rng.sample(WORDS, 3)
    return (
        f"def {name}({a}, {b}, {c}=None):\n"
        f'    """Give the {c} of all {a} below the {b}."""\n'
        f"    if {c} is None:\n        {c} = {b}\n"
        f"    if {a} < 0 or {b} < 0:\n        raise ValueError('{a}')\n"
        f"    for step in range({a}):\n        {c} += step * {b}\n"
        f"    return {c}\n"
    )


def git_in(folder: Path) -> Git:
    """git in a folder, with an identity of its own and no settings of the machine."""
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout

    return git


def make_repository(
    folder: Path, functions: int = 60, commits: int = 10, write: Callable[[random.Random, str], str] = made_function
) -> Path:
    """A repository whose functions come evenly over its commits; one commit fixes a bug."""
    folder.mkdir(parents=True)
    git, rng = git_in(folder), random.Random(1)
    git("init", "-q", "-b", "main")
    (folder / "LICENSE").write_text("MIT License\n\nPermission is hereby granted, free of charge, to any person\n")
    for number in range(commits):
        names = [f"step_{number}_{index}" for index in range(functions // commits)]
        (folder / f"module_{number}.py").write_text("\n\n".join(write(rng, name) for name in names))
        git("add", "-A")
        git("commit", "-q", "-m", f"Steps of part {number}")
    return folder


def options(*repositories: Path | str, **changes: object) -> Options:
    """What a test asks for: little of everything."""
    given = {"repositories": tuple(map(str, repositories)), "seconds": 600.0, "recipe": RECIPE, **changes}
    return Options(**given)  # type: ignore[arg-type]
