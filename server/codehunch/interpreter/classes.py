"""Classes of a program, and what is made of them.

An instance carries what Python itself calls (``==``, ``len``, ``sorted`` ...) over to the methods that the program
gives it, so that the operators and functions of Python work on it as they do on values of Python's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codehunch.interpreter.calling import Builtin, Computed, Function, Invocable, Module, Raised, call
from codehunch.interpreter.running import Dispatching, Run, give_up

_MISSING: Any = object()
_BINARY = (
    "add sub mul truediv floordiv mod pow lshift rshift and or xor matmul radd rsub rmul rtruediv rfloordiv rmod rpow"
    " rlshift rrshift rand ror rxor iadd isub imul itruediv ifloordiv imod ipow ilshift irshift iand ior ixor"
    " lt le gt ge"
)
_UNARY = "neg pos invert abs len next getitem setitem delitem int float index round reversed"
_ALSO = frozenset("__iter__ __contains__ __call__ __enter__ __exit__ __hash__ __bool__".split())
_ACTING = frozenset(
    f"__{name}__"
    for name in "getattr getattribute setattr delattr new init_subclass set_name get set delete prepare instancecheck"
    " subclasscheck missing bytes complex fspath trunc floor ceil format length_hint".split()
)
"""What Python would ask for where nobody does here."""


def is_understood(name: str) -> bool:
    """Whether what a class says by a name with a meaning of its own is done here, if it is ever asked for."""
    return name not in _ACTING


class Property:
    """A value that is computed when it is asked for."""

    __slots__ = ("getter", "is_kept", "setter")

    def __init__(self, getter: Invocable, setter: Invocable | None = None, is_kept: bool = False) -> None:
        """``is_kept``: computed once for each object."""
        self.getter, self.setter, self.is_kept = getter, setter, is_kept

    def attribute(self, name: str) -> Any:
        """``name.setter`` and its like, for decorators. Raises Undecided."""
        if name == "setter":
            return Builtin(name, lambda run, setter: Property(self.getter, setter))
        if name == "getter":
            return Builtin(name, lambda run, getter: Property(getter, self.setter))
        return give_up(f"`.{name}` is not known")


class StaticMethod:
    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function


class ClassMethod(StaticMethod):
    __slots__ = ()


class Method(Invocable):
    """A function with the object that it is called on."""

    __slots__ = ("function", "owner")

    def __init__(self, function: Invocable, owner: Any) -> None:
        self.function, self.owner = function, owner

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        return call(run, self.function, (self.owner, *arguments), words)

    def __eq__(self, other: object) -> bool:
        return give_up("compares methods")

    def __hash__(self) -> int:
        return give_up("compares methods")


class Class(Invocable):
    """A class that the program defines; ``object`` and what only says how others are meant stand for nothing."""

    __slots__ = ("abstract", "annotated", "fields", "frozen", "lineage", "members", "name")

    def __init__(
        self, name: str, bases: Sequence[Class], members: dict[str, Any], abstract: frozenset[str] = frozenset()
    ) -> None:
        """Raises Undecided where bases contradict each other in their order, or a name means what is not done here."""
        self.name, self.members, self.abstract = name, members, abstract
        self.lineage: tuple[Class, ...] = (self, *_merged([list(each.lineage) for each in bases] + [list(bases)]))
        self.fields: dict[str, Any] = {}
        """Of a class of data, with their defaults."""
        self.frozen = False
        self.annotated: dict[str, str] = {}
        """Its names that have a type, in their order, each with the last name of that."""
        if "__eq__" in members:
            members.setdefault("__hash__", None)
        for each in members.values():
            for function in _functions_of(each):
                function.owner = self
        unknown = next((each for each in members if not is_understood(each)), None)
        if unknown is not None:
            give_up(f"`{name}.{unknown}` is not known")

    def find(self, name: str, default: Any = _MISSING) -> Any:
        """What the class, or the next of its bases that has it, has under a name."""
        for each in self.lineage:
            if name in each.members:
                return each.members[name]
        return default

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """A new instance."""
        made = Instance(self, run)
        run.tick()
        if any(self.find(name) is each.members.get(name) for each in self.lineage for name in each.abstract):
            give_up("makes what is only a plan")
        start = self.find("__init__")
        if start is not _MISSING:
            if call(run, start, (made, *arguments), words) is not None:
                raise TypeError("__init__() should return None")
        elif arguments or words:
            raise TypeError(f"{self.name}() takes no arguments")
        return made

    def attribute(self, name: str) -> Any:
        """``Class.name``. Raises AttributeError, Undecided."""
        if name in ("__name__", "__qualname__"):
            return self.name
        found = self.find(name)
        if found is _MISSING:
            _missing(self, name)
        if isinstance(found, Property):
            give_up("takes a property of a class")
        if isinstance(found, ClassMethod):
            return Method(found.function, self)
        return found.function if isinstance(found, StaticMethod) else found


def _missing(owner: Class, name: str) -> None:
    if name.startswith("_") and "__" in name:  # Python's own, or a name of one class alone.
        give_up(f"`.{name}` is not known")
    raise AttributeError(f"'{owner.name}' object has no attribute '{name}'")


def _functions_of(member: Any) -> list[Function]:
    """The functions of the program that a member of a class is made of."""
    parts = [member]
    if isinstance(member, Property):
        parts = [member.getter, member.setter]
    elif isinstance(member, StaticMethod):
        parts = [member.function]
    return [each for each in parts if isinstance(each, Function) and each.owner is None]


def _merged(lines: list[list[Class]]) -> list[Class]:
    """The order in which bases are asked (C3, as Python has it)."""
    found: list[Class] = []
    while lines := [each for each in lines if each]:
        heads = [line[0] for line in lines if not any(line[0] in other[1:] for other in lines)]
        if not heads:
            give_up("has bases in no order")
        found.append(heads[0])
        lines = [[each for each in line if each is not heads[0]] for line in lines]
    return found


class Instance(Dispatching, Invocable):
    """An object of a class of the program."""

    __slots__ = ("kind", "run", "values")

    def __init__(self, kind: Class, run: Run) -> None:
        self.kind, self.run = kind, run
        self.values: dict[str, Any] = {}

    def attribute(self, name: str) -> Any:
        """``self.name``. Raises AttributeError, Undecided."""
        found = self.kind.find(name)
        if isinstance(found, Property) and not (found.is_kept and name in self.values):
            value = call(self.run, found.getter, (self,))
            if found.is_kept:
                self.values[name] = value
            return value
        if name in self.values:
            return self.values[name]
        if found is not _MISSING:
            return bound(found, self)
        if name == "__class__":
            return self.kind
        return _missing(self.kind, name)

    def put(self, name: str, value: Any) -> None:
        """``self.name = value``. Raises AttributeError, Undecided."""
        found = self.kind.find(name)
        if self.kind.frozen:
            raise AttributeError(f"cannot assign to field '{name}'")
        if isinstance(found, Property) and not found.is_kept:
            if found.setter is None:
                raise AttributeError(f"property '{name}' has no setter")
            call(self.run, found.setter, (self, value))
        elif not is_understood(name) or (name.startswith("__") and name.endswith("__")):
            give_up(f"changes `.{name}`")
        else:
            self.run.shallow(value)
            self.values[name] = value

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """``self(...)``."""
        return self.speak("__call__", *arguments, **words)

    def says(self, name: str) -> bool:
        """Whether its class has a method of this name."""
        return self.kind.find(name) is not _MISSING

    def speak(self, name: str, *arguments: Any, **words: Any) -> Any:
        """What a method gives that Python asks for. Raises TypeError where the class has none."""
        found = self.kind.find(name)
        if found is _MISSING or found is None:
            raise TypeError(f"'{self.kind.name}' object has no {name}")
        if not isinstance(found, Function | Builtin):
            give_up(f"`{name}` is no function")
        return call(self.run, found, (self, *arguments), words)

    def __eq__(self, other: object) -> Any:
        return self.speak("__eq__", other) if self.says("__eq__") else NotImplemented

    def __ne__(self, other: object) -> Any:
        if self.says("__ne__"):
            return self.speak("__ne__", other)
        same = self.__eq__(other)
        return same if same is NotImplemented else not same

    def __hash__(self) -> int:
        return int(self.speak("__hash__")) if self.says("__hash__") else id(self)

    def __bool__(self) -> bool:
        if self.says("__bool__"):
            return bool(self.speak("__bool__"))
        return bool(self.speak("__len__")) if self.says("__len__") else True

    def __iter__(self) -> Any:
        if not self.says("__iter__") and self.says("__getitem__"):
            give_up("goes through what has items alone")
        found = self.speak("__iter__")
        if not hasattr(found, "__next__") or (isinstance(found, Instance) and not found.says("__next__")):
            raise TypeError("iter() returned what is no iterator")
        return found

    def __contains__(self, item: object) -> bool:
        if self.says("__contains__"):
            return bool(self.speak("__contains__", item))
        return any(each is item or each == item for each in self.run.items(iter(self)))

    def __repr__(self) -> str:
        return str(self.speak("__repr__")) if self.says("__repr__") else give_up("shows an object")

    def __str__(self) -> str:
        return str(self.speak("__str__")) if self.says("__str__") else repr(self)

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError("unsupported format string")
        return str(self)

    def __copy__(self) -> Instance:
        return give_up("copies an object")

    def __deepcopy__(self, memo: Any) -> Instance:
        return give_up("copies an object")

    def __reduce_ex__(self, protocol: Any) -> Any:
        give_up("copies an object")


def _carried(name: str, otherwise: Any) -> Callable[..., Any]:
    """A method of Python's own that does what the program's does; ``otherwise`` where there is none."""

    def speak(self: Instance, *arguments: Any) -> Any:
        if otherwise is NotImplemented and not self.says(name):
            return NotImplemented
        return self.speak(name, *arguments)

    return speak


for _name in _BINARY.split():
    setattr(Instance, f"__{_name}__", _carried(f"__{_name}__", NotImplemented))
for _name in _UNARY.split():
    setattr(Instance, f"__{_name}__", _carried(f"__{_name}__", None))


def bound(member: Any, owner: Instance) -> Any:
    """What a member of a class is to one of its instances."""
    if isinstance(member, ClassMethod):
        return Method(member.function, owner.kind)
    if isinstance(member, StaticMethod):
        return member.function
    return Method(member, owner) if isinstance(member, Function | Computed) else member


def error_class(name: str, bases: Sequence[type[Exception]], kind: Class) -> type[Raised]:
    """The class of the errors of a class of the program."""
    above = [each for each in bases if each is not Exception or len(bases) == 1]
    if not any(issubclass(each, Raised) for each in above):
        above = [Raised, *(each for each in above if each is not Exception)]
    return type(name, tuple(above), {"__module__": __name__, "kind": kind})


def of_an_error(run: Run, owner: Raised, name: str) -> Any:
    """``error.name``. Raises AttributeError, Undecided."""
    found = owner.kind.find(name)
    if isinstance(found, Property):
        return call(run, found.getter, (owner,))
    if name in vars(owner):
        return vars(owner)[name]
    if name == "args":
        return owner.args
    if isinstance(found, ClassMethod):
        give_up("asks an error for its class")
    if isinstance(found, StaticMethod):
        return found.function
    if found is not _MISSING:
        return Method(found, owner) if isinstance(found, Function) else found
    return _missing(owner.kind, name)


def put_at_an_error(owner: Raised, name: str, value: Any) -> None:
    """``error.name = value``. Raises Undecided."""
    if name == "args" or (name.startswith("__") and name != "__cause__") or owner.kind.find(name, None) is not None:
        give_up(f"changes `.{name}`")
    vars(owner)[name] = value


class Super:
    """What the bases of a class make of an object."""

    __slots__ = ("kind", "owner")

    def __init__(self, kind: Any, owner: Any) -> None:
        """Raises Undecided for anything but an object, or a class, and one of its bases."""
        if isinstance(kind, type) and issubclass(kind, Raised):
            kind = kind.kind
        if not isinstance(kind, Class) or not isinstance(owner, Instance | Class | Raised):
            give_up("asks for a base that is not known")
        self.kind, self.owner = kind, owner

    def attribute(self, name: str) -> Any:
        """``super().name``. Raises AttributeError, Undecided."""
        of = self.owner if isinstance(self.owner, Class) else self.owner.kind
        if self.kind not in of.lineage:
            give_up("asks for a base that is not known")
        for each in of.lineage[of.lineage.index(self.kind) + 1 :]:
            if name in each.members:
                found = each.members[name]
                if isinstance(found, Property) or isinstance(self.owner, Class):
                    give_up("asks a base for what is no method")
                return bound(found, self.owner) if isinstance(self.owner, Instance) else Method(found, self.owner)
        if isinstance(self.owner, Raised):
            return _of_any_error(self.owner, name)
        if name == "__init__":
            return Builtin(name, lambda run: None)
        return _missing(of, name)


def _of_any_error(owner: Raised, name: str) -> Builtin:
    """What Python's own errors say of one. Raises Undecided."""

    def start(run: Run, *arguments: Any) -> None:
        owner.args = arguments

    if name not in ("__init__", "__str__"):
        give_up(f"`.{name}` is not known")
    return Builtin(name, start if name == "__init__" else lambda run: Exception.__str__(owner))


def is_of(value: Any, kinds: Any) -> bool:
    """``isinstance(value, kinds)``. Raises TypeError as Python does, Undecided."""
    if isinstance(kinds, tuple):
        return any(is_of(value, each) for each in kinds)
    if isinstance(value, Instance):
        return is_a(value.kind, kinds)
    if isinstance(kinds, Invocable | Module) and not isinstance(kinds, Class):
        give_up("asks for a type that is not known here")
    return not isinstance(kinds, Class) and isinstance(value, kinds)


def has(value: Instance, name: str) -> bool:
    """``hasattr(value, name)``. Raises Undecided."""
    if name.startswith("__") and name.endswith("__"):
        if name not in _ALSO and name[2:-2] not in f"{_UNARY} {_BINARY}".split():
            give_up("asks what every object has")
        return value.says(name)
    try:
        value.attribute(name)
    except AttributeError:
        return False
    return True


def is_a(kind: Any, kinds: Any) -> bool:
    """``issubclass(kind, kinds)``. Raises TypeError as Python does, Undecided."""
    if isinstance(kinds, tuple):
        return any(is_a(kind, each) for each in kinds)
    if isinstance(kind, Class) and isinstance(kinds, Class):
        return kinds in kind.lineage
    if isinstance(kind, Class):
        if not isinstance(kinds, type) or type(kinds) is not type:
            give_up("asks what an object can do")
        return kinds is object
    return not isinstance(kinds, Class) and issubclass(kind, kinds)
