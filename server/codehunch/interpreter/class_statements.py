"""What a ``class`` statement makes: its body as statements of a frame, and what ``dataclass`` adds to it."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codehunch.interpreter.attributes import represented
from codehunch.interpreter.calling import Builtin, Computed, Signature, call, error_class
from codehunch.interpreter.classes import Class, ClassMethod, Instance, Property, StaticMethod
from codehunch.interpreter.expressions import expression
from codehunch.interpreter.names import Thunk
from codehunch.interpreter.running import Frame, Run, give_up
from codehunch.interpreter.scopes import OPENS, Scope

Define = Callable[[ast.FunctionDef, Scope | None], Thunk]
"""Makes the function of a ``def`` without its decorators; such a function knows its class."""
_NO_BASES = {"object", "ABC", "Generic", "Protocol", "Hashable", "Sized", "Iterable", "Container"}
"""Bases that only say how a class is meant."""
_NO_DECORATORS = {"final", "runtime_checkable", "abstractmethod", "override"}
_WRAPPERS = {
    "staticmethod": StaticMethod,
    "classmethod": ClassMethod,
    "property": Property,
    "cached_property": Property,
}
_KEPT = {"cache", "lru_cache"}


def class_of(node: ast.ClassDef, scope: Scope | None, define: Define) -> Thunk:
    """Gives the class that a ``class`` statement defines. Raises Undecided for what is not known here."""
    bases = [_base(each, scope) for each in node.bases]
    if any(each.arg != "metaclass" or named(each.value) != "ABCMeta" for each in node.keywords):
        give_up("is a class of another kind")
    options = _options(node)
    steps = _steps(node, scope, define)
    annotated = [each for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]
    fields = [each.target.id for each in annotated if named(each.annotation) != "ClassVar"]  # type: ignore[union-attr]
    if options is not None and any(named(each.annotation) in ("InitVar", "KW_ONLY") for each in annotated):
        give_up("has fields of another kind")
    error = _error_of(node, scope)
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    abstract = frozenset(
        each.name for each in methods if any(named(one) == "abstractmethod" for one in each.decorator_list)
    )

    def make(frame: Frame) -> Any:
        if error is not None:
            return error(frame)
        above = [found for base in bases if (found := base(frame)) is not None]
        if not all(isinstance(each, Class) for each in above):
            give_up("is a class with a base that is not known")
        inside = Frame(frame.run, frame.names, frame, {})
        try:
            for step in steps:
                step(frame, inside)
        except NameError:
            give_up("is a class whose names are not known")
        made = Class(node.name, above, inside.values, abstract)
        if options is not None:
            _fill(made, fields, options)
        return made

    return make


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


def _error_of(node: ast.ClassDef, scope: Scope | None) -> Thunk | None:
    """Makes an error of the program's own, if the class is one that is no more than a name; ``None`` if it is none."""
    if len(node.bases) != 1 or not named(node.bases[0]).endswith(("Error", "Exception")):
        return None
    if not all(_is_silent(each) for each in node.body):
        give_up("is an error that does more than others")
    base = expression(node.bases[0], scope)

    def make(frame: Frame) -> Any:
        above = base(frame)
        if not isinstance(above, type) or not issubclass(above, Exception):
            give_up("is a class with a base that is not known")
        return error_class(node.name, above)

    return make


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
                steps.append(_method(each, scope, define, bound))
        elif isinstance(each, ast.Assign | ast.AnnAssign):
            if each.value is not None:
                steps += _assigned(each, own, bound)
        elif not _is_silent(each):
            give_up(f"is a class with {type(each).__name__}")
    _keep_private(node)
    return steps


def _keep_private(node: ast.ClassDef) -> None:
    """Names of a class alone, which its bases do not see, are only the same for all where there are no bases."""
    for each in ast.walk(node) if node.bases else ():
        if isinstance(each, ast.Attribute) and each.attr.startswith("__") and not each.attr.endswith("__"):
            give_up("has names that its bases do not see")


def _bound_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef):
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


def _method(node: ast.FunctionDef, scope: Scope | None, define: Define, bound: set[str]) -> _Step:
    given = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
    if any(isinstance(name, ast.Name) and name.id in bound for each in given for name in ast.walk(each)):
        give_up("has a default that is a name of its class")
    made, name = define(node, scope), node.name
    wraps = [each for each in node.decorator_list if named(each) not in _NO_DECORATORS | _KEPT]
    if any(named(each) in _KEPT for each in node.decorator_list):
        give_up("remembers what its methods gave")
    if len(wraps) > 1:
        give_up("is decorated")
    wrapper = named(wraps[0]) if wraps else ""
    setter = wrapper == "setter" and isinstance(wraps[0], ast.Attribute) and named(wraps[0].value) == name
    if wraps and not setter and wrapper not in _WRAPPERS:
        give_up("is decorated")

    def step(around: Frame, inside: Frame) -> None:
        function = made(around)
        if setter:
            before = inside.values.get(name)
            if not isinstance(before, Property):
                give_up("sets what is no property")
            inside.values[name] = Property(before.getter, function)
        else:
            inside.values[name] = _WRAPPERS[wrapper](function) if wrapper else function

    return step


def _options(node: ast.ClassDef) -> Mapping[str, bool] | None:
    """What ``dataclass`` is asked for; ``None`` for other classes. Raises Undecided."""
    asked: dict[str, bool] | None = None
    for each in node.decorator_list:
        if named(each) in _NO_DECORATORS:
            continue
        if named(each) != "dataclass":
            give_up("is a decorated class")
        asked = {}
        for word in each.keywords if isinstance(each, ast.Call) else ():
            if word.arg not in ("frozen", "order", "eq", "repr", "slots") or not isinstance(word.value, ast.Constant):
                give_up("is a class of data of another kind")
            asked[word.arg] = bool(word.value.value)
    return asked


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
