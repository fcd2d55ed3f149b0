"""What the file around a function binds: names of the outermost level, members of its classes.

A function alone does not tell a name that is defined nowhere from one that its file imports. The model is told for
every name how it stands in the file (``Standing``); what the name means is still its own to judge.
"""

from __future__ import annotations

import json
import keyword
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from enum import IntEnum
from functools import lru_cache

import attrs
from tree_sitter import Node

from codehunch.defects.scopes import analyse
from codehunch.syntax.lexemes import Lexeme, LexemeKind
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.sections import cut_at, inner_indent, section_starts


class Standing(IntEnum):
    """How a lexeme's name is bound. Numbers are the model's: never reused, never renumbered."""

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
    _whole: dict[str, Class] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def of_name(self, name: str) -> Standing:
        """How a name stands that the function does not bind, outside of any class."""
        found = self.names.get(name)
        if found is not None:
            return found
        if name in BUILTINS:
            return Standing.BUILTIN
        return Standing.UNKNOWN if self.open else Standing.UNBOUND

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

    def narrowed(self, class_name: str | None, words: Collection[str]) -> Surroundings:
        """What of it bears on a function of these words in a class, bases folded into their classes: equal for two
        files that look alike from there."""
        words = words if isinstance(words, Set) else frozenset(words)
        classes = {}
        for each in self.classes:
            if each == class_name or each.rpartition(".")[2] in words:
                whole = self.whole(each)
                kept = {word: whole.members[word] for word in whole.members.keys() & words}
                classes[each] = Class(kept, (), whole.closed)
        return Surroundings({word: self.names[word] for word in self.names.keys() & words}, classes, self.open)

    def differs(self, other: Surroundings) -> frozenset[str] | None:
        """Words whose meaning is another one in ``other``: a text that has none of them stands alike in both. ``None``
        where every text may stand otherwise."""
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


def standings(lexemes: Sequence[Lexeme], parsed: ParsedSource, definition: Node, around: Around) -> list[Standing]:
    """How each lexeme of a function stands. ``definition`` is its ``function_definition`` node."""
    file, class_name = around.surroundings, around.class_name
    own = bound_names(definition)
    body, name = definition.child_by_field_name("body"), definition.child_by_field_name("name")
    body_start = parsed.offset(body.start_byte) if body is not None else 0
    name_start = parsed.offset(name.start_byte) if name is not None else -1
    found: list[Standing] = []
    importing = False
    for at, lexeme in enumerate(lexemes):
        standing = Standing.UNKNOWN
        kind = lexeme.kind
        if not lexeme.text:
            importing = False
        elif kind is LexemeKind.OTHER:
            # Not in ``raise ... from`` and ``yield from``, which stand within a line.
            importing = importing or (lexeme.text in ("import", "from") and (not at or not lexemes[at - 1].text))
        elif kind is LexemeKind.NAME and not importing and lexeme.span.start != name_start:
            standing = Standing.LOCAL if lexeme.text in own else file.of_name(lexeme.text)
            if standing is Standing.UNBOUND and class_name is not None:
                member = file.of_member(class_name, lexeme.text)
                if Standing.METHOD <= member <= Standing.FIELD:
                    standing = member if lexeme.span.start < body_start else Standing.UNBOUND_MEMBER
        elif kind is LexemeKind.ATTRIBUTE and at >= 2 and (at < 3 or lexemes[at - 3].text != "."):
            owner = lexemes[at - 2]
            if owner.text in ("self", "cls"):
                if class_name is not None and class_name in file.classes:
                    standing = file.of_member(class_name, lexeme.text)
            elif owner.kind is LexemeKind.NAME and owner.text in file.classes and owner.text not in own:
                standing = file.of_member(owner.text, lexeme.text)
        found.append(standing)
    return found


def bound_names(definition: Node) -> frozenset[str]:
    """Names that a function, or one inside it, binds: parameters, assignments, imports, classes, patterns."""
    parent = definition.parent
    decorated = parent is not None and parent.type == "decorated_definition"
    decorators = [child for child in parent.children if child.type == "decorator"] if parent and decorated else []
    found = {binding.name for node in (definition, *decorators) for binding in analyse(node).bindings}
    stack = [definition]
    while stack:
        node = stack.pop()
        if node.type in ("import_statement", "import_from_statement"):
            found.update(imported_names(node))
        elif node.type == "class_definition":
            found.add(_text(node.child_by_field_name("name")))
        elif node.type == "case_pattern":
            found.update(_identifiers(node))
        elif node.type == "except_clause":  # ``except Error, error:`` of Python 2.
            found.update(_text(child) for child in node.children[3:] if child.type == "identifier")
        if node.type in _BLOCKS or node.type in ("function_definition", "class_definition", "decorated_definition"):
            stack.extend(node.named_children)
    return frozenset(found)


def merged(parts: Iterable[Surroundings]) -> Surroundings:
    """The surroundings of a file from those of its sections, in their order."""
    names: dict[str, Standing] = {}
    classes: dict[str, Class] = {}
    opened = False
    for part in parts:
        for name, standing in part.names.items():
            names.setdefault(name, standing)
        classes.update(part.classes)
        opened = opened or part.open
    return Surroundings(names, classes, opened)


def surroundings_of(text: str) -> Surroundings:
    """What the outermost level of a Python text binds. Each section is read by itself, and a broken one by its lines:
    what is half typed takes no name away from the rest."""
    return merged(of_section(section) for _, section in cut_at(text, list(section_starts(text))))


def of_section(text: str) -> Surroundings:
    """What one section of a text binds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parsed = parse(text)
    return _by_lines(text) if parsed.tree.root_node.has_error else _by_tree(parsed)


def _by_tree(parsed: ParsedSource) -> Surroundings:
    names: dict[str, Standing] = {}
    classes: dict[str, Class] = {}
    opened = _level(parsed, parsed.tree.root_node, "", names, classes)
    return _and_globals(parsed.text, names, classes, opened)


def _by_lines(text: str) -> Surroundings:
    """A broken section as far as its lines tell: statements at its own level, at that of a class it opens with, and
    all in a block that is neither class nor function."""
    names: dict[str, Standing] = {}
    members: dict[str, Standing] = {}
    opens, block = _CLASS_LINE.search(text), _FUNCTION_LINE.search(text) is None
    inner = inner_indent(text) if opens else None
    if listed := _IMPORT_LINE.match(text):
        names.update(dict.fromkeys(words_of(text[listed.end() :]) - {"as", "import"}, Standing.IMPORT))
    for match in _LINES.finditer(text):
        if not match["indent"] or (block and not opens):
            known = names
        elif opens and (inner is None or match["indent"] == inner):
            known = members
        else:
            continue
        if match["word"]:
            if match["word"] == "class":
                standing = Standing.FIELD if known is members else Standing.CLASS
            elif known is members and _PROPERTY.search(_line_above(text, match.start())):
                standing = Standing.PROPERTY
            else:
                coroutine = match["word"].startswith("async")
                plain = Standing.COROUTINE if coroutine else Standing.FUNCTION
                method = Standing.COROUTINE_METHOD if coroutine else Standing.METHOD
                standing = method if known is members else plain
            known.setdefault(match["defined"], standing)
        elif match["imported"]:
            for name in match["imported"].split(","):
                words = _WORD.findall(name)
                if words:
                    known.setdefault(words[-1] if " as " in name else words[0], Standing.IMPORT)
        else:
            for name in _WORD.findall(match["stored"] or match["named"]):
                known.setdefault(name, Standing.FIELD if known is members else Standing.VARIABLE)
    # In broken code anything can stand where a name should.
    names, members = ({n: s for n, s in known.items() if not keyword.iskeyword(n)} for known in (names, members))
    classes = {}
    if opens:
        named = [base.strip() for base in (opens["bases"] or "").split(",") if base.strip()]
        bases = tuple(base for base in named if _BASE.fullmatch(base))
        closed = len(bases) == len(named) and _OPENS_CLASS.search(text) is None
        classes[opens["name"]] = Class(members | _stored(text, members), bases, closed)
    return _and_globals(text, names, classes, False)


def _line_above(text: str, at: int) -> str:
    """The decorator right above a line, or nothing."""
    line = text[:at].rstrip("\n").rpartition("\n")[2]
    return line if line.lstrip().startswith("@") else ""


_BASE = re.compile(r"\w+(?:\.\w+)*")
_FUNCTION_LINE = re.compile(r"^(?:async[ \t]+)?def\b", re.MULTILINE)
_IMPORT_LINE = re.compile(r"from[ \t]+[\w.]+[ \t]+import\b|import\b")
_CLASS_LINE = re.compile(r"^class[ \t]+(?P<name>\w+)[ \t]*(?:\((?P<bases>[^()\n]*)\))?", re.MULTILINE)
_LINES = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<word>(?:async[ \t]+)?def|class)[ \t]+(?P<defined>\w+)"
    r"|(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+\(?(?P<imported>[\w.,* \t]+)"
    r"|(?P<stored>[(\[*]*\w[\w,*()\[\] \t]*?)[ \t]*(?:(?::[^=\n]*)?=(?!=)|:[ \t]*\w)"
    r"|(?:for[ \t]|if[ \t(]+(?=\w+[ \t]*:=)|[^\n]*?[ \t]as[ \t])(?P<named>[\w,*()\[\] \t]*))",
    re.MULTILINE,
)


def _and_globals(text: str, names: dict[str, Standing], classes: dict[str, Class], opened: bool) -> Surroundings:
    for line in _GLOBALS.findall(text):
        for name in line.split(","):
            names.setdefault(name.strip(), Standing.VARIABLE)
    return Surroundings(names, classes, opened or _OPENS.search(text) is not None)


def _stored(text: str, known: Collection[str]) -> dict[str, Standing]:
    """Members that the lines of a class store into, but for those that are known; and those that two of its methods
    use: nobody makes the same mistake twice, and a base from elsewhere or a class that it is mixed into has them."""
    uses = Counter(name for method in _METHOD.split(text) for name in set(_MEMBER.findall(method)))
    found = {name: Standing.FIELD for name, methods in uses.items() if methods > 1 and name not in known}
    for match in _STORES.finditer(text):
        targets = match["targets"]
        for name in _MEMBER.findall(targets) if targets else (match["typed"] or match["named"],):
            if name not in known:
                found[name] = Standing.FIELD
    return found


_GLOBALS = re.compile(r"^[ \t]+global[ \t]+([\w, \t]+)", re.MULTILINE)
_OPENS = re.compile(r"\bglobals\(\)|\bexec\(|\bvars\(\)")
_OPENS_CLASS = re.compile(
    r"\bdef __getattr(?:ibute)?__\b|\bsetattr\((?:self|cls)\b|\b(?:self|cls)\.__dict__|\bvars\(self\)"
)
_STORES = re.compile(
    r"(?:^|[:;])[ \t]*(?P<targets>[^\n=#'\"]*?\b(?:self|cls)\.[^\n=#'\"]*?)(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)"
    r"|(?:^|[:;])[ \t]*(?:self|cls)\.(?P<typed>\w+)[ \t]*:"
    r"|\b(?:as|for)[ \t]+(?:self|cls)\.(?P<named>\w+)",
    re.MULTILINE,
)
"""Where lines store into members. Calls in a target are no targets, but what they name is seldom a mistake."""
_METHOD = re.compile(r"^[ \t]+(?:async[ \t]+)?def\b", re.MULTILINE)
_MEMBER = re.compile(r"\b(?:self|cls)\.(\w+)")
_BLOCKS = frozenset(
    """if_statement elif_clause else_clause for_statement while_statement try_statement except_clause
    except_group_clause finally_clause with_statement match_statement case_clause block module ERROR""".split()
)
_STORED = {"assignment": "left", "augmented_assignment": "left", "for_statement": "left", "named_expression": "name"}
_HOLD_TARGETS = frozenset(
    """expression_statement with_clause with_item as_pattern parenthesized_expression named_expression assignment
    augmented_assignment comparison_operator boolean_operator not_operator call argument_list""".split()
)
_PATTERNS = frozenset("pattern_list tuple_pattern list_pattern list_splat_pattern as_pattern_target tuple type".split())


def _level(parsed: ParsedSource, top: Node, prefix: str, names: dict[str, Standing], classes: dict[str, Class]) -> bool:
    """Gather what a level binds, blocks in it included; returns whether a star import opens it."""
    opened = False
    stack = [top]
    while stack:
        node = stack.pop()
        kind = node.type
        if kind in _BLOCKS:
            stored = _STORED.get(kind)
            target = node.child_by_field_name(stored) if stored else None
            for name in _targets(target) if target is not None else ():
                names.setdefault(name, Standing.VARIABLE)
            stack.extend(reversed(node.children))
        elif kind == "decorated_definition":
            inner = node.child_by_field_name("definition")
            if inner is not None:
                _define(parsed, inner, prefix, names, classes, [c for c in node.children if c.type == "decorator"])
        elif kind in ("function_definition", "class_definition"):
            _define(parsed, node, prefix, names, classes, [])
        elif kind in ("import_statement", "import_from_statement", "future_import_statement"):
            for name in imported_names(node):
                opened = opened or name == "*"
                names.setdefault(name, Standing.IMPORT)
        elif kind in _HOLD_TARGETS:
            stored = _STORED.get(kind)
            target = node.child_by_field_name(stored) if stored else None
            for name in _targets(target) if target is not None else ():
                names.setdefault(name, Standing.VARIABLE)
            stack.extend(reversed(node.children))
        elif kind == "type_alias_statement":
            for name in _targets(node.children[1] if len(node.children) > 1 else None):
                names.setdefault(name, Standing.CLASS)
        elif kind == "as_pattern_target":
            for name in _targets(node):
                names.setdefault(name, Standing.VARIABLE)
        elif kind == "case_pattern":
            for name in _identifiers(node):
                names.setdefault(name, Standing.VARIABLE)
    return opened


def _define(
    parsed: ParsedSource,
    node: Node,
    prefix: str,
    names: dict[str, Standing],
    classes: dict[str, Class],
    decorators: list[Node],
) -> None:
    found = node.child_by_field_name("name")
    name = _text(found)
    if not name:
        return
    if node.type == "class_definition":
        names.setdefault(name, Standing.CLASS)
        _class(parsed, node, f"{prefix}{name}", classes)
        return
    coroutine = any(child.type == "async" for child in node.children)
    if not prefix:
        names.setdefault(name, Standing.COROUTINE if coroutine else Standing.FUNCTION)
    elif any(_PROPERTY.search(_text(decorator)) for decorator in decorators):
        names.setdefault(name, Standing.PROPERTY)
    else:
        names.setdefault(name, Standing.COROUTINE_METHOD if coroutine else Standing.METHOD)


_PROPERTY = re.compile(r"property\b|\.(?:setter|getter|deleter)\b", re.IGNORECASE)


def _class(parsed: ParsedSource, node: Node, qualified: str, classes: dict[str, Class]) -> None:
    bound: dict[str, Standing] = {}
    body = node.child_by_field_name("body")
    if body is not None:
        _level(parsed, body, f"{qualified}.", bound, classes)
    as_member = {Standing.VARIABLE: Standing.FIELD, Standing.IMPORT: Standing.FIELD, Standing.CLASS: Standing.FIELD}
    members = {name: as_member.get(standing, standing) for name, standing in bound.items()}
    text = _text(node)
    members |= _stored(text, members)
    bases, closed = [], _OPENS_CLASS.search(text) is None
    listed = node.child_by_field_name("superclasses")
    for base in listed.named_children if listed is not None else ():
        if base.type == "comment":
            continue
        if base.type in ("identifier", "attribute"):
            bases.append(_text(base))
        else:  # A call, a subscript or a keyword such as ``metaclass``.
            closed = False
    classes[qualified] = Class(members, tuple(bases), closed)


def imported_names(node: Node) -> list[str]:
    """The names that an import binds; ``*`` where it binds all of another module's."""
    found = []
    module = node.child_by_field_name("module_name")
    for child in node.children:
        if child.type == "wildcard_import":
            found.append("*")
        elif child.type == "aliased_import":
            found.append(_text(child.child_by_field_name("alias")))
        elif child.type == "dotted_name" and (module is None or child.id != module.id):
            name = _text(child)
            found.append(name.partition(".")[0])
    return found


def _targets(target: Node | None) -> list[str]:
    """The names that an assignment to ``target`` binds."""
    if target is None:
        return []
    found, stack = [], [target]
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            found.append(_text(node))
        elif node.type in _PATTERNS or node.type == "parenthesized_expression":
            stack.extend(node.named_children)
    return found


def _identifiers(node: Node) -> list[str]:
    found, stack = [], [node]
    while stack:
        current = stack.pop()
        if current.type == "identifier":
            found.append(_text(current))
        stack.extend(current.named_children)
    return found


def _text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


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
