"""Statements as functions of a frame: they give nothing, or say how the block they are in ends."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from codehunch.interpreter.attributes import attribute, item, put_attribute
from codehunch.interpreter.calling import Function, call
from codehunch.interpreter.class_statements import class_of
from codehunch.interpreter.classes import Instance
from codehunch.interpreter.expressions import expression, function_maker, put, target
from codehunch.interpreter.library import imported
from codehunch.interpreter.names import Thunk, name_store
from codehunch.interpreter.operators import COMPARISONS, IN_PLACE, SIGNS
from codehunch.interpreter.running import Frame, Undecided, Unmet, give_up
from codehunch.interpreter.scopes import Scope, method_scope_of, scope_of

Step = Callable[[Frame], Any]
"""Gives ``None`` where the block goes on, else a ``Returned`` or how the loop goes on."""


class Returned:
    """The function ends with a value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


_BREAK, _CONTINUE = object(), object()


def function(node: ast.FunctionDef, scope: Scope | None) -> Thunk:
    """Gives the function that a ``def`` defines. Raises Undecided for what is not known here."""
    made = _bare(node, scope_of(node, scope), scope)
    decorators = [expression(each, scope) for each in node.decorator_list]
    if not decorators:
        return made

    def decorate(frame: Frame) -> Any:
        found = bare = made(frame)
        for decorator in reversed([each(frame) for each in decorators]):
            found = call(frame.run, decorator, (found,))
        if isinstance(found, Function):
            found.shape = bare.shape
        return found

    return decorate


def _method(node: ast.FunctionDef, scope: Scope | None) -> Thunk:
    """The same without what decorates it, for a class."""
    return _bare(node, method_scope_of(node, scope), scope)


def _bare(node: ast.FunctionDef, own: Scope, scope: Scope | None) -> Thunk:
    steps: Step | None = None

    def body(frame: Frame) -> Any:
        nonlocal steps
        if steps is None:  # Most of a class is never called.
            steps = block(node.body, own)
        ended = steps(frame)
        return ended.value if type(ended) is Returned else None

    return function_maker(node.args, node.name, body, scope, own.yields)


def class_made(node: ast.ClassDef, scope: Scope | None) -> Thunk:
    """Gives the class that a ``class`` statement defines. Raises Undecided for what is not known here."""
    return class_of(node, scope, _method)


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
            running.row = line
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
    value, said, row = expression(node.value, scope), node.value, node.lineno

    def run(frame: Frame) -> None:
        try:
            value(frame)
        except AssertionError:
            unmet = frame.run.unmet
            if unmet is not None and unmet.node is None:
                unmet.node, unmet.row = said, row
            raise

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
    if isinstance(node.target, ast.Attribute):
        held, name, keep = expression(node.target.value, scope), node.target.attr, put_attribute

        def change(frame: Frame) -> None:
            owner = held(frame)
            keep(owner, name, compute(frame.run, attribute(frame.run, owner, name), value(frame)))

        return change
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
    value, row = expression(node.exc, scope), node.lineno

    def run(frame: Frame) -> None:
        found = value(frame)
        if isinstance(found, type) and issubclass(found, Exception):
            found = found()
        if not isinstance(found, Exception):
            give_up("raises what is not known here")
        frame.run.row = row
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
                if kind is None or isinstance(error, _errors(kind(frame))):
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


def _errors(kinds: Any) -> Any:
    """What a handler names. Raises Undecided where that is no error of Python's own kind."""
    listed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(each, type) for each in listed):
        give_up("handles what is not known here")
    return kinds


def _with(node: ast.With, scope: Scope) -> Step:
    (only, *more) = node.items
    inner = [ast.With(more, node.body)] if more else node.body
    context, body = expression(only.context_expr, scope), block(list(map(_placed(node), inner)), scope)
    store = target(only.optional_vars, scope) if only.optional_vars is not None else None

    def run(frame: Frame) -> Any:
        held = context(frame)
        if not isinstance(held, Instance):
            give_up("enters what is not known here")
        entered = held.speak("__enter__")
        if store is not None:
            store(frame, entered)
        try:
            ended = body(frame)
        except Exception as error:
            if held.speak("__exit__", type(error), error, None):
                return None
            raise
        held.speak("__exit__", None, None, None)
        return ended

    return run


def _placed(around: ast.stmt) -> Callable[[ast.stmt], ast.stmt]:
    """Puts a statement that nobody wrote where another one stands."""
    return lambda node: node if hasattr(node, "lineno") else ast.copy_location(node, around)


def _assert(node: ast.Assert, scope: Scope) -> Step:
    said, row = node.test, node.lineno
    message = expression(node.msg, scope) if node.msg is not None else None
    if isinstance(said, ast.Compare) and len(said.ops) == 1:
        first, second = expression(said.left, scope), expression(said.comparators[0], scope)
        compare, sign = COMPARISONS[type(said.ops[0])], SIGNS[type(said.ops[0])]

        def unmet(frame: Frame) -> Unmet | None:
            left = first(frame)
            right = second(frame)
            return None if compare(frame.run, left, right) else Unmet(left, right, sign, said)
    else:
        test = expression(said, scope)

        def unmet(frame: Frame) -> Unmet | None:
            found = test(frame)
            return None if found else Unmet(found, True, "is", said)

    def run(frame: Frame) -> None:
        found = unmet(frame)
        if found is not None:
            given = [message(frame)] if message is not None else []
            frame.run.unmet, found.row = found, row
            raise AssertionError(*given)

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


def _define(node: ast.FunctionDef | ast.ClassDef, scope: Scope) -> Step:
    made = class_made(node, scope) if isinstance(node, ast.ClassDef) else function(node, scope)
    store = name_store(node.name, scope)
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
    ast.ClassDef: _define,
    ast.With: _with,
    ast.Import: _import,
    ast.ImportFrom: _import,
}
