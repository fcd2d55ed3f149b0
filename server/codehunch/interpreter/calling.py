"""What can be called, and how arguments meet parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codehunch.interpreter.running import Frame, Names, Run, give_up

Body = Callable[[Frame], Any]
OWN_CLASS = "__class__"
"""The name under which a method finds its class."""


class Invocable:
    """What can be called."""

    __slots__ = ()

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """What a call gives. Raises what the program raises, and Undecided."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return give_up("shows a function")


class Builtin(Invocable):
    """A function of Python's own, or of its library, that is safe to call: it pays for what it does."""

    __slots__ = ("compute", "name")

    def __init__(self, name: str, compute: Callable[..., Any]) -> None:
        """``compute`` takes the run before the arguments."""
        self.name, self.compute = name, compute

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        run.tick()
        if not words:
            return self.compute(run, *arguments)
        try:
            return self.compute(run, *arguments, **words)
        except TypeError:  # Python may know the word, or give it another name.
            return give_up(f"`{self.name}` is called with a word")


class Computed(Builtin):
    """One that takes words, and its object in a class, as a function of the program does: what it raises is the
    program's error."""

    __slots__ = ()

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        run.tick()
        return self.compute(run, *arguments, **words)


class Module:
    """A module of the standard library, as far as it is known here; or what is not known at all, and ends the run
    whatever is done with it."""

    __slots__ = ("_members", "name")

    def __init__(self, name: str, members: Mapping[str, Any]) -> None:
        self.name, self._members = name, members

    @property
    def is_known(self) -> bool:
        return bool(self._members)

    def member(self, name: str) -> Any:
        """Raises Undecided where it is not known."""
        if name not in self._members:
            give_up(f"`{self.name}.{name}` is not known")
        return self._members[name]

    def has(self, name: str) -> bool:
        """Whether it is known to have a member of this name."""
        return name in self._members

    def _give_up(self, *_: Any) -> Any:
        give_up(f"`{self.name}` is not known")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = __bool__ = __len__ = __iter__ = _give_up
    __contains__ = __repr__ = __format__ = __index__ = __int__ = __float__ = __neg__ = __getitem__ = _give_up
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __or__ = __and__ = _give_up
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __ror__ = __rand__ = _give_up


class FileModule(Module):
    """Another file of the project, while a run lasts."""

    __slots__ = ("_names", "_run")

    def __init__(self, name: str, names: Names, run: Run) -> None:
        super().__init__(name, {})
        self._names, self._run = names, run

    @property
    def is_known(self) -> bool:
        return True

    def member(self, name: str) -> Any:
        try:
            return self._run.name(self._names, name)
        except KeyError:
            pass
        within = self._names.submodule(name, self._run)
        return FileModule(f"{self.name}.{name}", within, self._run) if within is not None else super().member(name)


class Signature:
    """Parameters as a call meets them."""

    __slots__ = ("defaults", "name", "only_names", "only_positions", "plain", "positions", "rest", "words")

    def __init__(
        self,
        name: str,
        only_positions: Sequence[str],
        positions: Sequence[str],
        only_names: Sequence[str],
        rest: str | None,
        words: str | None,
    ) -> None:
        self.name = name
        self.only_positions, self.only_names = tuple(only_positions), tuple(only_names)
        self.positions = (*only_positions, *positions)
        self.rest, self.words = rest, words
        self.plain = not only_names and rest is None and words is None
        """Whether there are positions and nothing else."""

    def bound(
        self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The values of all parameters. Raises TypeError as Python does."""
        positions = self.positions
        for each in arguments:
            if type(each) is tuple:
                run.shallow(each)
        if self.plain and not words and len(arguments) == len(positions):
            return dict(zip(positions, arguments, strict=True))
        if len(arguments) > len(positions) and self.rest is None:
            raise TypeError(
                f"{self.name}() takes {len(positions)} positional arguments but {len(arguments)} were given"
            )
        values = dict(zip(positions, arguments, strict=False))
        if self.rest is not None:
            values[self.rest] = tuple(arguments[len(positions) :])
        others: dict[str, Any] = {}
        for name, value in words.items():
            known = name in self.only_names or (name in positions and name not in self.only_positions)
            if known and name in values:
                raise TypeError(f"{self.name}() got multiple values for argument '{name}'")
            if not known and self.words is None:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'")
            (values if known else others)[name] = value
        for name in (*positions, *self.only_names):
            if name not in values:
                if name not in defaults:
                    raise TypeError(f"{self.name}() missing a required argument: '{name}'")
                values[name] = defaults[name]
        if self.words is not None:
            values[self.words] = others
        return values


class Function(Invocable):
    """A function of the program, with the names around it."""

    __slots__ = ("body", "defaults", "generates", "names", "outer", "owner", "shape", "signature", "values")

    def __init__(
        self,
        signature: Signature,
        body: Body,
        defaults: Mapping[str, Any],
        outer: Frame | None,
        names: Names,
        generates: bool = False,
    ) -> None:
        self.signature, self.body, self.defaults = signature, body, defaults
        self.outer, self.names, self.generates = outer, names, generates
        self.owner: Any = None
        """The class whose method it is."""
        self.values: dict[str, Any] = {}
        """What the program keeps at it."""
        self.shape = signature
        """How it is called by who does not know that it is decorated."""

    def invoke(self, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        frame = Frame(run, self.names, self.outer, self.signature.bound(run, arguments, words, self.defaults))
        if self.owner is not None:
            frame.values[OWN_CLASS] = self.owner
        body = self.body
        if self.generates:
            return _generated(run, frame, body)
        return run.within(lambda: body(frame))


def _generated(run: Run, frame: Frame, body: Body) -> Any:
    """All that a generator gives, at once. That is the same as one after the other unless what it gives changes
    meanwhile, or it comes to an error that nobody would have waited for."""
    frame.yielded = []
    try:
        run.within(lambda: body(frame))
    except Exception as error:
        give_up(f"a generator raises {type(error).__name__}")
    changeable = [id(each) for each in frame.yielded if not isinstance(each, str | int | float | tuple | None)]
    if len(set(changeable)) < len(changeable):
        give_up("a generator gives one object twice")
    return iter(frame.yielded)


def call(run: Run, callee: Any, arguments: Sequence[Any] = (), words: Mapping[str, Any] | None = None) -> Any:
    """The result of a call. Raises what the program raises, TypeError where that cannot be called, and Undecided."""
    if isinstance(callee, Invocable):
        return callee.invoke(run, arguments, words or {})
    made = _MAKERS.get(callee) if isinstance(callee, type) else None
    if made is not None:
        return made.invoke(run, arguments, words or {})
    if isinstance(callee, type) and issubclass(callee, Raised):
        return callee.made(run, arguments, words or {})
    if isinstance(callee, type) and hasattr(callee, "_fields"):  # A tuple whose items have names.
        for each in arguments:
            run.shallow(each)
        return callee(*arguments, **(words or {}))
    if isinstance(callee, type | Module) or callable(callee):
        give_up(f"calls `{getattr(callee, 'name', type(callee).__name__)}`")
    raise TypeError(f"'{type(callee).__name__}' object is not callable")


def callback(run: Run, callee: Any) -> Callable[..., Any]:
    """What Python itself can call where the program passes a function on."""
    return lambda *arguments: call(run, callee, arguments)


class Raised(Exception):
    """An error of a class of the program's own: a value of Python's, so that Python can raise it."""

    kind: Any = None
    """The class of the program, with what that says beside its name."""

    @classmethod
    def made(cls, run: Run, arguments: Sequence[Any], words: Mapping[str, Any]) -> Raised:
        """A new error."""
        run.tick()
        made = cls.__new__(cls, *arguments)
        start = cls.kind.find("__init__", None)
        if start is not None:
            call(run, start, (made, *arguments), words)
        elif words:
            raise TypeError(f"{cls.__name__}() takes no keyword arguments")
        return made


_MAKERS: dict[type, Builtin] = {}
"""How values of a type are made: filled by those who know the types."""


def makes(kind: type, compute: Callable[..., Any]) -> None:
    """From now on the program can make values of ``kind``."""
    _MAKERS[kind] = Builtin(kind.__name__, compute)
