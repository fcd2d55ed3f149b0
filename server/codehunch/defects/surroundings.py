"""What the file around a function binds: names of the outermost level, members of its classes.

A function alone does not tell a name that is defined nowhere from one that its file imports. ``bindings`` reads this
from a file; ``standings`` tells with it how every name of a function stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Set
from enum import IntEnum
from functools import cached_property, lru_cache

import attrs

from codehunch.defects.spelling import Lexicon


class Standing(IntEnum):
    """How a lexeme's name is bound. Numbers are the model's: never reused, never renumbered. Those from 16 on say more
    exactly what an earlier one does, which models that do not know them are told (``inference.encoding.COARSER``)."""

    UNKNOWN = 0
    """No name, a member of something else, or nothing is known of the file."""
    LOCAL = 1
    """The function binds it itself, somewhere."""
    FUNCTION = 2
    COROUTINE = 3
    CLASS = 4
    IMPORT = 5
    VARIABLE = 6
    BUILTIN = 7
    UNBOUND = 8
    """Nothing in the file binds it."""
    UNBOUND_MEMBER = 9
    """Nothing but the body of the class around, which a method does not see."""
    METHOD = 10
    """From here on: after ``self.`` or ``cls.``."""
    COROUTINE_METHOD = 11
    PROPERTY = 12
    FIELD = 13
    MISSING = 14
    """Neither the class nor a base has it, and all bases are in the file."""
    FOREIGN = 15
    """The class in the file does not have it; a base from elsewhere may."""
    UNASSIGNED = 16
    """A local name that no path has given a value before."""
    PERHAPS_UNASSIGNED = 17
    """One that some path has not."""
    UNREAD = 18
    """A local name where it gets a value that nothing reads."""
    FROM_STAR = 19
    """A name that nothing the file shows binds, where more may be bound than it shows, as by ``import *``."""
    RARE = 20
    """A member of something else by a name that few programs use."""
    MISSPELT_RARE = 21
    """From here on, what only the model is told: the name looks misspelt besides (``slips.told``)."""
    MISSPELT_FROM_STAR = 22
    MISSPELT_FOREIGN = 23
    MISSPELT_UNREAD = 24
    MISSPELT_STRING = 25
    """A string that is one word, which looks misspelt."""


@attrs.frozen
class Class:
    """What the body of a class and the methods in it bind."""

    members: Mapping[str, Standing]
    bases: tuple[str, ...]
    closed: bool
    """Whether it has no members but these and its bases'."""


@attrs.frozen(slots=False)
class Surroundings:
    """What a file binds for the functions in it."""

    names: Mapping[str, Standing]
    classes: Mapping[str, Class]
    """By qualified name, such as ``Outer.Inner``."""
    open: bool = False
    """Whether more may be bound than can be seen, as by ``import *``."""
    added: Mapping[str, frozenset[str]] = {}
    """Of a section: what it stores into classes by their names, as ``Outer.field = 1``; ``merged`` gives it to them."""
    _whole: dict[str, Class] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _narrowed: dict[tuple[str | None, frozenset[str]], Surroundings] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )
    """The methods of a large class come again at every key."""

    def of_name(self, name: str) -> Standing:
        """How a name stands that the function does not bind, outside of any class."""
        found = self.names.get(name)
        if found is not None:
            return found
        if name in BUILTINS:
            return Standing.BUILTIN
        return Standing.FROM_STAR if self.open else Standing.UNBOUND

    def of_member(self, class_name: str, name: str) -> Standing:
        """How ``self.name`` stands in the methods of a class, bases in the file included."""
        known = self.whole(class_name)
        if name in known.members:
            return known.members[name]
        if name[:2] == "__" == name[-2:]:
            return Standing.UNKNOWN
        return Standing.MISSING if known.closed else Standing.FOREIGN

    def whole(self, class_name: str) -> Class:
        """A class with what its bases in the file give it."""
        found = self._whole.get(class_name)
        if found is None:
            members: dict[str, Standing] = {}
            waiting, seen, closed = [class_name], set[str](), True
            while waiting:
                current = waiting.pop(0)
                known = self.classes.get(current)
                if known is None:
                    closed = closed and current == "object"
                elif current not in seen:
                    seen.add(current)
                    members = {**known.members, **members}
                    closed = closed and known.closed
                    waiting.extend(known.bases)
            found = self._whole[class_name] = Class(members, (), closed)
        return found

    def names_like(self, words: Set[str]) -> frozenset[str]:
        """Names of the file that one of ``words``, which is none and no builtin, may be a slip of."""
        return self._lexicon.alike_any(words - self.names.keys() - BUILTINS) & self.names.keys()

    def members_like(self, class_name: str, words: Set[str]) -> frozenset[str]:
        """Members of a class that one of ``words``, which is none, may be a slip of."""
        members = self.whole(class_name).members.keys()
        return self._lexicon.alike_any(words - members) & members

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon([*self.names, *(member for each in self.classes.values() for member in each.members)])

    def narrowed(self, class_name: str | None, words: Collection[str]) -> Surroundings:
        """What of it bears on a function of these words in a class, with what they may be slips of and bases folded
        into their classes: equal for two files that look alike from there."""
        words = words if isinstance(words, frozenset) else frozenset(words)
        found = self._narrowed.get((class_name, words))
        if found is None:
            if len(self._narrowed) >= _NARROWED:
                self._narrowed.clear()
            found = self._narrowed[class_name, words] = self._narrow(class_name, words)
        return found

    def _narrow(self, class_name: str | None, words: frozenset[str]) -> Surroundings:
        classes = {}
        for each in self.classes:
            if each == class_name or each.rpartition(".")[2] in words:
                whole = self.whole(each)
                kept = (whole.members.keys() & words) | self.members_like(each, words)
                classes[each] = Class({word: whole.members[word] for word in kept}, (), whole.closed)
        names = (self.names.keys() & words) | self.names_like(words)
        return Surroundings({word: self.names[word] for word in names}, classes, self.open)

    def differs(self, other: Surroundings) -> frozenset[str] | None:
        """Words whose meaning is another one in ``other``: a text that has none of them, nor a slip of one, stands
        alike in both. ``None`` where every text may stand otherwise."""
        if self.open != other.open:
            return None
        found = {name for name, _ in self.names.items() ^ other.names.items()}
        for name in self.classes.keys() | other.classes.keys():
            one, two = self.classes.get(name), other.classes.get(name)
            if one == two:
                continue
            if one is None or two is None or (one.bases, one.closed) != (two.bases, two.closed):
                # What inherits from it, however far, is told by the names of the classes themselves.
                found.update(each.rpartition(".")[2] for each in (*self.classes, *other.classes))
            one_members, two_members = one.members if one else {}, two.members if two else {}
            found.update(member for member, _ in one_members.items() ^ two_members.items())
        return frozenset(found)


_NARROWED = 4096
ALONE = Surroundings({}, {}, open=True)
"""Of a function whose file is not known."""

_WORD = re.compile(r"[^\W\d]\w*")


@lru_cache(4096)  # The methods of a large class come again at every key.
def words_of(text: str) -> frozenset[str]:
    """Everything in a text that could be a name."""
    return frozenset(_WORD.findall(text))


@attrs.frozen
class Around:
    """Where a function stands: in what file, and in the body of which class."""

    surroundings: Surroundings
    class_name: str | None = None

    def narrowed(self, words: Collection[str]) -> Around:
        return Around(self.surroundings.narrowed(self.class_name, words), self.class_name)

    def importing(self, name: str) -> Around:
        """The same in a file that imports ``name`` besides."""
        file = self.surroundings
        return attrs.evolve(self, surroundings=attrs.evolve(file, names={**file.names, name: Standing.IMPORT}))

    def to_json(self) -> str:
        """One line; equal for equal values."""
        file = self.surroundings
        classes = {name: [each.members, each.bases, each.closed] for name, each in sorted(file.classes.items())}
        value = [self.class_name, dict(sorted(file.names.items())), classes, file.open]
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @staticmethod
    def from_json(line: str) -> Around:
        """What ``to_json`` wrote."""
        class_name, names, classes, opened = json.loads(line)
        named = {
            name: Class({member: Standing(number) for member, number in members.items()}, tuple(bases), closed)
            for name, (members, bases, closed) in classes.items()
        }
        known = {name: Standing(number) for name, number in names.items()}
        return Around(Surroundings(known, named, opened), class_name)


def merged(parts: Iterable[Surroundings]) -> Surroundings:
    """The surroundings of a file from those of its sections, in their order."""
    names: dict[str, Standing] = {}
    classes: dict[str, Class] = {}
    added: dict[str, frozenset[str]] = {}
    opened = False
    for part in parts:
        for name, standing in part.names.items():
            if names.get(name, Standing.BUILTIN) is Standing.BUILTIN:
                names[name] = standing
        classes.update(part.classes)
        for owner, members in part.added.items():
            added[owner] = added.get(owner, frozenset()) | members
        opened = opened or part.open
    for owner in added.keys() & classes.keys():
        given = {**dict.fromkeys(added[owner], Standing.FIELD), **classes[owner].members}
        classes[owner] = attrs.evolve(classes[owner], members=given)
    return Surroundings(names, classes, opened)


BUILTINS = frozenset(
    """ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError
    BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError
    ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning
    EnvironmentError Exception ExceptionGroup False FileExistsError FileNotFoundError FloatingPointError
    FutureWarning GeneratorExit IOError ImportError ImportWarning IndentationError IndexError InterruptedError
    IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError None
    NotADirectoryError NotImplemented NotImplementedError OSError OverflowError PendingDeprecationWarning
    PermissionError ProcessLookupError PythonFinalizationError RecursionError ReferenceError ResourceWarning
    RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError
    SystemExit TabError TimeoutError True TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError
    UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning WindowsError
    ZeroDivisionError __annotations__ __build_class__ __builtins__ __class__ __debug__ __dict__ __doc__ __file__
    __import__ __loader__ __module__ __name__ __package__ __path__ __qualname__ __spec__ abs aiter all anext any
    ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex copyright credits delattr
    dict dir display divmod enumerate eval exec exit filter float format frozenset get_ipython getattr globals
    hasattr hash help hex id input int isinstance issubclass iter len license list locals map max memoryview min
    next object oct open ord pow print property quit range repr reveal_type reversed round set setattr slice
    sorted staticmethod str sum super tuple type vars zip""".split()
)
"""Names of Python 3.14 and earlier, of notebooks and type checkers that need no binding: a table, so that findings do
not depend on what runs this."""

OF_PYTHON_2 = {
    **dict.fromkeys("apply buffer cmp coerce execfile intern reduce reload".split(), ""),
    **{"basestring": "str", "file": "open", "long": "int", "raw_input": "input", "unichr": "chr"},
    **{"unicode": "str", "xrange": "range"},
}
"""Names that only Python 2 has, with what took their place, where one name did."""
