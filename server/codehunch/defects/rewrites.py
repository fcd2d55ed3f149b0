"""Small rewrites of a Python function: the slots where one token could have been another.

One enumeration serves both directions. Training draws rewrites of clean code to make defects; the
detector applies them to a flagged place to find the fix (Allamanis et al. 2021, "Self-Supervised Bug
Detection and Repair", use the same symmetry).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import pairwise

import attrs
from tree_sitter import Node

from codehunch.defects.findings import Edit
from codehunch.defects.scopes import Scopes, analyse
from codehunch.syntax.parsing import ParsedSource, text_of
from codehunch.syntax.spans import Span

COMPARISONS = {
    "<": ("<=", ">", ">="),
    "<=": ("<", ">=", ">"),
    ">": (">=", "<", "<="),
    ">=": (">", "<=", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "is": ("is not",),
    "is not": ("is",),
    "in": ("not in",),
    "not in": ("in",),
}
BOOLEANS = {"and": ("or",), "or": ("and",)}
BINARY = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/", "+"),
    "/": ("*", "//"),
    "//": ("/",),
    "%": ("//", "*"),
    "**": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "+=": ("-=", "="),
    "-=": ("+=",),
    "*=": ("/=",),
    "/=": ("*=",),
    "|=": ("&=",),
    "&=": ("|=",),
}
CONFUSED_CALLS = {
    "min": ("max",),
    "max": ("min",),
    "any": ("all",),
    "all": ("any",),
    "append": ("extend",),
    "extend": ("append",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "keys": ("values", "items"),
    "values": ("keys", "items"),
    "items": ("keys", "values"),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "lower": ("upper",),
    "upper": ("lower",),
    "lstrip": ("rstrip",),
    "rstrip": ("lstrip",),
    "find": ("rfind",),
    "rfind": ("find",),
    "split": ("rsplit",),
    "rsplit": ("split",),
    "partition": ("rpartition",),
    "rpartition": ("partition",),
    "add": ("update", "discard"),
    "update": ("add",),
    "isinstance": ("issubclass",),
    "issubclass": ("isinstance",),
    "read": ("readlines",),
    "sort": ("reverse",),
    "argmin": ("argmax",),
    "argmax": ("argmin",),
    "zeros": ("ones",),
    "ones": ("zeros",),
}
_CONDITIONS = {"if_statement", "elif_clause", "while_statement", "conditional_expression", "assert_statement"}
_LIMIT = 12
"""Alternatives kept per slot; more only costs readings."""


@attrs.frozen
class Rewrite:
    """Edits to the text and the places where the changed program is to be flagged."""

    edits: tuple[Edit, ...]
    """None where not the function changes but the file around it, which imports the name at the place."""
    anchors: tuple[int, ...]
    """Offsets in the text *before* the edits; ``moved`` gives them in the text after."""
    label: str
    """What the place becomes, for messages: the new name, operator or literal."""


@attrs.frozen
class Slot:
    """One place of one kind with everything it could be rewritten to."""

    kind: str
    span: Span
    """The lexeme (or its first one) that carries the label."""
    rewrites: tuple[Rewrite, ...]


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text with non-overlapping edits applied."""
    for edit in sorted(edits, key=lambda e: e.span, reverse=True):
        text = text[: edit.span.start] + edit.content + text[edit.span.end :]
    return text


def moved(offset: int, edits: Sequence[Edit]) -> int:
    """Where an offset lies after the edits: shifted by every edit that starts before it."""
    return offset + sum(len(e.content) - len(e.span) for e in edits if e.span.start < offset)


def slots(parsed: ParsedSource, function: Node, scopes: Scopes | None = None) -> list[Slot]:
    """Every slot of a Python ``function_definition`` node, in no particular order. ``scopes`` are the function's, for
    those who have them.

    A rewrite keeps the program parseable in the common case; who needs certainty parses the result.
    """
    return [*variable_slots(parsed, scopes or analyse(function)), *_gathered(parsed, function, _HANDLERS.keys())]


def slots_of(parsed: ParsedSource, function: Node, kind: str) -> list[Slot]:
    """The slots of one kind but ``variable-misuse``; none of a kind that has no slots."""
    return [slot for slot in _gathered(parsed, function, _HOLDERS.get(kind, ())) if slot.kind == kind]


def _gathered(parsed: ParsedSource, function: Node, types: Container[str]) -> list[Slot]:
    """The slots that nodes of these types give."""
    found: list[Slot] = []
    facts = _Facts(parsed)
    stack: list[tuple[Node, Node | None]] = [(function, None)]
    while stack:
        node, parent = stack.pop()
        if node.type in types:
            handler = _HANDLERS.get(node.type)
            found.extend(handler(facts, node, parent) if handler is not None else ())
        if node.type in ("type", "decorator", "comment", "string_content"):
            continue
        stack.extend([(child, node) for child in node.named_children])
    found.extend(facts.deferred())
    return found


class _Facts:
    """What a slot can need to know about the rest of the function, gathered in the one walk."""

    def __init__(self, parsed: ParsedSource) -> None:
        self.parsed = parsed
        self.attributes: dict[str, list[Node]] = {}
        self.called_names: list[Node] = []
        self.called_methods: list[Node] = []
        self.strings: list[Node] = []

    def replace(self, kind: str, node: Node, options: Sequence[str]) -> Iterator[Slot]:
        """A slot that replaces the whole node by each of ``options``."""
        span = self.parsed.span(node)
        own = text_of(node)
        rewrites = tuple(
            Rewrite((Edit(span, option),), (span.start,), option) for option in dict.fromkeys(options) if option != own
        )
        if rewrites:
            yield Slot(kind, span, rewrites[:_LIMIT])

    def drop(self, kind: str, node: Node, keep: Node, label: str) -> Iterator[Slot]:
        """A slot that cuts everything of ``node`` before its part ``keep``."""
        start, kept = self.parsed.offset(node.start_byte), self.parsed.offset(keep.start_byte)
        edit = Edit(Span(start, kept), "")
        yield Slot(kind, Span(start, kept), (Rewrite((edit,), (kept,), label),))

    def deferred(self) -> Iterator[Slot]:
        """Slots whose alternatives are the other names of the same role in this function."""
        for owner, nodes in self.attributes.items():
            names = [text_of(node) for node in nodes]
            others = [
                name for other, members in self.attributes.items() if other != owner for name in map(text_of, members)
            ]
            for node in nodes:
                yield from self.replace("wrong-attribute", node, [*names, *others[:4]])
        for role in (self.called_names, self.called_methods):
            called = [text_of(node) for node in role]
            for node in role:
                yield from self.replace("wrong-call", node, [*CONFUSED_CALLS.get(text_of(node), ()), *called])
        texts = [text_of(node) for node in self.strings]
        for node in self.strings:
            own, inside = text_of(node), _in_formatted_string(node)
            others = [t for t in texts if _bare(t) != _bare(own) and (not inside or _quoted_alike(t, own))]
            yield from self.replace("wrong-literal", node, others)


def _in_formatted_string(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type not in ("interpolation", "block", "module"):
        above = above.parent
    return above is not None and above.type == "interpolation"


def _bare(text: str) -> str:
    """A string literal without its quotes: other quotes alone make no other program."""
    return text.lstrip("rRuU").strip("'\"")


def _quoted_alike(text: str, own: str) -> bool:
    """Whether ``text`` may replace ``own`` within an f-string: before Python 3.12 neither the outer quotes nor a
    backslash may stand there."""
    opening, end = own[:1], len(own) - 1
    alike = opening in "'\"" and text[:1] == opening and text[-1:] == own[end:]
    return alike and not any(mark in text[1:-1] for mark in "'\"\\")


def variable_slots(parsed: ParsedSource, scopes: Scopes, at: int | None = None, most: int = _LIMIT) -> Iterator[Slot]:
    """The slots of variables that are read, or of the one at an offset alone; with up to ``most`` others each."""
    for load in scopes.loads:
        if at is not None and parsed.offset(load.node.start_byte) != at:
            continue
        visible = scopes.visible(load)
        if load.name not in visible or load.called:
            continue
        span = parsed.span(load.node)
        # Nearest bindings first: the variable a person mistypes is usually one just written.
        others = sorted((b for b in visible.values() if b.name != load.name), key=lambda b: -b.start)
        rewrites = tuple(Rewrite((Edit(span, b.name),), (span.start,), b.name) for b in others[:most])
        if rewrites:
            yield Slot("variable-misuse", span, rewrites)


def _comparison(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    for child in node.children:
        if child.type in COMPARISONS:
            yield from facts.replace("wrong-comparison", child, COMPARISONS[child.type])


def _boolean(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    for child in node.children:
        if child.type in BOOLEANS:
            yield from facts.replace("wrong-boolean-operator", child, BOOLEANS[child.type])
    yield from _insert_not(facts, node.children[0])


def _binary(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    operator = node.child_by_field_name("operator")
    left = node.child_by_field_name("left")
    # "..." % x formats: another operator there is a type error any tool sees.
    if operator is not None and operator.type in BINARY and not (left is not None and left.type == "string"):
        yield from facts.replace("wrong-binary-operator", operator, BINARY[operator.type])


def _not(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    argument = node.child_by_field_name("argument")
    if argument is not None:
        yield from facts.drop("wrong-negation", node, argument, "")


def _condition(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    if node.type == "conditional_expression":
        condition = node.children[2] if len(node.children) > 2 else None
    elif node.type == "assert_statement":
        condition = node.children[1] if len(node.children) > 1 else None
    else:
        condition = node.child_by_field_name("condition")
    if condition is not None:
        yield from _insert_not(facts, condition)


_NEGATABLE = {"identifier", "attribute", "call", "subscript", "parenthesized_expression"}


def _insert_not(facts: _Facts, operand: Node) -> Iterator[Slot]:
    if operand.type in _NEGATABLE:
        at = facts.parsed.offset(operand.start_byte)
        span = facts.parsed.span(operand)
        yield Slot("wrong-negation", span, (Rewrite((Edit(Span(at, at), "not "),), (at,), "not"),))


def _call(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None or arguments.type != "argument_list":
        return
    name = function.children[-1] if function.type == "attribute" else function
    if name.type == "identifier":
        (facts.called_methods if function.type == "attribute" else facts.called_names).append(name)
    positional = [child for child in arguments.named_children if child.type not in _NOT_POSITIONAL]
    for first, second in pairwise(positional):
        one, two = text_of(first), text_of(second)
        if one != two and len(one) < 60 and len(two) < 60 and _same_role(first, second):
            a, b = facts.parsed.span(first), facts.parsed.span(second)
            yield Slot(
                "argument-swap", a, (Rewrite((Edit(a, two), Edit(b, one)), (a.start, b.start), f"{two}, {one}"),)
            )
    if not arguments.named_children and (parent is None or parent.type not in ("decorator", "expression_statement")):
        span = facts.parsed.span(arguments)
        at = facts.parsed.offset(name.start_byte)
        yield Slot("missing-call-parentheses", facts.parsed.span(name), (Rewrite((Edit(span, ""),), (at,), ""),))


_NOT_POSITIONAL = {"keyword_argument", "list_splat", "dictionary_splat", "comment", "generator_expression"}
_LITERALS = {"string", "integer", "float", "true", "false", "none"}


def _same_role(first: Node, second: Node) -> bool:
    """Two literals of different types, or a literal and a lambda, are not confused by people."""
    return (first.type in _LITERALS) == (second.type in _LITERALS) and "lambda" not in (first.type, second.type)


def _integer(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    text = text_of(node)
    if not text.isdecimal() or len(text) > 6:
        return
    value = int(text)
    near = [str(value + 1)] + ([str(value - 1)] if value > 0 else [])
    yield from facts.replace("off-by-one", node, near)


def _constant(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    yield from facts.replace("wrong-literal", node, ("False",) if node.type == "true" else ("True",))


def _string(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    if parent is None or parent.type == "expression_statement" or not node.children:
        return
    opening = text_of(node.children[0])
    if any(child.type == "interpolation" for child in node.children):
        prefix = opening.rstrip("\"'")
        if prefix.lower() == "f":
            start = facts.parsed.offset(node.start_byte)
            rewrite = Rewrite((Edit(Span(start, start + 1), ""),), (start,), "")
            yield Slot("missing-f-prefix", Span(start, start + len(opening)), (rewrite,))
    elif 2 < node.end_byte - node.start_byte < 40 and parent.type != "concatenated_string":
        facts.strings.append(node)


def _attribute(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    owner, name = node.children[0], node.children[-1]
    if name.type != "identifier":
        return
    called = parent is not None and parent.type == "call" and parent.children[0].id == node.id
    if not called:
        facts.attributes.setdefault(text_of(owner), []).append(name)
    stored = parent is not None and parent.type == "assignment" and parent.children[0].id == node.id
    if text_of(owner) == "self" and not called and not stored:
        yield from facts.drop("missing-self", node, name, text_of(name))


def _return(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    if len(node.children) > 1:
        yield from facts.drop("missing-return", node, node.children[1], "")


def _raise(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    if len(node.children) == 2 and node.children[1].type == "call":
        yield from facts.drop("missing-raise", node, node.children[1], "")


def _await(facts: _Facts, node: Node, parent: Node | None) -> Iterator[Slot]:
    if len(node.children) > 1:
        yield from facts.drop("missing-await", node, node.children[1], "")


_Handler = Callable[[_Facts, Node, Node | None], Iterator[Slot]]
_HANDLERS: dict[str, _Handler] = {
    "comparison_operator": _comparison,
    "boolean_operator": _boolean,
    "binary_operator": _binary,
    "augmented_assignment": _binary,
    "not_operator": _not,
    "call": _call,
    "integer": _integer,
    "true": _constant,
    "false": _constant,
    "string": _string,
    "attribute": _attribute,
    "return_statement": _return,
    "raise_statement": _raise,
    "await": _await,
    **dict.fromkeys(_CONDITIONS, _condition),
}
_HOLDERS: dict[str, tuple[str, ...]] = {
    "wrong-comparison": ("comparison_operator",),
    "wrong-boolean-operator": ("boolean_operator",),
    "wrong-binary-operator": ("binary_operator", "augmented_assignment"),
    "wrong-negation": ("boolean_operator", "not_operator", *_CONDITIONS),
    "argument-swap": ("call",),
    "wrong-call": ("call",),
    "missing-call-parentheses": ("call",),
    "off-by-one": ("integer",),
    "wrong-literal": ("true", "false", "string"),
    "missing-f-prefix": ("string",),
    "wrong-attribute": ("attribute",),
    "missing-self": ("attribute",),
    "missing-return": ("return_statement",),
    "missing-raise": ("raise_statement",),
    "missing-await": ("await",),
}
"""Which nodes give the slots of a kind."""
