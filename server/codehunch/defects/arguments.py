"""What people forget when they call: an argument, the star of one, the variable in the place of its default.

All three leave a trace: a parameter or local name that nothing else in the function reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import Rewrite, Slot
from codehunch.defects.scopes import Scopes
from codehunch.syntax.parsing import ParsedSource, text_of
from codehunch.syntax.spans import Span

_STARRED = {"list_splat": "*", "dictionary_splat": "**"}
_LITERALS = frozenset("string integer float true false none tuple list dictionary".split())
_CONSTANTS = ("None", "True", "False", "0", '""', "()", "1", "{}", "[]")
_RECEIVERS = frozenset(("self", "cls", "_"))
_MOST = 6
"""Rewrites of one place; more only cost readings."""


def argument_slots(parsed: ParsedSource, function: Node, scopes: Scopes) -> Iterator[Slot]:
    """Slots in the calls of a ``function_definition``: arguments that can be left out, stars that can be forgotten, and
    variables whose place a constant can take. Of names, those that are read nowhere else."""
    reads = Counter(load.name for load in scopes.loads)
    own = {binding.name for binding in scopes.bindings} - _RECEIVERS
    for call in _calls(function):
        callee, given = _callee(call), _given(call)
        if callee is None:
            continue
        place = parsed.span(callee)
        for number, argument in enumerate(given):
            value = _value(argument)
            name = text_of(value) if value is not None else ""
            if name not in own or (reads[name] > 1 and argument.type not in _STARRED):
                continue
            last = not any(each.type not in ("keyword_argument", *_STARRED) for each in given[number + 1 :])
            if last or argument.type == "keyword_argument":
                cut = Edit(_with_comma(parsed, given, number), "")
                yield Slot("missing-argument", place, (Rewrite((cut,), (place.start,), ""),))
            if argument.type in _STARRED:
                if not any(each.type == "keyword_argument" for each in given[:number]):
                    start = parsed.offset(argument.start_byte)
                    kept = parsed.offset(argument.children[-1].start_byte)
                    edit = Edit(Span(start, kept), "")
                    yield Slot("missing-star", Span(start, kept), (Rewrite((edit,), (kept,), name),))
            elif value is not None:
                span = parsed.span(value)
                constants = (*_CONSTANTS[:1], f'"{name}"', *_CONSTANTS[1:])
                rewrites = tuple(Rewrite((Edit(span, each),), (span.start,), each) for each in constants)
                yield Slot("wrong-literal", span, rewrites)


def forgotten_arguments(parsed: ParsedSource, function: Node, scopes: Scopes, callee: int) -> list[Rewrite]:
    """Ways to hand what nothing reads to the call whose name stands at the offset ``callee``."""
    for call in _calls(function):
        named = _callee(call)
        if named is None or parsed.offset(named.start_byte) != callee:
            continue
        given = _given(call)
        places = _places(parsed, call, given)
        found = []
        for name, star in _waiting(function, scopes, parsed.byte(callee)):
            if star:
                forms = [(f"{star}{name}", places[-1])] if star not in _stars(given) else []
            else:
                forms = [(name, places[0]), (f"{name}={name}", places[-1])]
            for form, (at, before, behind) in forms:
                edit = Edit(Span(at, at), f"{before}{form}{behind}")
                found.append(Rewrite((edit,), (callee,), form))
        return found[:_MOST]
    return []


def forgotten_stars(parsed: ParsedSource, function: Node, at: int) -> list[Rewrite]:
    """The star that a parameter has in the signature, or a single one, before a name at the offset ``at`` in a call."""
    stars = dict(_parameters(function))
    for call in _calls(function):
        for argument in _given(call):
            if argument.type == "identifier" and parsed.offset(argument.start_byte) == at:
                name = text_of(argument)
                star = stars.get(name) or "*"
                return [Rewrite((Edit(Span(at, at), star),), (at,), f"{star}{name}")]
    return []


def waiting_names(parsed: ParsedSource, function: Node, scopes: Scopes, at: int) -> list[Rewrite]:
    """Names that nothing reads, in the place of a constant that stands as an argument at the offset ``at``: the one
    whose keyword it has comes first."""
    for call in _calls(function):
        for argument in _given(call):
            keyword = text_of(argument.child_by_field_name("name")) if argument.type == "keyword_argument" else ""
            value = argument.child_by_field_name("value") if keyword else argument
            if value is not None and value.type in _LITERALS and parsed.offset(value.start_byte) == at:
                names = [name for name, star in _waiting(function, scopes, value.start_byte) if not star]
                names.sort(key=lambda name: name != keyword)
                return [Rewrite((Edit(parsed.span(value), name),), (at,), name) for name in names[:_MOST]]
    return []


def _calls(function: Node) -> Iterator[Node]:
    stack = [function]
    while stack:
        node = stack.pop()
        if node.type == "call" and node.children[-1].type == "argument_list":
            yield node
        stack.extend(reversed(node.named_children))


def _places(parsed: ParsedSource, call: Node, given: list[Node]) -> list[tuple[int, str, str]]:
    """Where another positional argument goes and where a keyword does, with the comma before and behind it."""
    if not given:
        return [(parsed.offset(call.children[-1].start_byte) + 1, "", "")]
    last = (parsed.offset(given[-1].end_byte), ", ", "")
    first = next((each for each in given if each.type in ("keyword_argument", *_STARRED)), None)
    return [(parsed.offset(first.start_byte), "", ", ") if first is not None else last, last]


def _stars(given: list[Node]) -> set[str]:
    return {_STARRED[each.type] for each in given if each.type in _STARRED}


def _callee(call: Node) -> Node | None:
    """The last name of what is called."""
    function = call.children[0]
    name = function.children[-1] if function.type == "attribute" else function
    return name if name.type == "identifier" else None


def _given(call: Node) -> list[Node]:
    return [child for child in call.children[-1].named_children if child.type != "comment"]


def _value(argument: Node) -> Node | None:
    """The bare name that an argument is."""
    value: Node | None = argument
    if argument.type == "keyword_argument":
        value = argument.child_by_field_name("value")
    elif argument.type in _STARRED:
        value = argument.children[-1]
    return value if value is not None and value.type == "identifier" else None


def _with_comma(parsed: ParsedSource, given: list[Node], number: int) -> Span:
    """An argument and the comma that goes with it."""
    own = given[number]
    if number:
        return Span(parsed.offset(given[number - 1].end_byte), parsed.offset(own.end_byte))
    end = given[1].start_byte if len(given) > 1 else own.end_byte
    return Span(parsed.offset(own.start_byte), parsed.offset(end))


def _waiting(function: Node, scopes: Scopes, before: int) -> list[tuple[str, str]]:
    """Parameters and local names bound before a byte that nothing reads, the last bound first, and parameters with a
    star, which are handed on as often as need be; each with its star."""
    read = {load.name for load in scopes.loads}
    stars = dict(_parameters(function))
    bound = sorted((b for b in scopes.bindings if b.start < before and b.name not in read), key=lambda b: -b.start)
    names = dict.fromkeys(binding.name for binding in bound if binding.name not in _RECEIVERS)
    names |= dict.fromkeys(name for name, star in stars.items() if star)
    return [(name, stars.get(name, "")) for name in names]


def _parameters(function: Node) -> Iterator[tuple[str, str]]:
    listed = function.child_by_field_name("parameters")
    for node in listed.named_children if listed is not None else ():
        inner: Node | None = node
        if node.type in ("typed_parameter", "default_parameter", "typed_default_parameter"):
            inner = node.child_by_field_name("name") or node.named_children[0]
        if inner is not None and inner.type in ("list_splat_pattern", "dictionary_splat_pattern"):
            yield text_of(inner.children[-1]), "*" if inner.type == "list_splat_pattern" else "**"
        elif inner is not None and inner.type == "identifier":
            yield text_of(inner), ""
