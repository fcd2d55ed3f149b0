"""A repository's past and what came later: the split every judgement of a retrained model rests on."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from codehunch_training.corpus.licences import licence_of_repository
from codehunch_training.corpus.repositories import Repository, RepositoryUnreadable, open_repository
from codehunch_training.retraining.options import RetrainError


@attrs.frozen
class Timeline:
    """One repository, cut in two. The past is everything reachable from ``cut``; the rest came later."""

    past: Repository
    """Its head is the last commit of the past."""
    now: Repository
    licence: str
    past_commits: tuple[str, ...]
    """Without merges, the oldest first."""
    later_commits: tuple[str, ...]
    origin: str = ""
    """The address it was cloned from; empty for a repository of this machine."""

    @property
    def provenance(self) -> dict[str, object]:
        """What a bundle's manifest says about this repository."""
        return {
            "project": self.now.project,
            "licence": self.licence,
            "head": self.now.head,
            "trained_up_to": self.past.head,
            "commits_trained_on": len(self.past_commits),
            "commits_judged_on": len(self.later_commits),
            **({"origin": self.origin} if self.origin else {}),
        }


def timeline(repository: Repository, later: float, origin: str = "") -> Timeline:
    """Cut a history so that the share ``later`` of the main line's commits comes after the cut.

    Raises RepositoryUnreadable where there is one commit only, or nothing before the cut can be read.
    """
    main = repository.run("rev-list", "--first-parent", repository.head, "--").decode().split()
    if len(main) < 2:
        hint = " (it is a shallow clone: `git fetch --unshallow`)" if repository.shallow else ""
        raise RepositoryUnreadable(f"it has one commit only, so nothing came later to judge a new model on{hint}")
    at = min(len(main) - 1, max(1, round(later * len(main))))
    past = attrs.evolve(repository, head=main[at])
    after = repository.run(
        "rev-list", "--no-merges", "--reverse", "--topo-order", repository.head, f"^{main[at]}", "--"
    )
    return Timeline(
        past,
        repository,
        licence_of_repository(repository),
        tuple(past.commits()),
        tuple(after.decode().split()),
        origin,
    )


def timelines(
    repositories: Iterable[tuple[Repository, str]], later: float, allowed: frozenset[str] = frozenset()
) -> tuple[list[Timeline], list[tuple[str, str]]]:
    """Those that can be read, and the others with the reason. Raises RetrainError where none is left."""
    found: list[Timeline] = []
    refused: list[tuple[str, str]] = []
    for repository, origin in repositories:
        try:
            made = timeline(repository, later, origin)
            if allowed and made.licence not in allowed:
                raise RepositoryUnreadable(f"licence {made.licence} is not on the allow-list")
        except RepositoryUnreadable as error:
            refused.append((repository.project, error.reason))
            continue
        found.append(made)
    if not found:
        raise RetrainError("; ".join(f"{name}: {reason}" for name, reason in refused) + "; nothing was changed")
    return found, refused


def opened(path: str) -> Repository:
    """The repository at a path. Raises RetrainError with what is wrong with it."""
    from pathlib import Path

    try:
        return open_repository(Path(path))
    except RepositoryUnreadable as error:
        raise RetrainError(f"{path}: {error.reason}; name a git repository with --repo") from error
    except OSError as error:
        raise RetrainError(f"{path}: {error.strerror}; name a git repository that can be read with --repo") from error
