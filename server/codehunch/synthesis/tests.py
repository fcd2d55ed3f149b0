"""What the tests of a project say that functions give: ``assert f(2) == 4`` and its like, by module and function.

Only tests that do nothing but say so count, without fixtures: nothing they might set up bears on what they say.
Nothing is run; what is said of each row of ``pytest.mark.parametrize`` is written out.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence

Tested = tuple[str, str]
"""Module, dotted, and function."""
_LONGEST = 400_000
_MOST_ROWS = 24
_SETTING_UP = {"setUp", "setUpClass", "setup_method", "setup_class", "setup"}
_RAISES = {"raises", "assertRaises", "assertRaisesRegex"}


def claims_of(text: str) -> dict[Tested, tuple[str, ...]]:
    """Lines such as ``f(2) == 4`` that a test file holds to be true of functions that it imports.

    Nothing for a text that Python would not read.
    """
    tree = _parsed(text)
    functions, modules = _imports(tree)
    found: dict[Tested, list[str]] = {}
    tables = _tables(tree)
    for test in _tests(tree):
        for line in _lines(test, tables):
            called = line.left.func if isinstance(line.left, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in functions:
                key = functions[called.id]
            elif isinstance(called, ast.Attribute) and ast.unparse(called.value) in modules:
                key = modules[ast.unparse(called.value)], called.attr
            else:
                continue
            own = ast.Call(ast.Name(key[1], ast.Load()), line.left.args, line.left.keywords)  # type: ignore[attr-defined]
            said = ast.unparse(ast.Compare(own, line.ops, line.comparators))
            found.setdefault(key, []).append(said)
    return {key: tuple(dict.fromkeys(lines)) for key, lines in found.items()}


def passed_on(text: str, package: Sequence[str]) -> Iterator[Tested]:
    """Functions of other modules that the ``__init__`` of a package imports under their own names."""
    for node in _parsed(text).body:
        if isinstance(node, ast.ImportFrom) and node.level <= len(package):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, (node.module or "").split("."))))
            yield from ((module, alias.name) for alias in node.names if alias.asname in (None, alias.name))


def _parsed(text: str) -> ast.Module:
    """Nothing for a text that Python would not read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text if len(text) <= _LONGEST else "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _imports(tree: ast.Module) -> tuple[Mapping[str, Tested], Mapping[str, str]]:
    """What the names of a file stand for: functions of modules, and modules. A name that it also binds itself is
    neither."""
    functions: dict[str, Tested] = {}
    modules: dict[str, str] = {}
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                functions[alias.asname or alias.name] = node.module, alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            modules.update({alias.asname or alias.name: alias.name for alias in node.names})
    return (
        {name: key for name, key in functions.items() if name not in bound},
        {name: module for name, module in modules.items() if name.partition(".")[0] not in bound},
    )


def _tables(tree: ast.Module) -> dict[str, ast.expr]:
    """Lists and tuples that a file gives a name, once."""
    named: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    return {name: values[0] for name, values in named.items() if len(values) == 1}


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions that are tests, of the file and of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.decorator_list:
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            if not any(each.name in _SETTING_UP for each in methods):
                yield from methods


def _lines(test: ast.FunctionDef, tables: Mapping[str, ast.expr]) -> Iterator[ast.Compare]:
    """What a test says, once for each row of its parameters; nothing where it does anything else."""
    rows = _rows(test, tables)
    if not test.name.startswith("test") or rows is None:
        return
    said: list[ast.Compare] = []
    for statement in test.body:
        if isinstance(statement, ast.Assert):
            said += [statement.test] if isinstance(statement.test, ast.Compare) else []
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            asserted = _asserted_equal(statement.value)
            if asserted is None:
                return
            said.append(asserted)
        elif not (_is_docstring(statement) or _expects_an_error(statement)):
            return
    for line in said:
        if len(line.ops) == 1 and isinstance(line.ops[0], ast.Eq | ast.Is):
            for row in rows:
                yield from _with_values(line, row)


def _with_values(line: ast.Compare, row: Mapping[str, ast.expr]) -> Iterator[ast.Compare]:
    """The line, and the same turned round, with the values of a row in the place of its names."""
    for one, other in ((line.left, line.comparators[0]), (line.comparators[0], line.left)):
        if isinstance(one, ast.Call):
            arguments = [row.get(each.id, each) if isinstance(each, ast.Name) else each for each in one.args]
            result = row.get(other.id, other) if isinstance(other, ast.Name) else other
            yield ast.Compare(ast.Call(one.func, arguments, one.keywords), line.ops, [result])


def _rows(test: ast.FunctionDef, tables: Mapping[str, ast.expr]) -> list[Mapping[str, ast.expr]] | None:
    """The values of the parameters of a test, a row for each run; ``None`` where others than it says itself take part
    in it."""
    given = test.args
    names = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)} - {"self"}
    if given.vararg or given.kwarg or len(test.decorator_list) > 1:
        return None
    if not test.decorator_list:
        return [{}] if not names else None
    (decorator,) = test.decorator_list
    if (
        not isinstance(decorator, ast.Call)
        or ast.unparse(decorator.func) not in _PARAMETRIZE
        or len(decorator.args) != 2
    ):
        return None
    parameters, values = _names(decorator.args[0]), decorator.args[1]
    if isinstance(values, ast.Name):
        values = tables.get(values.id, values)
    if set(parameters) != names or not isinstance(values, ast.List | ast.Tuple):
        return None
    rows: list[Mapping[str, ast.expr]] = []
    for value in values.elts[:_MOST_ROWS]:
        parts = [value] if len(parameters) == 1 else value.elts if isinstance(value, ast.Tuple | ast.List) else []
        if len(parts) == len(parameters):
            rows.append(dict(zip(parameters, parts, strict=True)))
    return rows


_PARAMETRIZE = ("pytest.mark.parametrize", "mark.parametrize", "parametrize")


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [each.strip() for each in node.value.split(",") if each.strip()]
    if isinstance(node, ast.List | ast.Tuple):
        return [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return []


def _asserted_equal(call: ast.Call) -> ast.Compare | None:
    """``self.assertEqual(f(2), 4)`` as ``f(2) == 4``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name not in ("assertEqual", "assertEquals", "assertIs") or len(call.args) < 2:
        return None
    return ast.Compare(call.args[0], [ast.Eq()], [call.args[1]])


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _expects_an_error(statement: ast.stmt) -> bool:
    """``with pytest.raises(ValueError): ...``"""
    if not isinstance(statement, ast.With) or len(statement.items) != 1:
        return False
    call = statement.items[0].context_expr
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _RAISES
