"""Repositories to what one run learns from and is judged on, by the corpus engine of ``codehunch corpus``.

Everything is split in time: the past trains and calibrates, what came later judges. Secrets and e-mail addresses
are masked before a row is written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.surroundings import Around, words_of
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import Source, source_of
from codehunch_training.corpus.docstrings import examples_in
from codehunch_training.corpus.folder import CorpusError, read_manifest, read_rows
from codehunch_training.corpus.functions import Files, sources, units_of_revision
from codehunch_training.corpus.harvest import dedented, fingerprint_of
from codehunch_training.corpus.histories import COMMITS_A_UNIT, Stretch, map_histories, units_of_history
from codehunch_training.corpus.repositories import Repository, RepositoryUnreadable
from codehunch_training.corpus.rows import BodyRow, DefectRow, FunctionRow, identified
from codehunch_training.corpus.scrub import emails_in, mask, scrubbed, secrets_in
from codehunch_training.corpus.work import Notes, Plan, Progress, Unit, run
from codehunch_training.retraining.options import RetrainError, Task
from codehunch_training.retraining.timeline import Timeline

SHORTEST, LONGEST = 20, 900
"""Lexemes of a function that is learned from, as for the models that ship."""


@attrs.frozen(eq=False)
class Mined:
    """Rows by part. ``split`` is ``train`` (the past), ``valid`` (of the past, kept aside) or ``test`` (later)."""

    functions: tuple[FunctionRow, ...]
    fixes: tuple[DefectRow, ...]
    bodies: tuple[BodyRow, ...]
    facts: Mapping[str, Any]
    """What the report says: counts and reasons for what was left out."""

    def sources(self, split: str) -> list[Source]:
        return [source_of(row) for row in self.functions if row.split == split]


def functions_in(text: str, path: str, common: Mapping[str, Any]) -> Iterator[FunctionRow]:
    """The functions the detector would read in a file: not nested, ``SHORTEST`` to ``LONGEST`` lexemes, parsing."""
    parsed = parse(text)
    file = surroundings_of(text)
    for function, node in function_nodes(parsed):
        if function.nesting or function.broken or not SHORTEST <= len(lexemes_of(parsed, node)) <= LONGEST:
            continue
        cut = dedented(parsed.text, function.span.start, function.span.end)
        line = text.count("\n", 0, function.span.start) + 1
        around = Around(file, function.enclosing_class).narrowed(words_of(cut)).to_json()
        yield FunctionRow(path=path, name=function.qualified_name, text=cut, line=line, around=around, **common)


@attrs.frozen
class Trees:
    """A repository's two trees, as a worker gets them."""

    timeline: Timeline
    valid: float
    most: int


def map_functions(trees: Trees, options: Mapping[str, Any], notes: Notes) -> Iterator[FunctionRow]:
    """Functions of the past tree, and those of today's that are not in it: new ones and changed ones."""
    seen: set[bytes] = set()
    for when, repository in (("past", trees.timeline.past), ("later", trees.timeline.now)):
        known = frozenset(seen) if when == "later" else frozenset()
        count = 0
        for path, text, common in _files(repository, trees.timeline.licence, notes):
            for row in functions_in(text, path, common):
                key = fingerprint_of(row.text)
                if key in seen:
                    if key not in known:
                        notes.skipped["duplicate"] += 1
                    continue
                seen.add(key)
                count += 1
                if count > trees.most:
                    notes.skipped["more functions than most_functions"] += 1
                    continue
                # By the fingerprint: which functions are kept aside does not change from night to night.
                kept = int.from_bytes(key[:4], "big") / 2**32 < trees.valid
                split = "test" if when == "later" else "valid" if kept else "train"
                masked, values = scrubbed([attrs.evolve(row, split=split)])
                notes.skipped["(masked secrets and addresses)"] += values
                yield identified(masked[0])


def map_bodies(trees: Trees, options: Mapping[str, Any], notes: Notes) -> Iterator[BodyRow]:
    """Prompts and bodies of the past tree, and those of today's whose body is new."""
    seen: set[str] = set()
    for when, repository in (("past", trees.timeline.past), ("later", trees.timeline.now)):
        here: set[str] = set()
        count = 0
        for path, text, common in _files(repository, trees.timeline.licence, notes):
            for example in examples_in(text, path, repository.project, baseline=when == "later"):
                body = " ".join(str(example["target"]).split())
                if body in seen:
                    continue
                here.add(body)
                count += 1
                if count > trees.most:
                    notes.skipped["more bodies than most_functions"] += 1
                    continue
                digest = hashlib.blake2b(body.encode("utf-8", "replace"), digest_size=4).digest()
                kept = int.from_bytes(digest, "big") / 2**32 < trees.valid
                yield identified(
                    BodyRow(
                        path=path,
                        name=example["function"],
                        kind=example["kind"],
                        split="test" if when == "later" else "valid" if kept else "train",
                        **_masked(example),
                        **common,
                    )
                )
        seen |= here


def _masked(example: Mapping[str, Any]) -> dict[str, Any]:
    texts = [text for _, text in example["prompt"]] + [example["target"], example.get("nearest", "")]
    values = {value for text in texts for value in secrets_in(text) | emails_in(text)}
    prompt = tuple((marker, mask(text, values)) for marker, text in example["prompt"])
    return {
        "prompt": prompt,
        "target": mask(example["target"], values),
        "nearest": mask(example.get("nearest", ""), values),
    }


def map_fixes(payload: tuple[Stretch, str], options: Mapping[str, Any], notes: Notes) -> Iterator[DefectRow]:
    """Bug fixes of some commits, each with the split of its time."""
    stretch, split = payload
    group: list[DefectRow] = []
    for row in map_histories(stretch, options, notes):
        if group and row.group != group[0].group:
            yield from scrubbed(group)[0]
            group = []
        group.append(attrs.evolve(row, split=split))
    if group:
        yield from scrubbed(group)[0]


def _files(repository: Repository, licence: str, notes: Notes) -> Iterator[tuple[str, str, dict[str, Any]]]:
    units, _ = units_of_revision(repository, licence)
    for unit in units:
        files: Files = unit.payload
        common = {"project": files.project, "commit": files.commit, "date": files.date, "licence": files.licence}
        for path, text in sources(files, {}, notes):
            yield path, text, common


def plans(lines: Sequence[Timeline], tasks: Iterable[Task], out: Path, options: Mapping[str, Any]) -> dict[str, Plan]:
    """One plan a row type, a unit a repository; histories in stretches of commits."""
    trees = [Unit(_key(line), Trees(line, options["valid"], options["most_functions"]), 1) for line in lines]
    wanted = {"later": options["later"], "valid": options["valid"], "most_functions": options["most_functions"]}
    about = {"inputs": [line.provenance for line in lines]}
    found = {}
    if "defects" in tasks:
        found["functions"] = Plan(map_functions, wanted, trees, out / "functions", "functions", about)
        values = {**wanted, "most_commits": options["most_commits"], "evidence": "function"}
        stretches = [unit for line in lines for unit in _stretches(line, options["most_commits"])]
        found["fixes"] = Plan(map_fixes, values, stretches, out / "fixes", "defects", about)
    if "generation" in tasks:
        found["bodies"] = Plan(map_bodies, wanted, trees, out / "bodies", "bodies", about)
    return found


def _key(line: Timeline) -> str:
    return f"{line.now.project}:{line.past.head}..{line.now.head}"


def _stretches(line: Timeline, most: int) -> Iterator[Unit]:
    whole = units_of_history(line.now, line.licence)
    reverted = frozenset().union(*(unit.payload.reverted for unit in whole))
    for split, commits in (("train", line.past_commits[-most:]), ("test", line.later_commits[-most:])):
        for start in range(0, len(commits), COMMITS_A_UNIT):
            part = commits[start : start + COMMITS_A_UNIT]
            stretch = Stretch(line.now, line.licence, part, reverted & frozenset(part))
            yield Unit(f"{line.now.project}:{split}:{part[0]}..{part[-1]}", (stretch, split), len(part))


def mine(
    lines: Sequence[Timeline],
    tasks: Sequence[Task],
    out: Path,
    options: Mapping[str, Any],
    *,
    jobs: int = 1,
    on_progress: Callable[[str, Progress], None] | None = None,
) -> Mined:
    """Do what is left of the mining below ``out`` and read it. Raises RetrainError where there is no Python."""
    facts: dict[str, Any] = {"repositories": [line.provenance for line in lines]}
    rows: dict[str, tuple[Any, ...]] = {"functions": (), "fixes": (), "bodies": ()}
    try:
        for name, plan in plans(lines, tasks, out, options).items():
            if not (plan.out / "corpus.json").is_file():

                def told(progress: Progress, name: str = name) -> None:
                    if on_progress is not None:
                        on_progress(name, progress)

                run(plan, jobs=jobs, on_progress=told)
            manifest = read_manifest(plan.out)
            rows[name] = tuple(read_rows(plan.out))
            facts[name] = {
                "splits": dict(Counter(row.split for row in rows[name])),
                "fingerprint": manifest["fingerprint"],
                "skipped": manifest["skipped"],
                "unreadable": manifest["unreadable"],
            }
    except (CorpusError, RepositoryUnreadable) as error:
        raise RetrainError(f"{error}; nothing was changed") from error
    mined = Mined(**rows, facts=facts)
    if not any(row.split == "train" for row in (*mined.functions, *mined.bodies)):
        names = ", ".join(line.now.project for line in lines)
        unread = "; ".join(dict.fromkeys(reason for part in facts.values() if isinstance(part, dict)
                                         for _, reason in part["unreadable"]))  # fmt: skip
        why = f" ({unread})" if unread else ""
        raise RetrainError(f"{names}: no Python functions to learn from before the split{why}; nothing was changed")
    return mined
