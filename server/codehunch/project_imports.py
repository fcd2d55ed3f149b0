"""How a project imports a name: what its other files write, and where it is defined."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

import attrs
from tree_sitter import Node

from codehunch.defects.bindings import BLOCKS, targets_of
from codehunch.defects.imports import Find, imports_of
from codehunch.project_files import LISTED_FOR, ProjectFiles, is_test, package_of, root_of
from codehunch.syntax.common import common_prefix
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.parsing import parse, text_of
from codehunch.syntax.text import SourceText

_FILES, _BYTES, _SECONDS = 4000, 1_000_000, 0.75
"""Bounds of one search: files that are looked at, the nearest first, bytes of one of them, seconds."""
_ENOUGH = 12
"""Files with the name after which nobody else is asked."""
_WAYS = 3
"""Imports of a name that are named, the best first."""
_VALUE = -2
_DEFINITIONS = ("function_definition", "class_definition", "decorated_definition")
_IMPORTED, _DEFINED = 2, 3
"""What an import of a name and its definition are worth: what two files import from elsewhere is passed on there."""


@attrs.frozen
class _Import:
    """One name of an import. ``module`` is absolute; ``None`` in ``import name``."""

    module: tuple[str, ...] | None
    name: str
    alias: str | None


@attrs.define
class _Votes:
    counts: Counter[_Import] = attrs.field(factory=Counter)
    files: int = 0
    """That had a say."""
    relative: int = 0
    """Of them, how many with a relative import."""
    values: set[_Import] = attrs.field(factory=set)
    """Which of the counted are values that a file gives the name itself, no functions or classes."""
    imported: set[_Import] = attrs.field(factory=set)
    """Which of them a file imports."""


class ProjectImports:
    """Asks the disk: not for the event loop's thread. Never raises; a file that cannot be read has no say."""

    def __init__(self) -> None:
        self._files = ProjectFiles()
        self._known: dict[tuple[Path, str], tuple[float, tuple[str, ...]]] = {}

    def finder(self, path: Path) -> Find:
        """What a file of a project would write to import a name: as its other files do, the nearest counting first, or
        from where the project defines it, or else as most programs do."""

        def find(name: str, member: str | None) -> tuple[str, ...]:
            common = imports_of(name, member)
            own = self._of_project(path, name)
            if common and own and {f"import {name}", f"from {name} import {name}"} >= {common[0], own[0]}:
                return common  # A module and what it is named after: what is asked of the name tells which.
            return tuple(dict.fromkeys([*own, *common]))

        return find

    def _of_project(self, path: Path, name: str) -> tuple[str, ...]:
        root = root_of(path)
        if root is None:
            return ()
        now = time.monotonic()
        key = path, name
        if key not in self._known or now - self._known[key][0] > LISTED_FOR:
            if len(self._known) > _FILES:
                self._known.clear()
            self._known[key] = now, _statements(name, path, _votes(name, path, self._files.of(root)))
        return self._known[key][1]


def _votes(name: str, path: Path, files: Sequence[str]) -> _Votes:
    """What the files of a project say, the nearest first."""
    votes, end, word, here = _Votes(), time.monotonic() + _SECONDS, name.encode("utf-8", "replace"), str(path)
    package_of_folder = cache(package_of)
    for each in sorted(files, key=lambda each: -common_prefix(here, each))[:_FILES]:
        if votes.files >= _ENOUGH or time.monotonic() > end:
            break
        file = Path(each)
        if file == path or (is_test(file) and not is_test(path)):
            continue
        package = package_of_folder(file.parent)
        if (module := _module_named(name, file, package)) is not None:
            votes.counts[module] += _DEFINED
        try:
            with open(file, "rb") as stream:
                data = stream.read(_BYTES)
            found = list(_bound(decode_source(data).source, name, package, file)) if word in data else []
        except (OSError, SourceUnreadable):
            continue
        # What a file imports, it may define for want of that; what a package imports from within, it passes on.
        for dots, one in [each for each in found if each[0] >= 0] or found[:1]:
            if file.stem == "__init__" and one.module is not None and one.module[: len(package)] == package:
                one = _Import(package, name, None)
            votes.counts[one] += _IMPORTED if dots >= 0 else _DEFINED
            if dots >= 0:
                votes.imported.add(one)
            elif dots == _VALUE:
                votes.values.add(one)
            votes.relative += dots > 0
        votes.files += bool(found)
    return votes


def _module_named(name: str, file: Path, package: tuple[str, ...]) -> _Import | None:
    """The module, or the outermost package, that a file of a package is, where it has this name."""
    if file.stem == name and package:
        return _Import(package, name, None)
    return _Import(None, name, None) if file.stem == "__init__" and package == (name,) else None


def _bound(source: SourceText, name: str, package: tuple[str, ...], file: Path) -> Iterator[tuple[int, _Import]]:
    """How the outermost level of a file binds a name: dots of the import, or less than none where it defines it."""
    module = package if file.stem == "__init__" else (*package, file.stem)
    stack = [parse(source).tree.root_node]
    while stack:
        node = stack.pop()
        if node.type in BLOCKS:
            stack += reversed(node.children)
        elif node.type in ("import_statement", "import_from_statement"):
            yield from _imported(node, name, package)
        elif name in _defined(node):
            yield (-1 if node.type in _DEFINITIONS else _VALUE), _Import(module, name, None)


def _imported(node: Node, name: str, package: tuple[str, ...]) -> Iterator[tuple[int, _Import]]:
    dots, rest = "", ""
    if (source := node.child_by_field_name("module_name")) is not None:
        text = text_of(source)
        rest = text.lstrip(".")
        dots = text[: len(text) - len(rest)]
    if len(dots) > len(package):
        return
    module = (
        (*package[: len(package) - len(dots) + 1], *filter(None, rest.split("."))) if dots else tuple(rest.split("."))
    )
    for each in node.children_by_field_name("name"):
        alias, inner = each.child_by_field_name("alias"), each.child_by_field_name("name") or each
        if text_of(alias or inner) == name:
            as_name = name if alias is not None else None
            yield len(dots), _Import(module if source is not None else None, text_of(inner), as_name)


def _defined(node: Node) -> Sequence[str]:
    """The names that a statement gives to a function, a class or a value."""
    if node.type == "decorated_definition":
        return _defined(node.named_children[-1])
    if node.type in ("function_definition", "class_definition"):
        return [text_of(node.child_by_field_name("name"))]
    inner = node.named_children[0] if node.type == "expression_statement" and node.named_children else None
    return targets_of(inner.child_by_field_name("left")) if inner is not None and inner.type == "assignment" else ()


def _statements(name: str, path: Path, votes: _Votes) -> tuple[str, ...]:
    """The best of what was said, as the file would write it."""
    package = package_of(path.parent)
    own = package if path.stem == "__init__" else (*package, path.stem)
    # Where several files each have a value of their own, as a ``logger``, none of them is meant for others.
    private = votes.values - votes.imported
    if len(private) < 2:
        private = set()
    said = [(each, count) for each, count in votes.counts.most_common() if each.module != own and each not in private]
    enough = [each for each, count in said if 2 * count >= said[0][1]]
    relative = _is_relative(path, package)
    if relative is None:
        relative = votes.relative > 0
    return tuple(_written(each, package, relative) for each in enough[:_WAYS])


def _is_relative(path: Path, package: tuple[str, ...]) -> bool | None:
    """Whether a file imports from its own package with dots; ``None`` where it does not import from it."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(_BYTES)
    except OSError:
        return None
    if re.search(rb"^\s*from\s+\.", text, re.MULTILINE):
        return True
    named = re.escape(package[0].encode()) if package else rb"(?!)"
    return False if re.search(rb"^\s*(from|import)\s+" + named + rb"\b", text, re.MULTILINE) else None


def _written(found: _Import, package: tuple[str, ...], relative: bool) -> str:
    ending = f" as {found.alias}" if found.alias else ""
    if found.module is None:
        return f"import {found.name}{ending}"
    module = ".".join(found.module)
    if relative and package and found.module[:1] == package[:1]:
        pairs = zip(package, found.module, strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        module = "." * (len(package) - common + 1) + ".".join(found.module[common:])
    return f"from {module} import {found.name}{ending}"
