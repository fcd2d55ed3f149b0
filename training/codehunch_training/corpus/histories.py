"""Bug fixes from a repository's history: the buggy function, its fixed twin, and untouched neighbours.

Commits pass three sieves, the cheapest first: the message and the list of changed files (raw tree
differences), the size and place of the changed lines (patches without context), and the changed
subtrees of the one function they lie in. Only what passes the second is read and parsed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import attrs
from tree_sitter import Node

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.surroundings import Around
from codehunch.defects.surroundings import words_of as words_in
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch_training.corpus.classify import classify
from codehunch_training.corpus.commits import MAX_FILES, MAX_HUNKS, MAX_LINES, Commit, FileChange, patches, promising
from codehunch_training.corpus.difference import LARGEST_TREE, differences, reduce_node
from codehunch_training.corpus.edits import text_edits
from codehunch_training.corpus.locate import functions_of, is_harmless
from codehunch_training.corpus.paths import is_test
from codehunch_training.corpus.repositories import Repository, RepositoryUnreadable, read_blobs
from codehunch_training.corpus.rows import DefectRow, identified
from codehunch_training.corpus.snippets import (
    Snippet,
    enclosing_class_of,
    function_definitions,
    qualified_name_of,
    snippet,
)
from codehunch_training.corpus.verdict import FileWords, NotADefect, Verdict, names_of, words_of
from codehunch_training.corpus.work import Notes, Unit

NEIGHBOURS = 2
"""Untouched functions given with each pair."""


@attrs.frozen
class Fix:
    """One function before and after, as trees of their files."""

    before: ParsedSource
    after: ParsedSource
    old: Node
    new: Node
    verdict: Verdict


def mine(
    repository: Repository,
    commits: Iterable[str],
    *,
    licence: str = "",
    skipped: Counter[str],
    with_tests: bool = False,
    reverted: frozenset[str] = frozenset(),
    any_message: bool = False,
) -> Iterator[DefectRow]:
    """Rows of every usable fix among the commits, in their order. ``skipped`` counts the others by reason."""
    given = [commit for commit in commits if commit not in repository.shallow]
    candidates = {
        commit.name: commit
        for commit in promising(repository, given, skipped, any_message)
        if commit.name not in reverted
    }
    edits: list[tuple[Commit, list[FileChange]]] = []
    for name, files in patches(repository, list(candidates), skipped):
        sources = [file for file in files if with_tests or not is_test(file.path)]
        if not 0 < len(sources) <= MAX_FILES:
            skipped["no or many source files"] += 1
        elif any(not _is_small(file) for file in sources):
            skipped["many lines"] += 1
        else:
            edits.append((candidates[name], sources))
    blobs = read_blobs(repository, [name for _, files in edits for file in files for name in (file.old, file.new)])
    for commit, sources in edits:
        contents = list(islice(blobs, 2 * len(sources)))
        try:
            file, fix = _one_fix(sources, contents)
        except (NotADefect, RepositoryUnreadable, SourceUnreadable) as reason:
            skipped[str(reason.args[0]).split(" (")[0].split(";")[0]] += 1
            continue
        yield from _rows(repository, commit, file, fix, licence)


def _is_small(file: FileChange) -> bool:
    changed = sum(h.old[1] - h.old[0] + h.new[1] - h.new[0] for h in file.hunks)
    return len(file.hunks) <= MAX_HUNKS and changed <= MAX_LINES


def _one_fix(sources: list[FileChange], contents: list[bytes | RepositoryUnreadable]) -> tuple[FileChange, Fix]:
    """The one function a commit changed. ``contents``: old and new blob of each source.

    Raises NotADefect where there is none or more than one, and what keeps a blob from being read.
    """
    found: list[tuple[FileChange, Fix]] = []
    for index, file in enumerate(sources):
        for fix in _fixes(file, contents[2 * index], contents[2 * index + 1]):
            found.append((file, fix))
            if len(found) > 1:
                raise NotADefect("several functions")
    if not found:
        raise NotADefect("comments, docstrings, annotations or layout")
    return found[0]


def _fixes(
    file: FileChange, old_blob: bytes | RepositoryUnreadable, new_blob: bytes | RepositoryUnreadable
) -> Iterator[Fix]:
    for blob in (old_blob, new_blob):
        if isinstance(blob, RepositoryUnreadable):
            raise blob
    before, after = (parse(decode_source(blob).source) for blob in (old_blob, new_blob) if isinstance(blob, bytes))
    pairs: dict[int, tuple[Node, Node]] = {}
    for hunk in file.hunks:
        pair = functions_of(before, after, hunk, file.hunks)
        if pair is None:
            if not is_harmless(before, after, hunk):
                raise NotADefect("outside of functions")
            continue
        pairs[pair[0].start_byte] = pair
    for old, new in pairs.values():
        if old.has_error or new.has_error:
            raise NotADefect("does not parse")
        if max(old.descendant_count, new.descendant_count) > LARGEST_TREE:
            raise NotADefect("function too long")
        program = reduce_node(old)
        changes = differences(program, reduce_node(new))
        if not changes:
            continue
        words = FileWords(names_of(program), words_of(before.data), words_of(after.data))
        yield Fix(before, after, old, new, classify(changes, words))


def _rows(repository: Repository, commit: Commit, file: FileChange, fix: Fix, licence: str) -> Iterator[DefectRow]:
    buggy, fixed = snippet(fix.before, fix.old), snippet(fix.after, fix.new)
    spans = tuple(buggy.place(fix.before.offset(start), fix.before.offset(end)) for start, end in fix.verdict.spans)
    group = f"{commit.name[:16]}:{file.path}:{fix.old.start_point.row + 1}"

    def row(parsed: ParsedSource, node: Node, cut: Snippet, **values: object) -> DefectRow:
        owner = enclosing_class_of(node)
        around = Around(files[id(parsed)], owner or None).narrowed(words_in(cut.text))
        return identified(
            DefectRow(
                project=repository.project,
                path=file.path,
                line=cut.line,
                commit=commit.name,
                date=commit.date,
                licence=licence,
                name=qualified_name_of(node),
                enclosing_class=owner,
                text=cut.text,
                group=group,
                # A function in another one sees names that are no file's.
                around="" if _is_nested(node) else around.to_json(),
                **values,  # type: ignore[arg-type]
            )
        )

    edits = text_edits(buggy.text, fixed.text)
    files = {id(parsed): surroundings_of(parsed.text) for parsed in (fix.before, fix.after)}
    yield row(
        fix.before,
        fix.old,
        buggy,
        label=fix.verdict.kind,
        role="buggy",
        spans=spans,
        edits=edits,
        evidence=fix.verdict.evidence,
    )
    yield row(fix.after, fix.new, fixed, label="clean", role="fixed")
    for node in _neighbours(fix, file):
        yield row(fix.after, node, snippet(fix.after, node), label="clean", role="untouched")


def _is_nested(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type != "function_definition":
        above = above.parent
    return above is not None


def _neighbours(fix: Fix, file: FileChange) -> list[Node]:
    """Functions of the fixed file the commit left alone, nearest in size (syntax nodes, at most twice or half)."""
    size = fix.new.descendant_count
    found: list[tuple[float, int, Node]] = []
    for node in function_definitions(fix.after.tree.root_node):
        rows = (node.start_point.row, node.end_point.row + 1)
        touched = any(h.new[0] < rows[1] and rows[0] < max(h.new[1], h.new[0] + 1) for h in file.hunks)
        nested = (
            node.start_byte <= fix.new.start_byte < node.end_byte
            or fix.new.start_byte <= node.start_byte < fix.new.end_byte
        )
        if touched or nested or node.has_error:
            continue
        distance = abs(math.log(node.descendant_count / size))
        if distance <= math.log(2):
            found.append((distance, node.start_byte, node))
    found.sort(key=lambda entry: entry[:2])
    return [node for _, _, node in found[:NEIGHBOURS]]


@attrs.frozen
class Stretch:
    """Some commits of one repository, as a worker gets them."""

    repository: Repository
    licence: str
    commits: tuple[str, ...]
    reverted: frozenset[str]
    """Commits of the whole history that a later one took back."""


COMMITS_A_UNIT = 1000
_REVERTS = re.compile(rb"This reverts commit ([0-9a-f]{40})")


def units_of_history(repository: Repository, licence: str, *, since: str = "", until: str = "") -> list[Unit]:
    """Stretches of a repository's commits without merges, the oldest first."""
    commits = repository.commits(since=since, until=until)
    log = repository.run("log", "--no-merges", "--grep=This reverts commit", "--format=%b", repository.head, "--")
    reverted = frozenset(name.decode() for name in _REVERTS.findall(log))
    units = []
    for start in range(0, len(commits), COMMITS_A_UNIT):
        part = tuple(commits[start : start + COMMITS_A_UNIT])
        stretch = Stretch(repository, licence, part, reverted & frozenset(part))
        units.append(Unit(f"{repository.project}:{part[0]}..{part[-1]}", stretch, len(part)))
    return units


_STRENGTH = {"function": 0, "file": 1, "elsewhere": 2}


def map_histories(stretch: Stretch, options: Mapping[str, Any], notes: Notes) -> Iterator[DefectRow]:
    """The map of ``codehunch corpus histories``. Options: ``evidence`` (weakest kept), ``tests``, ``any_message``."""
    weakest = _STRENGTH[options.get("evidence", "function")]
    shallow = len(stretch.repository.shallow.intersection(stretch.commits))
    if shallow:
        notes.skipped["cut off by a shallow clone"] += shallow
    kept = False
    try:
        for row in mine(
            stretch.repository,
            stretch.commits,
            licence=stretch.licence,
            skipped=notes.skipped,
            with_tests=bool(options.get("tests")),
            reverted=stretch.reverted,
            any_message=bool(options.get("any_message")),
        ):
            if row.role == "buggy":  # The rows of a group follow their buggy one.
                kept = _STRENGTH[row.evidence] <= weakest
                if not kept:
                    notes.skipped["weak evidence"] += 1
            if kept:
                yield row
    except RepositoryUnreadable as error:
        notes.unreadable.append((stretch.repository.project, error.reason))
