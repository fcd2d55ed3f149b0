"""The statements that a file is made of: what each binds, and whose values it may change."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache
from typing import Any

_LONGEST = 40_000
"""Characters of a statement of the file that is read: a longer one is data."""
_WORDS = re.compile(r"[^\W\d]\w*")
_MAIN = re.compile(r"if[ \t]+__name__[ \t]*==")
_DEFINES = re.compile(r"(?m)^(?:async[ \t]+)?(?:def|class)[ \t]+([^\W\d]\w*)")


def defined_name(text: str) -> str | None:
    """The name of the function or class that a statement of a file defines."""
    definition = _DEFINES.match(text) or (_DEFINES.search(text) if text.lstrip().startswith(("@", "#")) else None)
    return definition[1] if definition is not None else None


def has_definition(text: str) -> bool:
    """Whether a function or class is defined in a statement of the file, under a condition perhaps."""
    return _DEFINES.search(text) is not None


@lru_cache(4096)
def words_of(text: str) -> frozenset[str]:
    """Everything in a statement that could be a name."""
    return frozenset(_WORDS.findall(text))


@lru_cache(4096)
def binds(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a statement of the file binds, and those that it may change the values of."""
    definition = defined_name(text)
    if definition is not None:
        return frozenset([definition]), frozenset()
    names: set[str] = set()
    used: set[str] = set()
    for statement in parsed(text) if not _MAIN.match(text) else ():
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            continue
        plain = isinstance(statement, ast.Assign | ast.AnnAssign)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    names.add(node.id)
                elif not plain:
                    used.add(node.id)
            elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
                used.update(each.id for each in ast.walk(node) if isinstance(each, ast.Name))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return frozenset(names), frozenset(used)


_CHANGING = frozenset(
    "add append appendleft clear discard extend insert pop popitem popleft remove reverse setdefault sort"
    " update".split()
)
"""Methods that change what they are called on."""


@lru_cache(4096)
def changes(text: str, name: str, by_default: bool) -> bool:
    """Whether a definition of the file, which anyone may call, changes the value of a name, or, ``by_default``, has it
    under another."""
    if defined_name(text) in (None, name):
        return False
    for node in (each for statement in parsed(text) for each in ast.walk(statement)):
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            held: Any = [node.value]
        elif isinstance(node, ast.AugAssign):
            held = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            held = [node.func.value]
        elif by_default and isinstance(node, ast.arguments):
            held = [*node.defaults, *node.kw_defaults]
        else:
            continue
        if any(isinstance(each, ast.expr) and is_named(each, name) for each in held):
            return True
    return False


def is_named(node: ast.expr, name: str) -> bool:
    """Whether an expression is no more than this name."""
    return isinstance(node, ast.Name) and node.id == name


def parsed(text: str) -> list[ast.stmt]:
    """The statements of a text; none where Python would not read it."""
    if len(text) > _LONGEST:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
