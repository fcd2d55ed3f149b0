"""Functions that are already written, as examples for one that is not: how alike they are, and a body made to fit.

A person who writes ``set_height`` beside ``set_width`` means nearly the same body. Likeness is read from names,
parameters and descriptions; fitting renames parameters and the words in which the two names differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise

import attrs
from tree_sitter import Node

from codehunch.generation.context import FileContext
from codehunch.generation.layout import to_canonical
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.docstrings import docstring_text
from codehunch.syntax.functions import Function, function_nodes
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch.syntax.words import WORD, split_words, stem

MOST_LINES, MOST_CHARS = 25, 1_100
"""Larger bodies are nobody's sibling."""
_SHORT = 3
"""Words of so many letters have no number that could be told."""
_TRIVIAL = re.compile(r"(pass|\.\.\.|return( None)?|raise NotImplementedError.*)\Z")
_COMMON = frozenset("a an and are as at be by for from if in into is it of on or that the then this to with".split())


@attrs.frozen(slots=False)
class Asked:
    """What is known of a function before its body is there."""

    name: str
    """Empty for statements that a comment asks for."""
    parameters: tuple[str, ...]
    description: str
    owner: str
    """Qualified name of the class that holds it, of the function for statements; empty outside of these."""

    @cached_property
    def name_words(self) -> tuple[str, ...]:
        """Words of the name; of the description where there is no name."""
        return split_words(self.name or self.description)

    @cached_property
    def text_words(self) -> frozenset[str]:
        return frozenset(word for word in map(stem, split_words(self.description)) if word not in _COMMON)


@attrs.frozen
class Sample:
    """A written function."""

    asked: Asked
    body: str
    """Canonical: four spaces a level, no margin, without the docstring."""
    path: str
    """Where it was found; empty for the file itself."""
    qualified_name: str

    @property
    def signature(self) -> str:
        """``name(a, b)``, the receiver left out: how prompts name functions."""
        names = self.asked.parameters
        return f"{self.asked.name}({', '.join(names[1:] if names[:1] in (('self',), ('cls',)) else names)})"

    @property
    def origin(self) -> str:
        """How a person is told where it came from."""
        return f"{self.path}: {self.qualified_name}" if self.path else self.qualified_name


def asked_of(context: FileContext, request: BodyRequest) -> Asked | None:
    """What a request asks for; ``None`` where a docstring belongs to no function."""
    function, node = request.function, None
    if function is not None:
        place = function.span.start, function.qualified_name
        nodes = function_nodes(context.parsed)
        node = next((node for other, node in nodes if (other.span.start, other.qualified_name) == place), None)
    parameters = parameter_names(node) if node is not None else ()
    if request.kind == "comment":
        return Asked("", parameters, request.description, function.qualified_name if function is not None else "")
    if function is None:
        return None
    return Asked(function.name, parameters, request.description, function.enclosing_class or "")


def samples_of(context: FileContext, path: str = "") -> Iterator[Sample]:
    """Every function of a file that could be an example."""
    for function, node in function_nodes(context.parsed):
        body = body_text(context, function, node)
        if body is not None:
            text = context.parsed.text
            description = docstring_text(function.docstring.of(text)) if function.docstring is not None else ""
            asked = Asked(function.name, parameter_names(node), description, function.enclosing_class or "")
            yield Sample(asked, body, path, function.qualified_name)


def body_text(context: FileContext, function: Function, node: Node) -> str | None:
    """The canonical body without its docstring; ``None`` where it is trivial, broken, nested deep or too long."""
    if function.broken or function.nesting > 1 or not len(function.body):
        return None
    text = context.parsed.text
    start = function.docstring.end if function.docstring is not None else function.header.end
    raw = text[start : function.body.end]
    if len(raw) > 4 * MOST_CHARS:
        return None
    # Between the head, or the docstring, and the first line of the body there may be a comment of that line.
    head, line_end, rest = raw.partition("\n")
    body = to_canonical(
        rest if line_end and not head.split("#")[0].strip("; \t\r") else raw.lstrip("; \t"), context.unit
    )
    if not body or is_trivial(body) or len(body) > MOST_CHARS or body.count("\n") >= MOST_LINES:
        return None
    return body


def is_trivial(body: str) -> bool:
    """Whether a canonical body does nothing."""
    return _TRIVIAL.match(body) is not None


def likeness(asked: Asked, sample: Sample, here: str = "") -> float:
    """How much a sample looks like what is asked for, 0 to 1. ``here`` is the file that asks.

    Words in which the two names differ count as equal in descriptions and parameters: ``set_width(width)`` is to
    ``set_height(height)`` what a sibling is.
    """
    other = sample.asked
    renamed = _different_words(asked.name_words, other.name_words)
    name = name_likeness(asked.name_words, other.name_words)
    stems = {stem(old): stem(new) for old, new in renamed.items()}
    words, others = asked.text_words, frozenset(stems.get(word, word) for word in other.text_words)
    text = len(words & others) / max(1, len(words | others)) if words and others else 0.0
    mine, theirs = set(asked.parameters), {_with_words(each, renamed) for each in other.parameters}
    parameters = len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0
    near = 1.0 if asked.owner == other.owner and sample.path == here else 0.5 if sample.path == here else 0.0
    return 0.4 * name + 0.35 * text + 0.15 * parameters + 0.1 * near


def name_likeness(asked: tuple[str, ...], other: tuple[str, ...]) -> float:
    """How much the words of two names, or of two comments, are alike, 0 to 1."""
    renamed = _different_words(asked, other)
    return max(_dice(asked, other), 1.0 - len(renamed) / len(asked) if renamed else 0.0)


def fitted(asked: Asked, sample: Sample) -> str:
    """The sample's body with its names made to fit: parameters, and the words in which the two names differ."""
    renamed = _renamed_parameters(asked.parameters, sample.asked.parameters)
    words = _with_numbers(_different_words(asked.name_words, sample.asked.name_words))
    own = {sample.asked.name: asked.name, **renamed}
    parsed = parse(sample.body)
    edits: list[tuple[int, int, str]] = []
    stack = [parsed.tree.root_node]
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            old = text_of(node)
            new = _with_words(old, words)
            if old in asked.parameters and new not in asked.parameters:
                new = old
            if old in own and (old == sample.asked.name or not _is_attribute(node)):
                new = own[old]
            if new != old:
                edits.append((parsed.offset(node.start_byte), parsed.offset(node.end_byte), new))
        elif node.type == "string_content" and words:
            text = parsed.text[parsed.offset(node.start_byte) : parsed.offset(node.end_byte)]
            if (new := _with_words(text, words)) != text:
                edits.append((parsed.offset(node.start_byte), parsed.offset(node.end_byte), new))
        stack.extend(node.children)
    body = sample.body
    for start, end, new in sorted(edits, reverse=True):
        body = body[:start] + new + body[end:]
    return body


def sample_in(text: str, path: str, qualified_name: str) -> Sample | None:
    """The sample that a function's own text holds; ``None`` where it is not that function any more."""
    parsed: ParsedSource = parse(text)
    found = next(samples_of(FileContext(parsed), path), None)
    if found is None or found.asked.name != qualified_name.rpartition(".")[2]:
        return None
    owner = qualified_name.rpartition(".")[0] if found.asked.parameters[:1] in (("self",), ("cls",)) else ""
    return attrs.evolve(found, qualified_name=qualified_name, asked=attrs.evolve(found.asked, owner=owner))


def parameter_names(definition: Node) -> tuple[str, ...]:
    """Names in their order, ``self`` included."""
    listed = definition.child_by_field_name("parameters")
    names = []
    for child in listed.named_children if listed is not None else ():
        node: Node | None = child
        while node is not None and node.type != "identifier":
            node = node.child_by_field_name("name") or next(iter(node.named_children), None)
        if node is not None and child.type != "comment":
            names.append(text_of(node))
    return tuple(names)


def _renamed_parameters(asked: tuple[str, ...], other: tuple[str, ...]) -> Mapping[str, str]:
    """Old to new: parameters of one name stay, the rest go by their order."""
    free = [name for name in asked if name not in other]
    gone = [name for name in other if name not in asked]
    return dict(zip(gone, free, strict=False))


def _different_words(asked: tuple[str, ...], other: tuple[str, ...]) -> Mapping[str, str]:
    """Words of the other name to the words of this one in their place, where all else is the same."""
    if len(asked) != len(other):
        return {}
    pairs = {old: new for old, new in zip(other, asked, strict=True) if old != new}
    return pairs if len(pairs) < len(asked) or len(asked) == 1 else {}


def _with_numbers(words: Mapping[str, str]) -> Mapping[str, str]:
    """The same words and what they are in the other number: who says notes for tasks calls one a note."""
    others: dict[str, str] = {}
    for old, new in words.items():
        if min(len(old), len(new)) > _SHORT and not (old + new).isdigit():
            if old.endswith("s") and new.endswith("s"):
                others[old[:-1]] = new[:-1]
            elif not old.endswith("s") and not new.endswith("s"):
                others[f"{old}s"] = f"{new}s"
    return {**others, **words}


def _with_words(text: str, words: Mapping[str, str]) -> str:
    """An identifier or a text with some of its words replaced, each written as it was."""
    if not words:
        return text
    return WORD.sub(lambda match: _cased(words.get(match.group().lower()), match.group()), text)


def _cased(new: str | None, old: str) -> str:
    if new is None:
        return old
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new.capitalize() if old[:1].isupper() else new


def _is_attribute(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "attribute":
        return parent.children[-1].id == node.id
    return parent.type == "keyword_argument" and parent.children[0].id == node.id


def _dice(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Words and pairs of words in common, so that their order counts."""
    stems = [tuple(map(stem, words)) for words in (one, other)]
    first, second = ({*words, *pairwise(words)} for words in stems)
    return 2 * len(first & second) / max(1, len(first) + len(second))
