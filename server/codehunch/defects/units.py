"""A function as a text of its own: what the model reads, what fixes are tried on, what the cache is keyed by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import attrs
from tree_sitter import Node

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import Slot, apply, slots_of
from codehunch.defects.scopes import Scopes, analyse
from codehunch.defects.slips import told
from codehunch.defects.standings import standings
from codehunch.defects.surroundings import Around, Standing, Surroundings, words_of
from codehunch.syntax.functions import Function, function_nodes
from codehunch.syntax.lexemes import Lexeme, LexemeKind, lexemes_of
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.spans import Span

_INDENTED = re.compile(r"[ \t]*\Z")
_OPENING = "if 1:\n"
"""Holds an indented function, so that its lines stay as they are and every offset shifts by a constant."""
_INWARD = {"if_statement": "consequence", "block": "body", "decorated_definition": "definition"}
"""What stands around a function that was cut out, and the field that leads on to it; of a block the first statement."""
_ABOVE = "0\n"
"""Stands above a statement outside of functions, so that no lexeme of it begins where those around it are."""
_SHOWN = parse("def main():\n    0\n")
_FRAME = [Lexeme(each.text, Span(0, 0), each.kind) for each in lexemes_of(_SHOWN, _SHOWN.tree.root_node)]
_BEFORE, _BEHIND = _FRAME[:6], _FRAME[7:]
"""What the model is shown around such a statement: a function that does nothing else."""


@attrs.frozen(slots=False)
class Unit:
    """One function cut out of its file. Offsets are of ``text``; ``shift`` leads back to the file."""

    text: str
    shift: int
    """Add to an offset of ``text`` to get the file's."""
    around: Around | None = None
    """Where the function stands; ``None`` where nothing is known of its file."""
    outside: bool = False
    """Whether it is a statement outside of functions, which is read as if it were all that a function does."""

    @cached_property
    def parsed(self) -> ParsedSource:
        return parse(self.text)

    @cached_property
    def definition(self) -> Node | None:
        """The ``function_definition`` node, ``None`` where the function does not parse alone; the whole tree of a
        statement outside of functions."""
        if self.outside:
            root = self.parsed.tree.root_node
            return root if root.named_child_count == 2 else None
        root = self.parsed.tree.root_node
        node = root.named_children[0] if root.named_child_count and not root.has_error else None
        while node is not None and node.type in _INWARD:
            node = node.child_by_field_name(_INWARD[node.type]) or next(iter(node.named_children), None)
        if node is not None and node.type == "function_definition":
            return node
        return next((node for _, node in function_nodes(self.parsed)), None)

    @property
    def is_block(self) -> bool:
        """Whether a statement outside of functions holds others."""
        return self.outside and any(lexeme.kind is LexemeKind.INDENT for lexeme in self.lexemes[len(_BEFORE) :])

    @cached_property
    def scopes(self) -> Scopes:
        """Of the function; empty where it does not parse alone."""
        return analyse(self.definition) if self.definition is not None else Scopes((), (), (0,))

    def slots_of(self, kind: str) -> list[Slot]:
        """The slots of one kind but ``variable-misuse``; none where the function does not parse alone."""
        if kind not in self._slots:
            self._slots[kind] = slots_of(self.parsed, self.definition, kind) if self.definition is not None else []
        return self._slots[kind]

    @cached_property
    def _slots(self) -> dict[str, list[Slot]]:
        return {}

    @cached_property
    def lexemes(self) -> list[Lexeme]:
        node = self.definition
        if node is None:
            return []
        if self.outside:
            return [*_BEFORE, *lexemes_of(self.parsed, node.named_children[1]), *_BEHIND]
        outer = node.parent
        return lexemes_of(self.parsed, outer if outer is not None and outer.type == "decorated_definition" else node)

    @cached_property
    def standings(self) -> Sequence[Standing]:
        """How each lexeme stands in the file; empty where nothing is known of it."""
        if self.around is None or self.definition is None:
            return ()
        if self.outside:
            own = self.lexemes[len(_BEFORE) : -len(_BEHIND)]
            found = standings(own, self.parsed, self.definition, self.around, self.scopes)
            return [*[Standing.UNKNOWN] * len(_BEFORE), *found, *[Standing.UNKNOWN] * len(_BEHIND)]
        return standings(self.lexemes, self.parsed, self.definition, self.around, self.scopes)

    @cached_property
    def told(self) -> Sequence[int]:
        """The same as the model is told it."""
        return told(self.lexemes, self.standings, self.around) if self.around is not None and self.standings else ()

    def narrowed(self) -> Unit:
        """The same, told only of what bears on it: equal for two files that look alike from there."""
        return attrs.evolve(self, around=self.around.narrowed(words_of(self.text))) if self.around is not None else self

    def rewritten(self, edits: tuple[Edit, ...]) -> Unit | None:
        """The unit after the edits, or ``None`` where it would no longer parse as well as before."""
        changed = attrs.evolve(self, text=apply(self.text, edits))
        if changed.definition is None:
            return None
        broken = changed.parsed.tree.root_node.has_error and not self.parsed.tree.root_node.has_error
        return None if broken else changed

    def importing(self, name: str) -> Unit:
        """The unit in a file that imports ``name`` besides."""
        return attrs.evolve(self, around=self.around.importing(name)) if self.around is not None else self

    def in_file(self, span: Span) -> Span:
        return Span(span.start + self.shift, span.end + self.shift)


def cut(parsed: ParsedSource, function: Function, surroundings: Surroundings | None = None) -> Unit:
    """The unit of one function of a file, which has these ``surroundings`` for those who want to know."""
    unit = _cut(parsed, function)
    around = Around(surroundings, function.enclosing_class) if surroundings is not None else None
    return attrs.evolve(unit, around=around).narrowed()


def cut_statement(
    text: str, span: Span, surroundings: Surroundings | None = None, class_name: str | None = None
) -> Unit:
    """The unit of a statement outside of functions, which stands at ``span`` of a text, and in a class of that name. It
    is told of all that surrounds it: ``Unit.narrowed`` takes time, and most need not be read."""
    around = Around(surroundings, class_name) if surroundings is not None else None
    return Unit(f"{_ABOVE}{span.of(text)}\n", span.start - len(_ABOVE), around, outside=True)


def _cut(parsed: ParsedSource, function: Function) -> Unit:
    text, start = parsed.text, function.span.start
    line_start = parsed.source.line_starts[parsed.source.row_of(start)]
    indent = text[line_start:start]
    if not indent or not _INDENTED.match(indent):
        return Unit(text[start : function.span.end] + "\n", start)
    opening = _OPENING + indent
    return Unit(opening + text[start : function.span.end] + "\n", start - len(opening))
