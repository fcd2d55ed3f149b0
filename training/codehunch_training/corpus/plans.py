"""From what a person named on the command line to units of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.corpus.folder import CorpusError
from codehunch_training.corpus.functions import map_functions, units_of_folder, units_of_revision
from codehunch_training.corpus.histories import map_histories, units_of_history
from codehunch_training.corpus.licences import PERMISSIVE, licence_of_repository
from codehunch_training.corpus.pairs import map_pairs
from codehunch_training.corpus.repositories import Repository, RepositoryUnreadable, open_repository, project_name
from codehunch_training.corpus.work import Plan, Unit


@attrs.frozen
class Allowed:
    """Which repositories may be read at all."""

    licences: frozenset[str] = PERMISSIVE
    """Empty: any."""
    excluded: frozenset[str] = frozenset()
    """``owner/name`` or ``name`` of projects to leave out, in lower case."""

    def refusal(self, project: str, licence: str) -> str | None:
        """Why a project is left out, or ``None``."""
        name = project.lower()
        if name in self.excluded or name.rpartition("/")[2] in self.excluded:
            return "excluded by name"
        if self.licences and licence not in self.licences:
            return f"licence {licence} is not on the allow-list"
        return None


def plan_functions(
    paths: Sequence[Path],
    out: Path,
    *,
    revision: str,
    options: Mapping[str, Any],
    allowed: Allowed,
    about: Mapping[str, Any],
) -> Plan:
    """Functions of folders and of repositories' revisions. Raises CorpusError where nothing at all can be read."""
    plan = Plan(map_functions, {**options, "revision": revision}, (), out, "functions", about)
    return _with_files(plan, paths, revision, allowed, (".py",))


def plan_pairs(
    paths: Sequence[Path],
    out: Path,
    *,
    revision: str,
    options: Mapping[str, Any],
    allowed: Allowed,
    about: Mapping[str, Any],
) -> Plan:
    """Descriptions and their code, from Python files and from documents. Raises CorpusError as ``plan_functions``."""
    suffixes = (".py", ".md", ".rst") if "readme" in options["kinds"] else (".py",)
    plan = Plan(map_pairs, {**options, "revision": revision}, (), out, "pairs", about)
    return _with_files(plan, paths, revision, allowed, suffixes)


def _with_files(plan: Plan, paths: Sequence[Path], revision: str, allowed: Allowed, suffixes: tuple[str, ...]) -> Plan:
    units: list[Unit] = []
    skipped: dict[str, int] = {}
    unreadable: list[tuple[str, str]] = []
    inputs: list[dict[str, Any]] = []
    for path in paths:
        try:
            found, entry, reasons = _files_of(path, revision, allowed, suffixes)
        except RepositoryUnreadable as error:
            unreadable.append((str(path), error.reason))
            continue
        units.extend(found)
        inputs.append(entry)
        for reason, count in reasons.items():
            skipped[reason] = skipped.get(reason, 0) + count
    about = {**plan.about, "inputs": inputs}
    return _checked(attrs.evolve(plan, units=units, about=about, unreadable=tuple(unreadable), skipped=skipped))


def _files_of(
    path: Path, revision: str, allowed: Allowed, suffixes: tuple[str, ...]
) -> tuple[list[Unit], dict[str, Any], dict[str, int]]:
    try:
        repository = open_repository(path, revision or "HEAD")
    except RepositoryUnreadable as error:
        # A plain folder of sources will do as well, unless a revision was asked for.
        if revision or error.reason != "not a git repository" or not path.is_dir():
            raise
        units = units_of_folder(path, project_name(path), suffixes)
        if not units:
            raise RepositoryUnreadable("no source files and no git repository") from error
        return units, {"project": project_name(path), "path": str(path)}, {}
    licence = licence_of_repository(repository)
    refusal = allowed.refusal(repository.project, licence)
    if refusal is not None:
        raise RepositoryUnreadable(refusal)
    units, reasons = units_of_revision(repository, licence, suffixes)
    return units, _entry(repository, licence), reasons


def plan_histories(
    paths: Sequence[Path],
    out: Path,
    *,
    since: str,
    until: str,
    options: Mapping[str, Any],
    allowed: Allowed,
    about: Mapping[str, Any],
) -> Plan:
    """Bug fixes from the histories of repositories. Raises CorpusError where nothing at all can be read."""
    units: list[Unit] = []
    unreadable: list[tuple[str, str]] = []
    inputs: list[dict[str, Any]] = []
    for path in paths:
        try:
            repository = open_repository(path)
            licence = licence_of_repository(repository)
            refusal = allowed.refusal(repository.project, licence)
            if refusal is not None:
                raise RepositoryUnreadable(refusal)
            units.extend(units_of_history(repository, licence, since=since, until=until))
        except RepositoryUnreadable as error:
            unreadable.append((str(path), error.reason))
            continue
        inputs.append(_entry(repository, licence))
    values = {**options, "since": since, "until": until}
    plan = Plan(map_histories, values, units, out, "defects", {**about, "inputs": inputs}, tuple(unreadable))
    return _checked(plan)


def _entry(repository: Repository, licence: str) -> dict[str, Any]:
    entry = {"project": repository.project, "head": repository.head, "licence": licence}
    return {**entry, "shallow": True} if repository.shallow else entry


def _checked(plan: Plan) -> Plan:
    keys = [unit.key for unit in plan.units]
    if len(set(keys)) != len(keys):
        raise CorpusError("the same project is named twice; name each repository once")
    if not keys and not plan.about.get("inputs"):
        reasons = "; ".join(f"{path}: {reason}" for path, reason in plan.unreadable[:5])
        raise CorpusError(f"nothing to read ({reasons or 'no input'})")
    return plan


def paths_from_list(path: Path) -> Iterable[Path]:
    """Paths from a text file, one a line; blank lines and lines that begin with ``#`` are left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read {path}: {error}") from error
    return [Path(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
