"""Enumerations, and tuples whose items have names."""

from __future__ import annotations

import ast
import collections
import keyword
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codehunch.interpreter.calling import Builtin, Computed, Function
from codehunch.interpreter.classes import Class, Instance, Property, StaticMethod
from codehunch.interpreter.running import Dispatching, Run, give_up

_MOST_FIELDS = 100
AUTO = object()
"""``enum.auto()``."""
PLAN = Class("Enum", (), {})
"""``enum.Enum``."""


class Enumeration(Class, Dispatching):
    """A class that is all of its instances."""

    __slots__ = ("every",)

    def __init__(self, plain: Class, run: Run) -> None:
        """From a class whose members have no more than values. Raises Undecided where more is done to them."""
        if plain.find("__init__", None) is not None or any(name.startswith("_") and not name.startswith("__")
                                                          for name in plain.members):  # fmt: skip
            give_up("is an enumeration of another kind")
        values = {name: each for name, each in plain.members.items() if not _is_a_method(name, each)}
        super().__init__(plain.name, plain.lineage[1:2], {**plain.members, **_SHOWN, **_own(plain.members)})
        self.lineage = (self, *plain.lineage[1:])
        self.every: list[Instance] = []
        for name, value in values.items():
            if value is AUTO:
                value = self.every[-1].values["value"] + 1 if self.every else 1
            same = next((each for each in self.every if each.values["value"] == value), None)
            if same is None:
                same = Instance(self, run)
                same.values |= {"name": name, "value": value, "_name_": name, "_value_": value}
                self.every.append(same)
            self.members[name] = same

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """The one with a value. Raises ValueError where there is none."""
        run.tick(1 + len(self.every))
        if words or len(arguments) != 1:
            give_up("makes an enumeration")
        (value,) = arguments
        for each in self.every:
            if each is value or each.values["value"] == value:
                return each
        raise ValueError(f"{value!r} is not a valid {self.name}")

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.every)

    def __len__(self) -> int:
        return len(self.every)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Instance) and value.kind is self

    def __getitem__(self, name: str) -> Instance:
        return next((each for each in (self.members.get(name),) if isinstance(each, Instance)), None) or _none(name)


def _none(name: str) -> Instance:
    raise KeyError(name)


def _own(members: Mapping[str, Any]) -> dict[str, Any]:
    """How it shows itself, where it says so."""
    return {name: members[name] for name in _SHOWN if name in members}


def _is_a_method(name: str, member: Any) -> bool:
    return name.startswith("__") or isinstance(member, Function | Builtin | Property | StaticMethod)


_SHOWN = {
    "__repr__": Computed(
        "repr", lambda run, made: f"<{made.kind.name}.{made.values['name']}: {made.values['value']!r}>"
    ),
    "__str__": Computed("str", lambda run, made: f"{made.kind.name}.{made.values['name']}"),
}


def named_tuple(run: Run, name: Any, fields: Any, *, defaults: Any = None) -> type:
    """``collections.namedtuple``. Raises ValueError as Python does, Undecided."""
    run.tick()
    names = fields.replace(",", " ").split() if isinstance(fields, str) else run.listed(fields)
    given = run.listed(defaults) if defaults is not None else None
    for each in (name, *names):
        if not isinstance(each, str) or not each.isidentifier() or keyword.iskeyword(each) or each.startswith("_"):
            give_up("names fields in a way that is not known here")
    if len(names) > _MOST_FIELDS:
        give_up("has too many fields")
    return collections.namedtuple(name, names, defaults=given)


def fields_of(node: ast.ClassDef) -> list[tuple[str, ast.expr | None]] | None:
    """The fields of a class of ``typing.NamedTuple`` that has nothing else, with their defaults."""
    body = [each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    if not all(isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) for each in body):
        return None
    return [(each.target.id, each.value) for each in body]  # type: ignore[attr-defined]


def of_a_named_tuple(owner: tuple[Any, ...], name: str) -> Any:
    """``owner.name`` of a tuple whose items have names; ``NotImplemented`` where that is nothing of its own."""
    fields: tuple[str, ...] = getattr(type(owner), "_fields", ())
    if name in fields:
        return getattr(owner, name)
    if name == "_fields" and fields:
        return fields
    if name == "_asdict" and fields:
        return Builtin(name, lambda run: dict(zip(fields, owner, strict=True)))
    if name == "_replace" and fields:
        return Computed(name, lambda run, **values: _replaced(run, owner, values))
    return NotImplemented


def _replaced(run: Run, owner: Any, values: Mapping[str, Any]) -> Any:
    run.charge(len(owner))
    if not values.keys() <= set(owner._fields):
        give_up("replaces what is no field")
    return owner._replace(**values)


UNIQUE = Builtin("unique", lambda run, made: made)
