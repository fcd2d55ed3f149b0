"""Every function of a folder or of a git revision, with where it stands and what stands around it."""

from __future__ import annotations

import inspect
from ast import literal_eval
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from tree_sitter import Node

from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch_training.corpus.licences import licence_of_declaration, licence_of_text
from codehunch_training.corpus.paths import is_document, is_test, is_vendored
from codehunch_training.corpus.quality import file_problem
from codehunch_training.corpus.repositories import (
    LARGEST_BLOB,
    Repository,
    RepositoryUnreadable,
    read_blobs,
    tree_files,
)
from codehunch_training.corpus.rows import FunctionRow, identified
from codehunch_training.corpus.snippets import enclosing_class_of, function_definitions, qualified_name_of, snippet
from codehunch_training.corpus.work import Notes, Unit

FILES_A_UNIT = 200
MOST_IMPORTS = 60


@attrs.frozen
class Files:
    """Some files of one tree: a folder's paths, or blobs of a git revision."""

    project: str
    licence: str
    names: tuple[tuple[str, str], ...]
    """``(path, object name)``; no object names in a folder."""
    root: Path
    """The folder, or the git directory."""
    commit: str = ""
    date: str = ""


def units_of_folder(root: Path, project: str, suffixes: tuple[str, ...] = (".py",)) -> list[Unit]:
    """Units over the files below a folder that is no repository. Links are not followed."""
    files = (path for path in root.rglob("*") if path.suffix in suffixes and path.is_file() and not path.is_symlink())
    paths = sorted(path.relative_to(root).as_posix() for path in files)
    licence = _folder_licence(root)
    return _units(Files(project, licence, (), root), [(path, "") for path in paths])


def units_of_revision(
    repository: Repository, licence: str, suffixes: tuple[str, ...] = (".py",)
) -> tuple[list[Unit], dict[str, int]]:
    """Units over the blobs of the repository's revision, and what its tree holds that is no file."""
    skipped: dict[str, int] = {}
    names: list[tuple[str, str]] = []
    for mode, name, path in tree_files(repository):
        if mode in ("160000", "120000"):
            reason = "submodule" if mode == "160000" else "symbolic link"
            skipped[reason] = skipped.get(reason, 0) + 1
        elif path.endswith(suffixes):
            names.append((path, name))
    date = (
        repository.run("log", "-1", "--format=%ad", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", repository.head)
        .decode()
        .strip()
    )
    files = Files(repository.project, licence, (), repository.git_dir, repository.head, date)
    return _units(files, sorted(names)), skipped


def _units(files: Files, names: list[tuple[str, str]]) -> list[Unit]:
    found = []
    for start in range(0, len(names), FILES_A_UNIT):
        part = tuple(names[start : start + FILES_A_UNIT])
        key = f"{files.project}@{files.commit}:{start}"
        found.append(Unit(key, attrs.evolve(files, names=part), len(part)))
    return found


def _folder_licence(root: Path) -> str:
    for pattern, read in (
        ("LICEN[CS]E*", licence_of_text),
        ("COPYING*", licence_of_text),
        ("pyproject.toml", licence_of_declaration),
    ):
        for path in sorted(root.glob(pattern)):
            if path.is_file() and (name := read(path.read_text("utf-8", "replace"))) != "unknown":
                return name
    return "unknown"


def sources(files: Files, options: Mapping[str, Any], notes: Notes) -> Iterator[tuple[str, str]]:
    """``(path, text)`` of the files that can be read and were written by people; ``notes`` counts the others.

    Options: ``tests`` and ``documents`` read those too.
    """
    readable = []
    for path, name in files.names:
        problem = _path_problem(path, options)
        if problem is not None:
            notes.skipped[problem] += 1
        else:
            readable.append((path, name))
    contents = _contents(files, readable)
    for (path, _), data in zip(readable, contents, strict=True):
        try:
            if isinstance(data, RepositoryUnreadable):
                raise data
            text = decode_source(data).source.text
        except (RepositoryUnreadable, SourceUnreadable) as error:
            notes.skipped[_reason(error.reason)] += 1
            continue
        problem = file_problem(text)
        if problem is not None:
            notes.skipped[problem] += 1
            continue
        yield path, text


def _contents(files: Files, readable: list[tuple[str, str]]) -> Iterator[bytes | RepositoryUnreadable]:
    if files.commit:
        repository = Repository(files.root, files.project, files.commit, frozenset())
        return read_blobs(repository, [name for _, name in readable])
    return (_read(files.root / path) for path, _ in readable)


def map_functions(files: Files, options: Mapping[str, Any], notes: Notes) -> Iterator[FunctionRow]:
    """The map of ``codehunch corpus functions``. Options: those of ``sources``, and ``shortest`` (syntax nodes)."""
    for path, text in sources(files, options, notes):
        yield from _functions(files, path, parse(text), int(options.get("shortest", 0)), notes)


def _path_problem(path: str, options: Mapping[str, Any]) -> str | None:
    if is_vendored(path):
        return "vendored"
    if is_test(path) and not options.get("tests"):
        return "test file"
    if path.endswith(".py") and is_document(path) and not options.get("documents"):
        return "example or packaging file"
    return None


def _read(path: Path) -> bytes | RepositoryUnreadable:
    try:
        if path.stat().st_size > LARGEST_BLOB:
            return RepositoryUnreadable(f"larger than {LARGEST_BLOB:,} bytes")
        return path.read_bytes()
    except OSError as error:
        return RepositoryUnreadable(f"unreadable ({error.strerror})")


def _reason(text: str) -> str:
    """Reasons name lines and bytes; what is counted is the sort of trouble."""
    return text.split(" (")[0].split(";")[0]


def _functions(files: Files, path: str, parsed: ParsedSource, shortest: int, notes: Notes) -> Iterator[FunctionRow]:
    imports = imports_of(parsed)
    for node in function_definitions(parsed.tree.root_node):
        if node.has_error:
            notes.skipped["function with a syntax error"] += 1
            continue
        if node.descendant_count < shortest:
            notes.skipped["short function"] += 1
            continue
        cut = snippet(parsed, node)
        yield identified(
            FunctionRow(
                project=files.project,
                path=path,
                line=cut.line,
                commit=files.commit,
                date=files.date,
                licence=files.licence,
                name=qualified_name_of(node),
                text=cut.text,
                docstring=docstring_of(node),
                signature=signature_of(node),
                enclosing_class=enclosing_class_of(node),
                imports=imports,
            )
        )


def imports_of(parsed: ParsedSource) -> tuple[str, ...]:
    """The import statements at the top level of a file, each on one line."""
    kinds = ("import_statement", "import_from_statement", "future_import_statement")
    nodes = [node for node in parsed.tree.root_node.named_children if node.type in kinds]
    return tuple(" ".join(text_of(node).split()) for node in nodes[:MOST_IMPORTS])


def signature_of(node: Node) -> str:
    """From ``def`` to the colon on one line."""
    body = node.child_by_field_name("body")
    data = (node.text or b"")[: (body.start_byte if body is not None else node.end_byte) - node.start_byte]
    return " ".join(data.decode("utf-8", "replace").split("#")[0].split())


def docstring_of(node: Node) -> str:
    """The docstring's value, cleaned as PEP 257 says; empty where there is none."""
    literal = docstring_node(node.child_by_field_name("body"))
    if literal is None:
        return ""
    try:
        value = literal_eval(text_of(literal))
    except (SyntaxError, ValueError):
        return ""
    return inspect.cleandoc(value) if isinstance(value, str) else ""
