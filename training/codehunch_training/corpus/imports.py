"""Which names programs import, and from where: what a name that nothing binds was probably meant to be
(``imports.txt``)."""

from __future__ import annotations

import ast
import random
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from codehunch_training.corpus.sources import python_files

OF_ALL = 0.6
"""Share of the files that bind a name which import it: of less, it is as a rule a variable that is wanting."""
OF_MODULE = 0.05
"""The same of modules that are only meant where something is asked of them."""
_WAYS, _OF_COMMONEST = 3, 0.1
"""Imports of one name that are kept, and the share of the commonest one's projects that each of them has at least."""


def imports_of_projects(trees: Iterable[tuple[str, Path]], least: int, files: int) -> list[str]:
    """Import statements that bind one name each and that at least ``least`` projects have, the most common names first,
    and of each name the modules that come with Python. Behind an empty line: modules of Python that are meant where
    something is asked of a name, as in ``signal.alarm``, while the name alone is more often something else.

    Of each of ``trees``, project names and folders, up to ``files`` files are read, drawn by chance. Relative
    imports are left out, and names that many files bind otherwise: a ``path`` that is wanting is rarely a module.
    """
    users: dict[str, set[str]] = defaultdict(set)
    named: dict[str, str] = {}
    imported: Counter[str] = Counter()
    bound: Counter[str] = Counter()
    for project, tree in trees:
        paths = list(python_files([tree], with_tests=True))
        for path in random.Random(project).sample(paths, min(files, len(paths))):
            statements, others = _bindings_of(path)
            for name, statement in statements:
                users[statement].add(project)
                named[statement] = name
            names = {name for name, _ in statements}
            imported.update(names)
            bound.update(names | others)
    ways: dict[str, list[str]] = defaultdict(list)
    modules: list[str] = []
    for statement in sorted(users, key=lambda each: (-len(users[each]), each)):
        name = named[statement]
        share = imported[name] / bound[name]
        if len(users[statement]) < least:
            break
        if share >= OF_ALL:
            ways[name].append(statement)
        elif share >= OF_MODULE and statement == f"import {name}" and _is_pythons_own(statement):
            modules.append(statement)
    found: list[str] = []
    for known in ways.values():
        enough = [each for each in known if len(users[each]) >= _OF_COMMONEST * len(users[known[0]])]
        found += sorted(enough, key=lambda each: not _is_pythons_own(each))[:_WAYS]
    return [*found, "", *modules]


def _is_pythons_own(statement: str) -> bool:
    return statement.split()[1].partition(".")[0] in sys.stdlib_module_names


def _bindings_of(path: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """The imports of a file, each as a name and the statement that binds it, and the names that it binds otherwise;
    nothing of one that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    statements: set[tuple[str, str]] = set()
    others: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            statements.update(_statements(node))
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                others.add(node.id)
        elif isinstance(node, ast.arg):
            others.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            others.add(node.name)
    return statements, others


def _statements(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        if node.level or node.module in (None, "__future__"):
            return
        start = f"from {node.module} import "
    else:
        start = "import "
    for alias in node.names:
        name = alias.asname or alias.name
        if name.isidentifier():  # Neither ``*`` nor a module in another without a name of its own.
            yield name, f"{start}{alias.name}" + (f" as {name}" if name != alias.name else "")
