"""Expressions as functions of a frame: compiled once, run often."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codehunch.interpreter.attributes import attribute, formatted, item, put_attribute
from codehunch.interpreter.calling import OWN_CLASS, Function, Signature, call
from codehunch.interpreter.classes import Super
from codehunch.interpreter.names import Store, Thunk, name_load, name_store
from codehunch.interpreter.operators import BINARY, COMPARISONS, UNARY
from codehunch.interpreter.running import Dispatching, Frame, give_up
from codehunch.interpreter.scopes import Comprehension, Scope, comprehension_scope, scope_of


def expression(node: ast.expr, scope: Scope | None) -> Thunk:
    """What an expression gives. Raises Undecided for what is not known here."""
    compile_ = _EXPRESSIONS.get(type(node))
    if compile_ is None:
        give_up(f"uses {type(node).__name__}")
    return compile_(node, scope)


def _constant(node: ast.Constant, scope: Scope | None) -> Thunk:
    value = node.value
    if value is Ellipsis:
        give_up("is not written yet")
    return lambda frame: value


def _name(node: ast.Name, scope: Scope | None) -> Thunk:
    return name_load(node.id, scope)


def _binary(node: ast.BinOp, scope: Scope | None) -> Thunk:
    compute = BINARY.get(type(node.op)) or give_up("uses an operator of libraries")
    left, right = expression(node.left, scope), expression(node.right, scope)
    return lambda frame: compute(frame.run, left(frame), right(frame))


def _unary(node: ast.UnaryOp, scope: Scope | None) -> Thunk:
    operand = expression(node.operand, scope)
    if isinstance(node.op, ast.Not):
        return lambda frame: not operand(frame)
    compute = UNARY[type(node.op)]
    return lambda frame: compute(operand(frame))


def _boolean(node: ast.BoolOp, scope: Scope | None) -> Thunk:
    parts = [expression(each, scope) for each in node.values]
    until = isinstance(node.op, ast.Or)

    def run(frame: Frame) -> Any:
        value = None
        for part in parts:
            value = part(frame)
            if bool(value) is until:
                break
        return value

    return run


def _compare(node: ast.Compare, scope: Scope | None) -> Thunk:
    first = expression(node.left, scope)
    rest = [
        (COMPARISONS[type(op)], expression(each, scope)) for op, each in zip(node.ops, node.comparators, strict=True)
    ]
    if len(rest) == 1:
        ((compare, second),) = rest
        return lambda frame: compare(frame.run, first(frame), second(frame))

    def run(frame: Frame) -> Any:
        left, found = first(frame), None
        for compare, other in rest:
            right = other(frame)
            found = compare(frame.run, left, right)
            if not found:
                break
            left = right
        return found

    return run


def _conditional(node: ast.IfExp, scope: Scope | None) -> Thunk:
    test, body, other = (expression(each, scope) for each in (node.test, node.body, node.orelse))
    return lambda frame: body(frame) if test(frame) else other(frame)


def _sequence(node: ast.List | ast.Tuple | ast.Set, scope: Scope | None) -> Thunk:
    make = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
    gathered = _gathered(node.elts, scope)
    return lambda frame: make(gathered(frame))


def _gathered(nodes: Sequence[ast.expr], scope: Scope | None) -> Callable[[Frame], list[Any]]:
    """The values of several expressions, starred ones spread out."""
    parts = [
        (isinstance(each, ast.Starred), expression(each.value if isinstance(each, ast.Starred) else each, scope))
        for each in nodes
    ]
    if not any(starred for starred, _ in parts):
        plain = [part for _, part in parts]
        return lambda frame: [part(frame) for part in plain]

    def run(frame: Frame) -> list[Any]:
        found: list[Any] = []
        for starred, part in parts:
            if starred:
                found.extend(frame.run.items(part(frame)))
            else:
                found.append(part(frame))
        return found

    return run


def _dict(node: ast.Dict, scope: Scope | None) -> Thunk:
    parts = [
        (expression(key, scope) if key is not None else None, expression(value, scope))
        for key, value in zip(node.keys, node.values, strict=True)
    ]

    def run(frame: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in parts:
            if key is None:
                found.update(_mapping(frame, value(frame)))
            else:
                own = key(frame)
                found[own] = value(frame)
        return found

    return run


def _mapping(frame: Frame, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"'{type(value).__name__}' object is not a mapping")
    frame.run.charge(len(value))
    return value


def _call(node: ast.Call, scope: Scope | None) -> Thunk:
    if isinstance(node.func, ast.Name) and node.func.id in ("locals", "globals", "eval", "exec"):
        give_up(f"calls `{node.func.id}`")
    if isinstance(node.func, ast.Name) and node.func.id == "super":
        return _super(node, scope)
    callee, gathered = expression(node.func, scope), _gathered(node.args, scope)
    words = [(each.arg, expression(each.value, scope)) for each in node.keywords]
    if not words:
        return lambda frame: call(frame.run, callee(frame), gathered(frame))

    def run(frame: Frame) -> Any:
        called, arguments = callee(frame), gathered(frame)
        given: dict[str, Any] = {}
        for name, value in words:
            found = _mapping(frame, value(frame)) if name is None else {name: value(frame)}
            if not all(isinstance(each, str) for each in found):
                raise TypeError("keywords must be strings")
            if found.keys() & given.keys():
                raise TypeError("got multiple values for a keyword argument")
            given.update(found)
        return call(frame.run, called, arguments, given)

    return run


def _super(node: ast.Call, scope: Scope | None) -> Thunk:
    if node.keywords or len(node.args) not in (0, 2):
        give_up("calls `super` with something else")
    within = scope
    while within is not None and within.comprehends:
        within = within.outer
    if node.args:
        kind, owner = (expression(each, scope) for each in node.args)
    elif within is None or within.first is None or OWN_CLASS not in within.names:
        give_up("calls `super` outside of a method")
    else:
        kind, owner = name_load(OWN_CLASS, scope), name_load(within.first, scope)
    return lambda frame: Super(kind(frame), owner(frame))


def _attribute(node: ast.Attribute, scope: Scope | None) -> Thunk:
    owner, name = expression(node.value, scope), node.attr
    return lambda frame: attribute(frame.run, owner(frame), name)


def _subscript(node: ast.Subscript, scope: Scope | None) -> Thunk:
    owner, index = expression(node.value, scope), expression(node.slice, scope)
    return lambda frame: item(frame.run, owner(frame), index(frame))


def _slice(node: ast.Slice, scope: Scope | None) -> Thunk:
    bounds = [expression(each, scope) if each is not None else None for each in (node.lower, node.upper, node.step)]
    return lambda frame: slice(*(bound(frame) if bound is not None else None for bound in bounds))


def lambda_of(node: ast.Lambda, scope: Scope | None) -> Thunk:
    own = scope_of(node, scope)
    body = expression(node.body, own)
    return function_maker(node.args, "<lambda>", body, scope)


def function_maker(
    arguments: ast.arguments, name: str, body: Thunk, scope: Scope | None, generates: bool = False
) -> Thunk:
    """Gives a function whose defaults are computed where it is defined."""
    signature = Signature(
        name,
        [each.arg for each in arguments.posonlyargs],
        [each.arg for each in arguments.args],
        [each.arg for each in arguments.kwonlyargs],
        arguments.vararg.arg if arguments.vararg is not None else None,
        arguments.kwarg.arg if arguments.kwarg is not None else None,
    )
    last = signature.positions[len(signature.positions) - len(arguments.defaults) :]
    given = [*zip(last, arguments.defaults, strict=True)]
    given += [(name, node) for name, node in zip(signature.only_names, arguments.kw_defaults, strict=True) if node]
    defaults = [(name, expression(node, scope)) for name, node in given]

    def make(frame: Frame) -> Function:
        values = {name: value(frame) for name, value in defaults}
        return Function(signature, body, values, frame if scope is not None else None, frame.names, generates)

    return make


def _comprehension(node: Comprehension, scope: Scope | None) -> Thunk:
    if scope is None:  # Of the file: nothing is around it.
        scope = Scope(frozenset(), None)
    own = comprehension_scope(node, scope)
    clauses = []
    for number, generator in enumerate(node.generators):
        if generator.is_async:
            give_up("is asynchronous")
        source = expression(generator.iter, scope if number == 0 else own)
        clauses.append((source, target(generator.target, own), [expression(each, own) for each in generator.ifs]))
    element = _pair(node, own) if isinstance(node, ast.DictComp) else expression(node.elt, own)
    first = clauses[0][0]

    def holds(frame: Frame, conditions: Sequence[Thunk]) -> bool:
        for condition in conditions:  # noqa: SIM110 (a generator would change what a condition raises)
            if not condition(frame):
                return False
        return True

    def lazily(frame: Frame, number: int, source: Any) -> Iterator[Any]:
        _, store, conditions = clauses[number]
        for each in frame.run.items(source):
            store(frame, each)
            if holds(frame, conditions):
                if number + 1 == len(clauses):
                    yield element(frame)
                else:
                    yield from lazily(frame, number + 1, clauses[number + 1][0](frame))

    def at_once(frame: Frame, number: int, source: Any, found: list[Any]) -> list[Any]:
        # No generator: what an element raises leaves one as something else.
        _, store, conditions = clauses[number]
        for each in frame.run.items(source):
            store(frame, each)
            if holds(frame, conditions):
                if number + 1 == len(clauses):
                    found.append(element(frame))
                else:
                    at_once(frame, number + 1, clauses[number + 1][0](frame), found)
        return found

    if isinstance(node, ast.GeneratorExp):
        return lambda frame: lazily(Frame(frame.run, frame.names, frame, {}), 0, first(frame))
    make = {ast.ListComp: list, ast.SetComp: set, ast.DictComp: dict}[type(node)]
    return lambda frame: make(at_once(Frame(frame.run, frame.names, frame, {}), 0, first(frame), []))


def _pair(node: ast.DictComp, scope: Scope) -> Thunk:
    key, value = expression(node.key, scope), expression(node.value, scope)
    return lambda frame: (key(frame), value(frame))


def _joined(node: ast.JoinedStr, scope: Scope | None) -> Thunk:
    parts = [expression(each, scope) for each in node.values]
    return lambda frame: frame.run.sized("".join([part(frame) for part in parts]))


def _formatted(node: ast.FormattedValue, scope: Scope | None) -> Thunk:
    value, conversion = expression(node.value, scope), node.conversion
    spec = expression(node.format_spec, scope) if node.format_spec is not None else None
    return lambda frame: formatted(frame.run, value(frame), spec(frame) if spec is not None else "", conversion)


def _named(node: ast.NamedExpr, scope: Scope | None) -> Thunk:
    value, store = expression(node.value, scope), name_store(node.target.id, scope)

    def run(frame: Frame) -> Any:
        found = value(frame)
        store(frame, found)
        return found

    return run


def _yield(node: ast.Yield, scope: Scope | None) -> Thunk:
    value = expression(node.value, scope) if node.value is not None else lambda frame: None

    def run(frame: Frame) -> None:
        assert frame.yielded is not None
        frame.yielded.append(value(frame))

    return run


def _yield_from(node: ast.YieldFrom, scope: Scope | None) -> Thunk:
    value = expression(node.value, scope)

    def run(frame: Frame) -> None:
        assert frame.yielded is not None
        frame.yielded.extend(frame.run.items(value(frame)))

    return run


def target(node: ast.expr, scope: Scope | None) -> Store:
    """Where an assignment puts its value. Raises Undecided for what is not known here."""
    if isinstance(node, ast.Name):
        return name_store(node.id, scope)
    if isinstance(node, ast.Subscript):
        owner, index = expression(node.value, scope), expression(node.slice, scope)
        return lambda frame, value: put(frame, owner(frame), index(frame), value)
    if isinstance(node, ast.Tuple | ast.List):
        return _unpacked(node.elts, scope)
    if isinstance(node, ast.Attribute):
        held, name = expression(node.value, scope), node.attr
        return lambda frame, value: put_attribute(held(frame), name, value)
    return give_up("changes what is not known here")


def put(frame: Frame, owner: Any, index: Any, value: Any) -> None:
    """``owner[index] = value``."""
    if isinstance(index, slice):
        value = frame.run.listed(value)
        frame.run.charge(len(owner) if not isinstance(owner, Dispatching) else 1)
    frame.run.shallow(index)
    frame.run.shallow(value)
    operator.setitem(owner, index, value)


def _unpacked(nodes: Sequence[ast.expr], scope: Scope | None) -> Store:
    star = next((at for at, each in enumerate(nodes) if isinstance(each, ast.Starred)), None)
    stores = [target(each.value if isinstance(each, ast.Starred) else each, scope) for each in nodes]

    def store(frame: Frame, value: Any) -> None:
        values = frame.run.listed(value)
        if star is None and len(values) != len(stores):
            raise ValueError(f"expected {len(stores)} values to unpack, got {len(values)}")
        if star is not None:
            behind = len(stores) - star - 1
            if len(values) < len(stores) - 1:
                raise ValueError(f"expected at least {len(stores) - 1} values to unpack, got {len(values)}")
            end = len(values) - behind
            values = [*values[:star], values[star:end], *values[end:]]
        for put_, each in zip(stores, values, strict=True):
            put_(frame, each)

    return store


_EXPRESSIONS: dict[type[ast.AST], Callable[[Any, Scope | None], Thunk]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.Call: _call,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: lambda_of,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
}
