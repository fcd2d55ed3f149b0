"""Source trees to a file of distinct functions: what the default defect model is trained on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import random
import textwrap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from codehunch.defects.bindings import surroundings_of
from codehunch.defects.surroundings import Around, words_of
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.rows import FunctionRow, from_line, to_line
from codehunch_training.corpus.sources import is_generated, python_files


def harvest(
    project: str, root: Path, *, shortest: int = 20, longest: int = 900, with_tests: bool = True, most: int = 0
) -> Iterator[FunctionRow]:
    """Top-level functions and methods of a tree with ``shortest`` to ``longest`` lexemes, of ``most`` files drawn by
    chance where there are more (0: of all).

    Files that are not UTF-8, say they are generated, or do not parse give nothing.
    """
    paths = list(python_files([root], with_tests=with_tests))
    if most and len(paths) > most:
        paths = random.Random(project).sample(paths, most)
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if is_generated(text):
            continue
        parsed = parse(text)
        if parsed.tree.root_node.has_error:
            continue
        file = surroundings_of(text)
        for function, node in function_nodes(parsed):
            if function.nesting:
                continue
            if not shortest <= len(lexemes_of(parsed, node)) <= longest:
                continue
            yield FunctionRow(
                project=project,
                path=str(path.relative_to(root)),
                name=function.qualified_name,
                text=(own := dedented(parsed.text, function.span.start, function.span.end)),
                enclosing_class=function.enclosing_class or "",
                around=Around(file, function.enclosing_class).narrowed(words_of(own)).to_json(),
            )


def dedented(text: str, start: int, end: int) -> str:
    """The lines of ``text[start:end]`` with the first line's indentation taken off all of them."""
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    return textwrap.dedent(text[line_start:end]) + "\n"


def fingerprint_of(text: str) -> bytes:
    """Equal for functions that differ only in layout, comments, docstring and their own name."""
    parsed = parse(text)
    words: list[str] = []
    for _, node in function_nodes(parsed):
        words = [lexeme.text or lexeme.kind.name for lexeme in lexemes_of(parsed, node)]
        break
    return hashlib.blake2b("\0".join(words[:1] + words[2:]).encode("utf-8", "replace"), digest_size=12).digest()


def write_functions(
    trees: Sequence[tuple[str, Path]], out: Path, shortest: int = 20, jobs: int = 1, most: int = 0
) -> dict[str, int]:
    """Write the distinct functions of all trees as gzipped JSON lines, of ``most`` files a tree where there are more
    (0: of all); returns rows per project."""
    seen: set[bytes] = set()
    counts: dict[str, int] = {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=4) as sink, ProcessPoolExecutor(jobs) as pool:
        # In the order of the trees, however many read: the first project of equal functions keeps them.
        found = pool.map(_lines, *zip(*trees, strict=True), [shortest] * len(trees), [most] * len(trees))
        shown = track(found, "trees", len(trees), console=Console(stderr=True))
        for (project, _), lines in zip(trees, shown, strict=True):
            for key, line in lines:
                if key in seen:
                    continue
                seen.add(key)
                counts[project] = counts.get(project, 0) + 1
                sink.write(line + "\n")
    return counts


def _lines(project: str, root: Path, shortest: int, most: int) -> list[tuple[bytes, str]]:
    """The rows of one tree as lines, each with what tells it apart."""
    return [(fingerprint_of(row.text), to_line(row)) for row in harvest(project, root, shortest=shortest, most=most)]


def write_table(trees: Sequence[tuple[str, Path]], counts: Mapping[str, int], out: Path) -> None:
    """A line for each tree that gave functions, with what its metadata say where it is an unpacked wheel."""
    with out.open("w", encoding="utf-8", newline="") as sink:
        table = csv.writer(sink, lineterminator="\n")
        table.writerow(("package", "version", "licence as it says", "functions"))
        for project, root in sorted(trees):
            if counts.get(project):
                found = next(iter(sorted(root.glob("*.dist-info"))), None)
                said = PathDistribution(found).metadata if found is not None else {}
                table.writerow((project, said.get("Version", ""), _licence_in(said), counts[project]))


def _licence_in(metadata: Any) -> str:
    """What a package calls its licence: the expression, else its classifiers, else the beginning of the text."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = metadata.get_all("Classifier") or [] if metadata else []
    named = [each.rpartition("::")[2].strip() for each in classifiers if each.startswith("License ::")]
    return "; ".join(named) or str(metadata.get("License") or "").strip().partition("\n")[0][:60]


def read_functions(path: Path) -> Iterator[FunctionRow]:
    """Rows in file order. Raises ValueError naming the file where it is not what ``write_functions`` writes."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as source:
            for line in source:
                yield from_line(FunctionRow, line)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not what `harvest` writes: {error}") from error
