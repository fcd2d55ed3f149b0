"""Live variables: which values of a local name no path reads.

After section 9.2.5 of Compilers: Principles, Techniques, and Tools, for Python: a function's statements are followed
once, from bottom to top, with the names that some path below may still read. What is read anywhere in a loop is read at
its end too, so that one pass is enough; that, exceptions and everything else in doubt make a name live. A value that is
called unread is never read.
"""

from __future__ import annotations

from tree_sitter import Node

from codehunch.defects.bindings import TARGETS, identifiers
from codehunch.defects.local_names import bound_elsewhere, evaluated_with, functions_in
from codehunch.syntax.parsing import text_of

_DEEPEST = 60
"""Statements nested deeper are not followed: nobody writes that, and the stack is finite."""
_MOST_NAMES = 500
"""Local names of a function that is followed: what is known at each statement grows with them."""
_RECEIVERS = frozenset(("self", "cls"))
_READ_ALL = frozenset(("locals", "vars", "eval", "exec", "dir"))
"""What reads names that it does not spell."""
_SCOPES = frozenset(("function_definition", "class_definition", "lambda"))
_NOTHING = frozenset[str]()


def unread(definition: Node) -> list[int]:
    """Byte offsets of the names that are given a value which nothing reads, in a ``function_definition`` and those in
    it: targets of assignments and loops, what ``as`` binds, parameters. ``x += 1`` is a read: it may change what others
    hold."""
    return [start for function in functions_in(definition) for start in _Liveness(function).found]


class _Liveness:
    """One function, followed from bottom to top."""

    def __init__(self, function: Node) -> None:
        self.found: list[int] = []
        body, listed = function.child_by_field_name("body"), function.child_by_field_name("parameters")
        if body is None:
            return
        self._kept = bound_elsewhere(body) | _captured(body) | _RECEIVERS
        """Names whose values others may read."""
        self._ends: list[tuple[frozenset[str], frozenset[str]]] = []
        """Of each loop around, what is live where ``break`` and where ``continue`` lead."""
        self._caught: list[frozenset[str]] = []
        """What is live where an exception may lead, of each ``try`` around."""
        self._depth = 0
        names = reads_of(body)
        if len(names) > _MOST_NAMES or names & _READ_ALL:
            return
        live = self._block(body, _NOTHING)
        for parameter in listed.named_children if listed is not None else ():
            named = _parameter_name(parameter)
            if named is not None:
                self._note(named, live)

    def _note(self, target: Node, live: frozenset[str]) -> None:
        name = text_of(target)
        if name not in live and name not in self._kept:
            self.found.append(target.start_byte)

    def _block(self, block: Node | None, live: frozenset[str]) -> frozenset[str]:
        for statement in reversed(block.named_children if block is not None else ()):
            live = self._statement(statement, live)
            if self._caught:
                live = live.union(*self._caught)
        return live

    def _statement(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        known = _STATEMENTS.get(node.type)
        if known is None:
            return live | reads_of(node)
        self._depth += 1
        try:
            # What is not followed could lead anywhere that the function can.
            return known(self, node, live) if self._depth < _DEEPEST else live | reads_of(node) | self._anywhere()
        finally:
            self._depth -= 1

    def _anywhere(self) -> frozenset[str]:
        return _NOTHING.union(*self._caught, *(each for ends in self._ends for each in ends))

    def _store(self, target: Node | None, live: frozenset[str]) -> frozenset[str]:
        """What is live before a value goes to a target."""
        plain, others = _split(target)
        for each in plain:
            self._note(each, live)
        return live.difference(text_of(each) for each in plain).union(*(reads_of(each) for each in others))

    def _simple(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        only = node.named_children[0] if node.named_child_count else None
        if only is None or only.type != "assignment":
            return live | reads_of(node)
        gone: set[str] = set()
        read = _NOTHING
        value: Node | None = only
        while value is not None and value.type == "assignment":
            plain, others = _split(value.child_by_field_name("left"))
            if value.child_by_field_name("right") is not None:  # Not a bare annotation.
                for each in plain:
                    self._note(each, live)
                    gone.add(text_of(each))
            read = read.union(*(reads_of(each) for each in others))
            value = value.child_by_field_name("right")
        return live - gone | read | reads_of(value)

    def _if(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        after, passed = live, live
        for clause in reversed(node.children_by_field_name("alternative")):
            if clause.type == "else_clause":
                passed = self._block(clause.child_by_field_name("body"), after)
            else:
                taken = self._block(clause.child_by_field_name("consequence"), after)
                passed = passed | taken | reads_of(clause.child_by_field_name("condition"))
        taken = self._block(node.child_by_field_name("consequence"), after)
        return passed | taken | reads_of(node.child_by_field_name("condition"))

    def _loop(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        alternative = node.child_by_field_name("alternative")
        done = self._block(alternative.child_by_field_name("body"), live) if alternative is not None else live
        # The next round may leave the loop in its midst, by ``break`` or an exception.
        again = (done | live | reads_of(node)).union(*self._caught)
        self._ends.append((live, again))
        inside = self._block(node.child_by_field_name("body"), again)
        self._ends.pop()
        if node.type == "for_statement":
            inside = self._store(node.child_by_field_name("left"), inside)
            return done | inside | reads_of(node.child_by_field_name("right"))
        return done | inside | reads_of(node.child_by_field_name("condition"))

    def _try(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        handlers = [c for c in node.named_children if c.type in ("except_clause", "except_group_clause")]
        last = _NOTHING
        for clause in node.named_children:
            if clause.type == "finally_clause":
                # It runs on every way out, wherever that leads.
                live = last = self._block(clause.named_children[-1], live | self._anywhere())
        self._caught.append(last)
        caught = _NOTHING.union(*(self._handler(clause, live) for clause in handlers))
        for clause in node.named_children:
            if clause.type == "else_clause":
                live = self._block(clause.child_by_field_name("body"), live)
        self._caught[-1] = last | caught
        live = self._block(node.child_by_field_name("body"), live) | last | caught
        self._caught.pop()
        return live

    def _handler(self, clause: Node, live: frozenset[str]) -> frozenset[str]:
        live = self._block(clause.named_children[-1], live)
        for child in clause.named_children[:-1]:
            live = self._bound_as(child, live)
        return live

    def _bound_as(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        """Before an expression that may be ``value as name``."""
        if node.type != "as_pattern":
            return live | reads_of(node)
        for child in reversed(node.named_children):
            live = self._store(child, live) if child.type == "as_pattern_target" else live | reads_of(child)
        return live

    def _with(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        # A context manager may swallow what its block raises.
        self._caught.append(live)
        inside = self._block(node.child_by_field_name("body"), live) | live
        self._caught.pop()
        for clause in node.named_children:
            if clause.type == "with_clause":
                for item in reversed(clause.named_children):
                    value = item.child_by_field_name("value") if item.type == "with_item" else item
                    inside = self._bound_as(value, inside) if value is not None else inside
        return inside

    def _match(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        body = node.child_by_field_name("body")
        found = live
        for clause in body.named_children if body is not None else ():
            if clause.type == "case_clause":
                found |= self._block(clause.child_by_field_name("consequence"), live)
                found = found.union(*(reads_of(child) for child in clause.named_children if child.type != "block"))
        return found.union(*(reads_of(subject) for subject in node.children_by_field_name("subject")))

    def _leave(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        return reads_of(node).union(*self._caught)

    def _jump(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        if not self._ends:
            return live
        broken, again = self._ends[-1]
        return (broken if node.type == "break_statement" else again).union(*self._caught)

    def _defined(self, node: Node, live: frozenset[str]) -> frozenset[str]:
        return live.union(*(reads_of(each) for each in evaluated_with(node)))


_STATEMENTS = {
    "expression_statement": _Liveness._simple,
    "if_statement": _Liveness._if,
    "for_statement": _Liveness._loop,
    "while_statement": _Liveness._loop,
    "try_statement": _Liveness._try,
    "with_statement": _Liveness._with,
    "match_statement": _Liveness._match,
    "return_statement": _Liveness._leave,
    "raise_statement": _Liveness._leave,
    "break_statement": _Liveness._jump,
    "continue_statement": _Liveness._jump,
    "function_definition": _Liveness._defined,
    "class_definition": _Liveness._defined,
    "decorated_definition": _Liveness._defined,
}


def _split(target: Node | None) -> tuple[list[Node], list[Node]]:
    """The plain names that a target binds, and what else stands in it, such as ``a[i]``."""
    plain, others = [], []
    stack = [target] if target is not None else []
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            plain.append(node)
        elif node.type in TARGETS:
            stack.extend(reversed(node.named_children))
        else:
            others.append(node)
    return plain, others


def reads_of(top: Node | None) -> frozenset[str]:
    """Every name below a node but attributes, keywords and the targets of its assignments."""
    found: set[str] = set()
    stack = [top] if top is not None else []
    while stack:
        node = stack.pop()
        kind = node.type
        if kind == "identifier":
            found.add(text_of(node))
        elif kind == "attribute":
            stack.append(node.children[0])
        elif kind == "keyword_argument":
            stack.append(node.children[-1])
        elif kind in ("assignment", "for_statement"):
            left = node.child_by_field_name("left")
            stack.extend(_split(left)[1])
            stack.extend(child for child in node.named_children if left is None or child.id != left.id)
        else:
            stack.extend(node.named_children)
    return frozenset(found)


def _captured(body: Node) -> frozenset[str]:
    """Names that functions and classes inside read whenever they like."""
    found: set[str] = set()
    stack = list(body.named_children)
    while stack:
        node = stack.pop()
        if node.type in _SCOPES:
            found.update(identifiers(node))
        else:
            stack.extend(node.named_children)
    return frozenset(found)


def _parameter_name(node: Node) -> Node | None:
    """The name in one of ``a``, ``a=1``, ``a: int``, ``a: int = 1``, ``*a``, ``**a``."""
    while node.type in ("default_parameter", "typed_default_parameter", "typed_parameter", "list_splat_pattern",
                        "dictionary_splat_pattern"):  # fmt: skip
        inner = node.child_by_field_name("name") or (node.named_children[0] if node.named_children else None)
        if inner is None:
            return None
        node = inner
    return node if node.type == "identifier" else None
