"""What is new in repositories since the last retraining, for ``codehunch retrain --watch``.

Only git is asked; nothing of the training libraries is loaded while it waits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from codehunch_training.corpus.repositories import RepositoryUnreadable, open_repository
from codehunch_training.retraining.options import Task
from codehunch_training.retraining.remotes import head_of, is_address
from codehunch_training.retraining.state import read_json, runs_folder, write_json


@attrs.frozen
class News:
    """What one look found."""

    heads: Mapping[str, str]
    """Newest commit by repository; without those that did not answer."""
    enough: bool
    why: str
    """A few words for the person."""


def look(repositories: Sequence[str], known: Mapping[str, str], least: int) -> News:
    """Compare the newest commits of folders and addresses with those ``known``, which were retrained on.

    Enough is ``least`` new commits in all. A repository that was not retrained on yet, an address that has moved on
    (how far, it does not tell), and a history that was rewritten are enough by themselves; no answer is no news.
    """
    heads: dict[str, str] = {}
    commits, reasons = 0, []
    for name in repositories:
        head = head_of(name)
        if not head:
            continue
        heads[name] = head
        before = known.get(name)
        if before == head:
            continue
        added = None if before is None or is_address(name) else _added(name, before, head)
        if before is None:
            reasons.append(f"{name} was not retrained on yet")
        elif added is None:
            reasons.append(f"{name} has moved on")
        else:
            commits += added
    if commits >= least:
        reasons.append(f"{commits:,} new commits")
    if reasons:
        return News(heads, True, "; ".join(reasons))
    if not heads:
        return News(heads, False, "none of the repositories answers")
    return News(heads, False, f"{commits:,} new commits of the {least:,} that are enough" if commits else "nothing new")


def _added(name: str, before: str, after: str) -> int | None:
    """Commits without merges since ``before``; ``None`` where it is no ancestor or is gone."""
    try:
        repository = open_repository(Path(name))
        if repository.run("rev-list", "-n", "1", before, f"^{after}", "--").strip():
            return None
        return int(repository.run("rev-list", "--count", "--no-merges", after, f"^{before}", "--"))
    except (RepositoryUnreadable, OSError):
        return None


def remembered(repositories: Iterable[str], tasks: Iterable[Task]) -> dict[str, str]:
    """The commits the last run of a watch over the same repositories and tasks has read; also after a restart."""
    try:
        found = read_json(_file(repositories, tasks))
    except (OSError, ValueError):
        return {}
    return {str(name): str(head) for name, head in found.items()} if isinstance(found, dict) else {}


def remember(repositories: Iterable[str], tasks: Iterable[Task], heads: Mapping[str, str]) -> None:
    """Keep the commits a run that came to its end has read."""
    write_json(_file(repositories, tasks), dict(heads))


def _file(repositories: Iterable[str], tasks: Iterable[Task]) -> Path:
    digest = hashlib.sha256(json.dumps([sorted(repositories), sorted(tasks)]).encode()).hexdigest()
    return runs_folder() / f"watch-{digest[:10]}.json"
