"""What a ``class`` statement makes: its body as statements of a frame, and what ``dataclass`` adds to it."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codehunch.interpreter.attributes import represented
from codehunch.interpreter.calling import Builtin, Computed, Module, Raised, Signature, call
from codehunch.interpreter.classes import Class, Instance, error_class
from codehunch.interpreter.enumerations import PLAN, Enumeration, fields_of, named_tuple
from codehunch.interpreter.expressions import expression
from codehunch.interpreter.names import Thunk
from codehunch.interpreter.running import Frame, Run, Undecided, give_up
from codehunch.interpreter.scopes import OPENS, Scope

Define = Callable[[ast.FunctionDef, Scope | None], Thunk]
"""Makes the function of a ``def`` without its decorators; such a function knows its class."""
_NO_BASES = {"object", "ABC", "Generic", "Protocol", "Hashable", "Sized", "Iterable", "Container"}
"""Bases that only say how a class is meant."""


def class_of(node: ast.ClassDef, scope: Scope | None, define: Define) -> Thunk:
    """Gives the class that a ``class`` statement defines. Raises Undecided for what is not known here."""
    if [named(each) for each in node.bases] == ["NamedTuple"]:
        return _named_tuple(node, scope)
    bases = [_base(each, scope) for each in node.bases]
    if any(each.arg != "metaclass" or named(each.value) != "ABCMeta" for each in node.keywords):
        give_up("is a class of another kind")
    decorators = [expression(each, scope) for each in node.decorator_list]
    steps = _steps(node, scope, define)
    annotated = {
        each.target.id: named(each.annotation)
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    abstract = frozenset(
        each.name for each in methods if any(named(one) == "abstractmethod" for one in each.decorator_list)
    )

    def make(frame: Frame) -> Any:
        above = [found for base in bases if (found := base(frame)) is not None]
        errors = [each for each in above if isinstance(each, type) and issubclass(each, Exception)]
        if any(each is KeyError or issubclass(each, OSError) for each in errors):
            give_up("is an error that shows itself otherwise")
        own = [each for each in above if isinstance(each, Class)]
        own += [each.kind for each in errors if issubclass(each, Raised)]
        if len(errors) + sum(isinstance(each, Class) for each in above) != len(above):
            give_up("is a class with a base that is not known")
        inside = Frame(frame.run, frame.names, frame, {})
        try:
            for step in steps:
                step(frame, inside)
        except NameError:
            give_up("is a class whose names are not known")
        made: Any = Class(node.name, own, inside.values, abstract)
        made.annotated = annotated
        if PLAN in made.lineage:
            made = Enumeration(made, frame.run)
        for decorator in reversed([each(frame) for each in decorators]):
            made = call(frame.run, decorator, (made,))
        return error_class(node.name, errors, made) if errors and isinstance(made, Class) else made

    return make


def _named_tuple(node: ast.ClassDef, scope: Scope | None) -> Thunk:
    fields = fields_of(node)
    if fields is None or node.decorator_list:
        give_up("is a class of tuples of another kind")
    names = [name for name, _ in fields]
    defaults = [expression(value, scope) for _, value in fields if value is not None]
    return lambda frame: named_tuple(frame.run, node.name, names, defaults=[each(frame) for each in defaults])


def named(node: ast.expr) -> str:
    """The last name of a decorator, a base, or a type: ``dataclass`` of ``@dataclasses.dataclass(frozen=True)``."""
    if isinstance(node, ast.Call):
        return named(node.func)
    if isinstance(node, ast.Subscript):
        return named(node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.partition("[")[0].rpartition(".")[2]
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _base(node: ast.expr, scope: Scope | None) -> Thunk:
    if named(node) in _NO_BASES:
        return lambda frame: None
    return expression(node.value if isinstance(node, ast.Subscript) else node, scope)


def _is_silent(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


_Step = Callable[[Frame, Frame], None]
"""Does what a statement of a class does: with the frame around the class, and its own."""


def _steps(node: ast.ClassDef, scope: Scope | None, define: Define) -> list[_Step]:
    bound = {name for each in node.body for name in _bound_by(each)}
    own = Scope(frozenset(bound), scope if scope is not None else Scope(frozenset(), None))
    steps: list[_Step] = []
    for each in node.body:
        if isinstance(each, ast.FunctionDef):
            if not any(named(decorator) == "overload" for decorator in each.decorator_list):
                steps.append(_where_it_is_used(each, scope, own, define))
        elif isinstance(each, ast.AsyncFunctionDef):
            steps.append(_not_known(each.name, "is asynchronous"))
        elif isinstance(each, ast.Assign | ast.AnnAssign):
            if each.value is not None:
                steps += _assigned(each, own, bound)
        elif not _is_silent(each) and not (isinstance(each, ast.If) and named(each.test) == "TYPE_CHECKING"):
            give_up(f"is a class with {type(each).__name__}")
    _keep_private(node)
    return steps


def _keep_private(node: ast.ClassDef) -> None:
    """Names of a class alone, which its bases do not see, are only the same for all where there are no bases."""
    for each in ast.walk(node) if node.bases else ():
        if isinstance(each, ast.Attribute) and each.attr.startswith("__") and not each.attr.endswith("__"):
            give_up("has names that its bases do not see")


def _bound_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [each.id for each in targets if isinstance(each, ast.Name)]


def _assigned(node: ast.Assign | ast.AnnAssign, own: Scope, bound: set[str]) -> list[_Step]:
    names, value = _bound_by(node), node.value
    assert value is not None
    if isinstance(node, ast.Assign) and len(names) != len(node.targets):
        give_up("is a class that gives values to more than names")
    for each in ast.walk(value):
        if isinstance(each, OPENS) and any(isinstance(name, ast.Name) and name.id in bound for name in ast.walk(each)):
            give_up("is a class with a name that its functions do not see")
    compute = expression(value, own)

    def step(around: Frame, inside: Frame) -> None:
        found = compute(inside)
        for name in names:
            inside.values[name] = found

    return [step]


def _where_it_is_used(node: ast.FunctionDef, scope: Scope | None, own: Scope, define: Define) -> _Step:
    """A method. One that is not known here is so only where it is used."""
    try:
        return _method(node, scope, own, define)
    except Undecided as reason:
        return _not_known(node.name, str(reason))


def _not_known(name: str, reason: str) -> _Step:
    def step(around: Frame, inside: Frame) -> None:
        inside.values[name] = Module(f"{name}, which {reason},", {})

    return step


def _method(node: ast.FunctionDef, scope: Scope | None, own: Scope, define: Define) -> _Step:
    given = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
    if any(isinstance(name, ast.Name) and name.id in own.names for each in given for name in ast.walk(each)):
        give_up("has a default that is a name of its class")
    made, name = define(node, scope), node.name
    decorators = [expression(each, own) for each in node.decorator_list]

    def step(around: Frame, inside: Frame) -> None:
        try:
            found: Any = made(around)
            for decorator in reversed([each(inside) for each in decorators]):
                found = call(inside.run, decorator, (found,))
        except Undecided as reason:
            if scope is not None:  # A test may be about what it does to decorate here.
                raise
            return _not_known(name, str(reason))(around, inside)
        inside.values[name] = found

    return step


class Field:
    """What ``field(...)`` gives."""

    __slots__ = ("default", "factory")

    def __init__(self, default: Any, factory: Any) -> None:
        self.default, self.factory = default, factory


def field(run: Run, **words: Any) -> Field:
    """``dataclasses.field``. Raises Undecided."""
    if not words.keys() <= {"default", "default_factory"}:
        give_up("is a field of another kind")
    return Field(words.get("default", dataclasses.MISSING), words.get("default_factory", dataclasses.MISSING))


def data_class(run: Run, *made: Any, **options: Any) -> Any:
    """``dataclasses.dataclass``, with options or without. Raises Undecided."""
    if not options.keys() <= {"frozen", "order", "eq", "repr", "slots", "unsafe_hash"} or options.get("unsafe_hash"):
        give_up("is a class of data of another kind")
    if not made:
        return Builtin("dataclass", lambda run, made: data_class(run, made, **options))
    (kind,) = made
    if not isinstance(kind, Class):
        give_up("is no class of the program")
    if any(each in ("InitVar", "KW_ONLY") for each in kind.annotated.values()):
        give_up("has fields of another kind")
    _fill(kind, [name for name, annotation in kind.annotated.items() if annotation != "ClassVar"], options)
    return kind


def _fill(made: Class, own: Sequence[str], options: Mapping[str, bool]) -> None:
    """Add to a class what ``dataclass`` adds."""
    bases = [each for each in reversed(made.lineage[1:]) if each.fields]
    made.frozen = options.get("frozen", False)
    if any(each.frozen != made.frozen for each in bases):
        give_up("is frozen, or its base is")
    for each in bases:
        made.fields |= each.fields
    made.fields |= {name: made.members.get(name, dataclasses.MISSING) for name in own}
    fields = tuple(made.fields)
    defaults = {name: value for name, value in made.fields.items() if value is not dataclasses.MISSING}
    if any(isinstance(each, list | dict | set) for each in defaults.values()):
        give_up("has a default that changes")
    signature = Signature("__init__", (), ("self", *fields), (), None, None)
    members = made.members

    def start(run: Run, instance: Instance, *arguments: Any, **words: Any) -> None:
        values = signature.bound(run, (instance, *arguments), words, defaults)
        for name in fields:
            value = values[name]
            if isinstance(value, Field):
                value = _of_field(run, name, value)
            instance.values[name] = value
        if instance.says("__post_init__"):
            instance.speak("__post_init__")

    def data(each: Instance) -> tuple[Any, ...]:
        return tuple(each.attribute(name) for name in fields)

    def same(run: Run, one: Instance, other: Any) -> Any:
        return _compared(one, other, lambda: data(one) == data(other))

    def show(run: Run, one: Instance) -> str:
        return f"{made.name}({', '.join(f'{name}={represented(run, one.attribute(name))}' for name in fields)})"

    members.setdefault("__init__", Computed("__init__", start))
    if options.get("repr", True):
        members.setdefault("__repr__", Builtin("__repr__", show))
    if options.get("eq", True) and "__eq__" not in members:
        members["__eq__"] = Builtin("__eq__", same)
        hashed = Builtin("__hash__", lambda run, one: hash(data(one))) if made.frozen else None
        members.setdefault("__hash__", hashed)
    if options.get("order", False):
        for name in ("__lt__", "__le__", "__gt__", "__ge__"):
            members[name] = Builtin(name, _ordering(name, data))
    for name in own:
        if isinstance(members.get(name), Field):
            del members[name]


def _of_field(run: Run, name: str, given: Field) -> Any:
    if given.factory is not dataclasses.MISSING:
        return call(run, given.factory)
    if given.default is dataclasses.MISSING:
        raise TypeError(f"__init__() missing a required argument: '{name}'")
    return given.default


def _compared(one: Instance, other: Any, compare: Callable[[], bool]) -> Any:
    same = isinstance(other, Instance) and other.kind is one.kind
    return compare() if same else NotImplemented


def _ordering(name: str, data: Callable[[Instance], tuple[Any, ...]]) -> Callable[..., Any]:
    compare = getattr(tuple, name)
    return lambda run, one, other: _compared(one, other, lambda: compare(data(one), data(other)))


def ordered_class(run: Run, made: Any) -> Any:
    """``functools.total_ordering``. Raises Undecided."""
    if not isinstance(made, Class) or made.find("__lt__", None) is None:
        give_up("orders by what is not known here")

    def less_or_same(one: Instance, other: Any) -> Any:
        less = one.speak("__lt__", other)
        return less if less is NotImplemented else less or one == other

    ways = {
        "__gt__": lambda run, one, other: _not(less_or_same(one, other)),
        "__le__": lambda run, one, other: less_or_same(one, other),
        "__ge__": lambda run, one, other: _not(one.speak("__lt__", other)),
    }
    for name, compare in ways.items():
        if made.find(name, None) is None:
            made.members[name] = Computed(name, compare)
    return made


def _not(found: Any) -> Any:
    return found if found is NotImplemented else not found
