"""Bodies that no person would write: a small model loses its thread and says things twice, and what was fitted from
another function may be an answer to another question.

Few bodies of people are like that, many of the model's: ``benchmarks/generation.py`` counts both.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Collection, Iterator

from codehunch.syntax.functions import Function

_LEAVING = ast.Return | ast.Raise | ast.Continue | ast.Break
_SHORT = 8
"""Characters of a statement that may stand twice, such as ``i += 1``."""
_LATER = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
"""Expressions whose parts run later, or not at all."""


def wanders(body: str, known: Collection[str] = ()) -> bool:
    """Whether a block has what can be no one's meaning: a statement again that its block has had, one that is never
    reached, branches that come to the same, ``x = x``, ``x < x``, ``x or x``, ``x - x``, a key twice, an import of a
    module that neither Python has nor ``known``, the names of the file. What does not parse does not wander."""
    tree = _parsed(body)
    return tree is not None and (
        any(map(_is_idle, ast.walk(tree)))
        or any(map(_says_twice, _blocks(tree)))
        or not _modules(tree) <= sys.stdlib_module_names | set(known)
    )


def recurs_at_once(body: str, function: Function) -> bool:
    """Whether a body calls the function that it is for before anything could have ended it: it never ends."""
    tree = _parsed(body)
    if tree is None or function.name in _stored(tree):
        return False
    for statement in _block_of(tree):
        if any(_is_own(node, function) for node in _run_first(statement)):
            return True
        if any(isinstance(node, _LEAVING) for node in ast.walk(statement)):
            return False
    return False


def keeps_promises(body: str, header: str) -> bool:
    """Whether a body does what the head of its function says: it returns something where that is annotated, nothing
    where that is, and reads half of its parameters or more, if they are several. True where either does not parse."""
    tree, declared = _parsed(body), _declared(header)
    if tree is None or declared is None:
        return True
    returns = ast.unparse(declared.returns) if declared.returns is not None else ""
    if returns:
        gives = any(_gives(node) for node in _own_nodes(tree))
        if gives if returns == "None" else not gives and not _raises(tree):
            return False
    arguments = declared.args
    wanted = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} - {"self", "cls"}
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return len(wanted) < 2 or "locals" in read or 2 * len(wanted & read) >= len(wanted)


def _declared(header: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (found,) = ast.parse(f"{header} pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _own_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything in a body but what functions within it hold."""
    waiting: list[ast.AST] = list(_block_of(tree))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _gives(node: ast.AST) -> bool:
    if isinstance(node, ast.Return):
        return node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None)
    return isinstance(node, ast.Yield | ast.YieldFrom)


def _raises(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Raise) for node in _own_nodes(tree))


def _parsed(body: str) -> ast.Module | None:
    # A body may return, wait, and leave a loop that is around it.
    text = "async def _():\n while _:\n" + "\n".join("  " + line for line in body.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _block_of(tree: ast.Module) -> list[ast.stmt]:
    (outer,) = tree.body
    assert isinstance(outer, ast.AsyncFunctionDef)
    (loop,) = outer.body
    assert isinstance(loop, ast.While)
    return loop.body


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _says_twice(block: list[ast.stmt]) -> bool:
    seen: set[str] = set()
    left: set[str] = set()
    for place, statement in enumerate(block):
        text = ast.unparse(statement)
        if text in seen and len(text) >= _SHORT:
            return True
        seen.add(text)
        if isinstance(statement, _LEAVING) and place + 1 < len(block):
            return True
        if isinstance(statement, ast.If):
            test = ast.unparse(statement.test)
            if test in left:
                return True
            if isinstance(statement.body[-1], _LEAVING):
                left.add(test)
            if place + 1 < len(block) and _comes_to(statement, block[place + 1]):
                return True
    return False


def _comes_to(choice: ast.If, after: ast.stmt) -> bool:
    """Whether a choice only leaves in the way that comes next anyway."""
    same = [ast.unparse(each) for each in choice.body] == [ast.unparse(after)]
    return same and not choice.orelse and isinstance(after, _LEAVING)


def _is_idle(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return any(ast.unparse(target) == ast.unparse(node.value) for target in node.targets)
    if isinstance(node, ast.BoolOp):
        return _doubled(node.values)
    if isinstance(node, ast.Dict):
        return _doubled([key for key in node.keys if key is not None])
    if isinstance(node, ast.IfExp):
        return _doubled([node.body, node.orelse])
    if isinstance(node, ast.Compare):  # Of ``x != x`` it is known who means that.
        return _doubled([node.left, *node.comparators]) and not isinstance(node.ops[0], ast.NotEq)
    if isinstance(node, ast.BinOp):
        same = ast.unparse(node.left) == ast.unparse(node.right)
        return same and isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod)
    if isinstance(node, ast.If) and node.orelse:
        branches = _branches(node)
        return _doubled([each.test for each in branches]) or (
            list(map(ast.unparse, branches[-1].body)) == list(map(ast.unparse, branches[-1].orelse))
        )
    return False


def _branches(choice: ast.If) -> list[ast.If]:
    """An ``if`` and its ``elif``."""
    found = [choice]
    while len(found[-1].orelse) == 1 and isinstance(found[-1].orelse[0], ast.If):
        found.append(found[-1].orelse[0])
    return found


def _stored(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _doubled(parts: list[ast.expr]) -> bool:
    return len(set(map(ast.unparse, parts))) < len(parts)


def _modules(tree: ast.AST) -> set[str]:
    """The outermost packages that a block imports from."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _run_first(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement that run whatever they say."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    if isinstance(statement, ast.Try | ast.With | ast.AsyncWith):
        heads: list[ast.AST] = [each.context_expr for each in getattr(statement, "items", ())]
        heads += statement.body[:1]
    elif isinstance(statement, ast.If | ast.While):
        heads = [statement.test]
    elif isinstance(statement, ast.For | ast.AsyncFor):
        heads = [statement.iter]
    else:
        heads = [statement]
    while heads:
        node = heads.pop()
        yield node
        if isinstance(node, ast.stmt) and node is not statement:
            yield from _run_first(node)
        elif isinstance(node, ast.BoolOp):
            heads.append(node.values[0])
        elif isinstance(node, ast.IfExp):
            heads.append(node.test)
        elif not isinstance(node, _LATER):
            heads.extend(ast.iter_child_nodes(node))


def _is_own(node: ast.AST, function: Function) -> bool:
    """Whether an expression calls the function, as far as its name tells; for a property, whether it reads it."""
    own = function.enclosing_class is not None
    if any(text.rpartition(".")[2] in ("property", "cached_property") for text in function.decorators):
        return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_member(node, function.name)
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if own:
        return isinstance(called, ast.Attribute) and _is_member(called, function.name)
    return isinstance(called, ast.Name) and called.id == function.name


def _is_member(node: ast.Attribute, name: str) -> bool:
    return node.attr == name and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
