"""Statements as functions of a frame: they give nothing, or say how the block they are in ends."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from codehunch.interpreter.attributes import item
from codehunch.interpreter.expressions import expression, function_maker, put, target
from codehunch.interpreter.library import imported
from codehunch.interpreter.names import Thunk, name_store
from codehunch.interpreter.operators import IN_PLACE
from codehunch.interpreter.running import Frame, Undecided, give_up
from codehunch.interpreter.scopes import Scope, scope_of, yields

Step = Callable[[Frame], Any]
"""Gives ``None`` where the block goes on, else a ``Returned`` or how the loop goes on."""


class Returned:
    """The function ends with a value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


_BREAK, _CONTINUE = object(), object()
_DECORATORS_THAT_KEEP_RESULTS = {"cache", "lru_cache"}


def function(node: ast.FunctionDef, scope: Scope | None) -> Thunk:
    """Gives the function that a ``def`` defines. Raises Undecided for what is not known here."""
    for decorator in node.decorator_list:
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = named.attr if isinstance(named, ast.Attribute) else named.id if isinstance(named, ast.Name) else ""
        if name not in _DECORATORS_THAT_KEEP_RESULTS:
            give_up("is decorated")
    own = scope_of(node, scope)
    steps = block(node.body, own)

    def body(frame: Frame) -> Any:
        ended = steps(frame)
        return ended.value if type(ended) is Returned else None

    return function_maker(node.args, node.name, body, scope, yields(node))


def block(nodes: Sequence[ast.stmt], scope: Scope) -> Step:
    """Several statements, one after the other. What is not known here is so only where it is come to."""
    steps = [(node.lineno, _statement(node, scope)) for node in nodes]

    def run(frame: Frame) -> Any:
        running = frame.run
        for line, step in steps:
            running.left -= 1
            if running.left < 0:
                give_up("takes too long")
            running.lines.add(line)
            ended = step(frame)
            if ended is not None:
                return ended
        return None

    return run


def _statement(node: ast.stmt, scope: Scope) -> Step:
    compile_ = _STATEMENTS.get(type(node))
    try:
        if compile_ is None:
            give_up(f"uses {type(node).__name__}")
        return compile_(node, scope)
    except Undecided as reason:
        said = str(reason)
        return lambda frame: give_up(said)


def _expression(node: ast.Expr, scope: Scope) -> Step:
    if isinstance(node.value, ast.Constant) and node.value.value is not Ellipsis:
        return lambda frame: None  # A docstring.
    value = expression(node.value, scope)

    def run(frame: Frame) -> None:
        value(frame)

    return run


def _assign(node: ast.Assign, scope: Scope) -> Step:
    value, stores = expression(node.value, scope), [target(each, scope) for each in node.targets]
    if len(stores) == 1:
        (only,) = stores
        return lambda frame: only(frame, value(frame))

    def run(frame: Frame) -> None:
        found = value(frame)
        for store in stores:
            store(frame, found)

    return run


def _annotated(node: ast.AnnAssign, scope: Scope) -> Step:
    if node.value is None:
        return lambda frame: None
    value, store = expression(node.value, scope), target(node.target, scope)
    return lambda frame: store(frame, value(frame))


def _augmented(node: ast.AugAssign, scope: Scope) -> Step:
    compute = IN_PLACE.get(type(node.op)) or give_up("uses an operator of libraries")
    value = expression(node.value, scope)
    if isinstance(node.target, ast.Name):
        load = expression(ast.Name(node.target.id, ast.Load()), scope)
        store = name_store(node.target.id, scope)
        return lambda frame: store(frame, compute(frame.run, load(frame), value(frame)))
    if not isinstance(node.target, ast.Subscript):
        give_up("changes what is not known here")
    owner, index = expression(node.target.value, scope), expression(node.target.slice, scope)

    def run(frame: Frame) -> None:
        held, at = owner(frame), index(frame)
        put(frame, held, at, compute(frame.run, item(frame.run, held, at), value(frame)))

    return run


def _return(node: ast.Return, scope: Scope) -> Step:
    if node.value is None:
        return lambda frame: Returned(None)
    value = expression(node.value, scope)
    return lambda frame: Returned(value(frame))


def _if(node: ast.If, scope: Scope) -> Step:
    test, body, other = expression(node.test, scope), block(node.body, scope), block(node.orelse, scope)
    return lambda frame: body(frame) if test(frame) else other(frame)


def _for(node: ast.For, scope: Scope) -> Step:
    source, store = expression(node.iter, scope), target(node.target, scope)
    body, other = block(node.body, scope), block(node.orelse, scope)

    def run(frame: Frame) -> Any:
        for each in frame.run.items(source(frame)):
            store(frame, each)
            ended = body(frame)
            if ended is None or ended is _CONTINUE:
                continue
            return None if ended is _BREAK else ended
        return other(frame)

    return run


def _while(node: ast.While, scope: Scope) -> Step:
    test, body, other = expression(node.test, scope), block(node.body, scope), block(node.orelse, scope)

    def run(frame: Frame) -> Any:
        while test(frame):
            frame.run.tick()
            ended = body(frame)
            if ended is None or ended is _CONTINUE:
                continue
            return None if ended is _BREAK else ended
        return other(frame)

    return run


def _raise(node: ast.Raise, scope: Scope) -> Step:
    if node.exc is None:
        give_up("raises again")
    value = expression(node.exc, scope)

    def run(frame: Frame) -> None:
        found = value(frame)
        if isinstance(found, type) and issubclass(found, Exception):
            found = found()
        if not isinstance(found, Exception):
            give_up("raises what is not known here")
        raise found

    return run


def _try(node: ast.Try, scope: Scope) -> Step:
    body, other, last = (block(each, scope) for each in (node.body, node.orelse, node.finalbody))
    handlers = [
        (
            expression(each.type, scope) if each.type is not None else None,
            each.name,
            name_store(each.name, scope) if each.name else None,
            block(each.body, scope),
        )
        for each in node.handlers
    ]

    def attempt(frame: Frame) -> Any:
        try:
            ended = body(frame)
        except (RecursionError, MemoryError):
            give_up("needs more than a run may use")
        except Exception as error:
            for kind, name, store, handler in handlers:
                if kind is None or isinstance(error, kind(frame)):
                    if store is None or name is None:
                        return handler(frame)
                    store(frame, error)
                    try:
                        return handler(frame)
                    finally:
                        frame.values.pop(name, None)
            raise
        return ended if ended is not None else other(frame)

    def run(frame: Frame) -> Any:
        try:
            ended = attempt(frame)
        except Exception:
            after = last(frame)
            if after is not None:
                return after
            raise
        after = last(frame)
        return after if after is not None else ended

    return run


def _assert(node: ast.Assert, scope: Scope) -> Step:
    test = expression(node.test, scope)
    message = expression(node.msg, scope) if node.msg is not None else None

    def run(frame: Frame) -> None:
        if not test(frame):
            raise AssertionError(*([message(frame)] if message is not None else []))

    return run


def _delete(node: ast.Delete, scope: Scope) -> Step:
    removed: list[tuple[Thunk, Thunk]] = []
    for each in node.targets:
        if not isinstance(each, ast.Subscript):
            give_up("deletes a name")
        removed.append((expression(each.value, scope), expression(each.slice, scope)))

    def run(frame: Frame) -> None:
        for owner, index in removed:
            held, at = owner(frame), index(frame)
            if isinstance(held, list):
                frame.run.charge(len(held))
            del held[at]

    return run


def _define(node: ast.FunctionDef, scope: Scope) -> Step:
    made, store = function(node, scope), name_store(node.name, scope)
    return lambda frame: store(frame, made(frame))


def _import(node: ast.Import | ast.ImportFrom, scope: Scope) -> Step:
    found = [(name_store(name, scope), value) for name, value in imported(node).items()]

    def run(frame: Frame) -> None:
        for store, value in found:
            store(frame, value(frame))

    return run


_STATEMENTS: dict[type[ast.stmt], Callable[[Any, Scope], Step]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Break: lambda node, scope: lambda frame: _BREAK,
    ast.Continue: lambda node, scope: lambda frame: _CONTINUE,
    ast.Pass: lambda node, scope: lambda frame: None,
    ast.Nonlocal: lambda node, scope: lambda frame: None,
    ast.Raise: _raise,
    ast.Try: _try,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.FunctionDef: _define,
    ast.Import: _import,
    ast.ImportFrom: _import,
}
