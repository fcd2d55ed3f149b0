"""Ways to write the same Python function differently: edits to its text that keep what it does.

Each way takes the one function a text holds and a source of chance, and gives edits, or none where it cannot.
Places in ``kept`` (labelled lexemes and what a fix would change) are never touched, except by renaming, which
changes a name everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import attrs
from tree_sitter import Node

from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource, text_of

Edits = list[tuple[int, int, str]]
"""``(start, end, replacement)`` in code points; they do not overlap."""
_NAMES = (
    "value item data result current entry element node obj other first second left right found temp buffer key field"
    " index count total source target state info record part piece step limit size width offset name label text line"
).split()
_COMMENTS = (
    "# keep the order", "# see above", "# the usual case", "# nothing else to do here", "# as before", "# next step",
    "# this may be slow", "# simple enough", "# continue with the rest", "# handle the common path",
)  # fmt: skip
_SPEAKS_OF_NAMES = (b"locals(", b"vars(", b"eval(", b"exec(", b"globals(", b"global ", b"nonlocal ")
_BINDERS = {"assignment", "augmented_assignment", "for_statement", "for_in_clause", "named_expression"}
_TARGETS = {"pattern_list", "tuple_pattern", "list_pattern"}
_PURE = {"identifier", "integer", "float", "string", "true", "false", "none", "binary_operator", "unary_operator"}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


@attrs.frozen
class Subject:
    """A function to be written differently."""

    parsed: ParsedSource
    function: Node
    kept: tuple[tuple[int, int], ...] = ()

    def free(self, start: int, end: int) -> bool:
        """Whether a stretch touches nothing that must stay."""
        return all(end < left or right < start for left, right in self.kept)

    def span(self, node: Node) -> tuple[int, int]:
        return self.parsed.offset(node.start_byte), self.parsed.offset(node.end_byte)


Way = Callable[[Subject, random.Random], Edits]


def rename(subject: Subject, rng: random.Random) -> Edits:
    """One to three local names, parameters included, changed wherever they stand."""
    uses = local_names(subject)
    names = sorted(uses)
    everything = all_names(subject)
    fresh = [name for name in _NAMES if name not in everything]
    rng.shuffle(fresh)
    chosen = rng.sample(names, min(len(names), rng.randint(1, 3), len(fresh))) if names else []
    return sorted((*subject.span(node), new) for old, new in zip(chosen, fresh, strict=False) for node in uses[old])


def all_names(subject: Subject) -> set[str]:
    """Every identifier of a function."""
    return {text_of(node) for node, _ in _walk(subject.function) if node.type == "identifier"}


def local_names(subject: Subject) -> dict[str, list[Node]]:
    """Local names that may be changed, parameters included, each with all its uses."""
    if any(mark in (subject.function.text or b"") for mark in _SPEAKS_OF_NAMES):
        return {}
    uses: dict[str, list[Node]] = {}
    fixed: set[str] = {"self", "cls", "_"}
    bound: set[str] = set()
    for node, parent in _walk(subject.function):
        if node.type != "identifier":
            continue
        name = text_of(node)
        if parent.type == "attribute" and parent.children[-1].id == node.id:
            continue
        if parent.type == "keyword_argument" and parent.children[0].id == node.id:
            fixed.add(name)
            continue
        if parent.type in ("function_definition", "class_definition", "dotted_name", "aliased_import"):
            fixed.add(name)
            continue
        uses.setdefault(name, []).append(node)
        if _binds(node, parent):
            bound.add(name)
    return {name: nodes for name, nodes in uses.items() if name in bound and name not in fixed}


def _binds(node: Node, parent: Node) -> bool:
    if parent.type in (
        "parameters",
        "lambda_parameters",
        "as_pattern_target",
        "list_splat_pattern",
        "dictionary_splat_pattern",
    ):
        return True
    if parent.type in ("default_parameter", "typed_parameter", "typed_default_parameter"):
        return parent.children[0].id == node.id
    while parent.type in _TARGETS and parent.parent is not None:
        node, parent = parent, parent.parent
    left = parent.child_by_field_name("left") or parent.child_by_field_name("name")
    return parent.type in _BINDERS and left is not None and left.id == node.id


def dead_code(subject: Subject, rng: random.Random) -> Edits:
    """A statement that never runs, in front of another one."""
    name = rng.choice(_NAMES)
    body = rng.choice(
        (
            f"if False:\n{{indent}}    {name} = None\n",
            f"while False:\n{{indent}}    {name} = 0\n",
            f"if 0:\n{{indent}}    {name} = {{{{}}}}\n",
        )
    )
    return _inserted(subject, rng, body)


def comment(subject: Subject, rng: random.Random) -> Edits:
    """A comment line that says nothing."""
    return _inserted(subject, rng, rng.choice(_COMMENTS) + "\n")


def _inserted(subject: Subject, rng: random.Random, lines: str) -> Edits:
    places = [node for node in _statements(subject.function) if subject.free(*(2 * (subject.span(node)[0],)))]
    if not places:
        return []
    start = subject.span(rng.choice(places))[0]
    text = subject.parsed.text
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    return [(start, start, lines.format(indent=indent) + indent)]


def reorder(subject: Subject, rng: random.Random) -> Edits:
    """Two neighbouring plain assignments that have nothing to do with each other change places."""
    found: list[tuple[Node, Node]] = []
    for block in _blocks(subject.function):
        for one, two in zip(block.named_children, block.named_children[1:], strict=False):
            if _independent(one, two) and subject.free(subject.span(one)[0], subject.span(two)[1]):
                found.append((one, two))
    if not found:
        return []
    one, two = rng.choice(found)
    return [(*subject.span(one), text_of(two)), (*subject.span(two), text_of(one))]


def _independent(one: Node, two: Node) -> bool:
    first, second = _plain_assignment(one), _plain_assignment(two)
    if first is None or second is None or one.end_point.row == two.start_point.row:
        return False
    return not (first[0] in second[1] or second[0] in first[1] or first[0] == second[0])


def _plain_assignment(statement: Node) -> tuple[str, set[str]] | None:
    """Target and names read of ``name = expression`` without calls, attributes or subscripts."""
    if statement.type != "expression_statement" or statement.named_child_count != 1:
        return None
    node = statement.named_children[0]
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if node.type != "assignment" or left is None or right is None or left.type != "identifier":
        return None
    inside = [right, *(child for child, _ in _walk(right))]
    if any(
        child.is_named and child.type not in _PURE and not child.type.startswith(("string", "escape"))
        for child in inside
    ):
        return None
    if any(child.type in ("/", "//", "%", "<<", ">>", "@") for child in inside):
        return None  # These can raise, and then the order shows.
    return text_of(left), {text_of(child) for child in inside if child.type == "identifier"}


def equivalent(subject: Subject, rng: random.Random) -> Edits:
    """One expression in another form of the same meaning."""
    found: list[Edits] = []
    for node, _ in _walk(subject.function):
        edits = _other_form(subject, node)
        if edits and all(subject.free(start, end) for start, end, _ in edits):
            found.append(edits)
    return rng.choice(found) if found else []


def _other_form(subject: Subject, node: Node) -> Edits:
    children = node.children
    if node.type == "comparison_operator" and len(children) == 3 and children[1].type in _MIRRORED:
        left, sign, right = children
        # Operands without effects only: the order in which they are evaluated changes.
        if {left.type, right.type} <= {"identifier", "integer"}:
            return [
                (*subject.span(left), text_of(right)),
                (*subject.span(sign), _MIRRORED[sign.type]),
                (*subject.span(right), text_of(left)),
            ]
    if node.type == "not_operator" and node.named_child_count == 1:
        inner = node.named_children[0]
        if inner.type == "parenthesized_expression":
            inner = inner.named_children[0] if inner.named_child_count == 1 else inner
        if inner.type == "comparison_operator" and len(inner.children) == 3 and inner.children[1].type in ("is", "in"):
            left, sign, right = (text_of(child) for child in inner.children)
            return [(*subject.span(node), f"{left} {'is not' if sign == 'is' else 'not in'} {right}")]
    if (
        node.type == "augmented_assignment"
        and children[0].type == "identifier"
        and children[2].type in ("integer", "float")
    ):
        name, sign, amount = (text_of(child) for child in children)
        return [(*subject.span(node), f"{name} = {name} {sign[:-1]} {amount}")]
    parent = node.parent
    stored = parent is not None and parent.type == "assignment" and parent.child_by_field_name("right") == node
    if stored and node.type == "list" and not node.named_child_count:
        return [(*subject.span(node), "list()")]
    if stored and node.type == "dictionary" and not node.named_child_count:
        return [(*subject.span(node), "dict()")]
    return []


WAYS: dict[str, Way] = {
    "rename": rename,
    "dead-code": dead_code,
    "comment": comment,
    "reorder": reorder,
    "equivalent": equivalent,
}


def token_noise(subject: Subject, rng: random.Random) -> Edits:
    """One token of the code dropped, doubled or replaced by another one of the function: no longer the same program,
    perhaps no program at all. For classifiers that must stand half-typed code; never used unless asked for."""
    leaves = [
        node
        for node, _ in _walk(subject.function)
        if not node.children and node.type not in ("comment", "string_content")
    ]
    leaves = [node for node in leaves if node.start_byte < node.end_byte and subject.free(*subject.span(node))]
    if len(leaves) < 8:
        return []
    node = rng.choice(leaves[3:])
    start, end = subject.span(node)
    own = text_of(node)
    return [(start, end, rng.choice(("", f"{own} {own}", text_of(rng.choice(leaves)))))]


def _walk(root: Node) -> Iterator[tuple[Node, Node]]:
    """Every node below ``root`` with its parent, in source order."""
    stack = [(child, root) for child in reversed(root.children)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((child, node) for child in reversed(node.children))


def _blocks(function: Node) -> Iterator[Node]:
    for node, _ in _walk(function):
        if node.type == "block":
            yield node


def _statements(function: Node) -> Sequence[Node]:
    """Statements that begin their line and are no docstring."""
    found = []
    for block in _blocks(function):
        literal = docstring_node(block)
        holder = literal.parent if literal is not None else None
        rows = set()
        for node in block.named_children:
            alone = (
                node.start_point.row not in rows and node.start_point.row > block.parent.start_point.row
                if block.parent
                else False
            )
            rows.update(range(node.start_point.row, node.end_point.row + 1))
            if alone and node.type != "comment" and (holder is None or node.id != holder.id):
                found.append(node)
    return found
