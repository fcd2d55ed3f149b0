"""Definite assignment: which reads of a local name nothing, or not every path, has given a value before.

After chapter 16 of The Java Language Specification, for Python: every path through a function's statements is followed
once, with the names that some path and that every path has bound on it. Loops are read with all that their bodies bind
as perhaps bound; an exception can leave a ``try`` at the start of each of its statements.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from tree_sitter import Node

from codehunch.defects.bindings import TARGETS, identifiers, imported_names, targets_of
from codehunch.defects.local_names import (
    as_names,
    bound_elsewhere,
    bound_in,
    defaults_of,
    defined_name,
    evaluated_with,
    functions_in,
    unbound_in,
)
from codehunch.defects.surroundings import Standing
from codehunch.syntax.parsing import text_of
from codehunch.syntax.statements import DEFINITIONS

_DEEPEST = 60
"""Statements nested deeper are read as if all was bound there: nobody writes that, and the stack is finite."""
_MOST_NAMES = 500
"""Local names of a function that is followed: what is known at each statement grows with them."""
_COMPREHENSIONS = frozenset(
    "list_comprehension set_comprehension dictionary_comprehension generator_expression".split()
)
_NEVER_RETURN = frozenset(
    """sys.exit exit quit os._exit os.abort pytest.fail pytest.skip pytest.xfail self.fail self.skipTest""".split()
)


@attrs.frozen
class _State:
    """What has a value where a path has come to."""

    some: frozenset[str]
    """On some path to here."""
    every: frozenset[str]

    def bound(self, names: Iterable[str]) -> _State:
        fresh = frozenset(names)
        return _State(self.some | fresh, self.every | fresh)

    def without(self, names: Iterable[str]) -> _State:
        gone = frozenset(names)
        return _State(self.some - gone, self.every - gone)


def _join(*states: _State | None) -> _State | None:
    """Where paths meet; ``None`` is a path that ends before."""
    alive = [state for state in states if state is not None]
    if len(alive) < 2:
        return alive[0] if alive else None
    return _State(frozenset().union(*(s.some for s in alive)), alive[0].every.intersection(*(s.every for s in alive)))


def unassigned(definition: Node) -> dict[int, Standing]:
    """Reads of local names without a value on any path (``UNASSIGNED``) or on some (``PERHAPS_UNASSIGNED``) of a
    ``function_definition`` and those in it: byte offset of each to which of the two."""
    found: dict[int, Standing] = {}
    for function in functions_in(definition):
        found |= _Flow(function).found
    return found


class _Flow:
    """One function, followed from top to bottom."""

    def __init__(self, function: Node) -> None:
        self.found: dict[int, Standing] = {}
        body, listed = function.child_by_field_name("body"), function.child_by_field_name("parameters")
        parameters = frozenset(identifiers(listed)) if listed is not None else frozenset[str]()
        self._local = frozenset[str]()
        if body is not None:
            # What is only ever deleted is local too.
            self._local = frozenset((*bound_in(body), *unbound_in(body))) - bound_elsewhere(body)
        self._breaks: list[list[_State | None]] = []
        self._raised: list[_State | None] = []
        """Of each ``try`` around, the paths on which an exception leaves it."""
        self._depth = 0
        if body is not None and 0 < len(self._local) <= _MOST_NAMES:
            self._block(body, _State(parameters, parameters))

    def _block(self, block: Node | None, state: _State | None) -> _State | None:
        for statement in block.named_children if block is not None else ():
            if state is None:
                return None
            self._raised = [_join(known, state) for known in self._raised]
            state = self._statement(statement, state)
        return state

    def _statement(self, node: Node, state: _State) -> _State | None:
        known = _STATEMENTS.get(node.type)
        if known is None:
            return self._read(node, state)
        self._depth += 1
        try:
            return known(self, node, state) if self._depth < _DEEPEST else state.bound(self._local)
        finally:
            self._depth -= 1

    def _if(self, node: Node, state: _State) -> _State | None:
        ends = []
        passed: _State | None = self._read(node.child_by_field_name("condition"), state)
        ends.append(self._block(node.child_by_field_name("consequence"), passed))
        for clause in node.children_by_field_name("alternative"):
            if passed is None:
                break
            if clause.type == "else_clause":
                ends.append(self._block(clause.child_by_field_name("body"), passed))
                passed = None
            else:
                passed = self._read(clause.child_by_field_name("condition"), passed)
                ends.append(self._block(clause.child_by_field_name("consequence"), passed))
        return _join(*ends, passed)

    def _for(self, node: Node, state: _State) -> _State | None:
        target = node.child_by_field_name("left")
        state = self._read(node.child_by_field_name("right"), state)
        head = self._again(node, state)
        return self._loop(node, self._bind(target, head) if target is not None else head, head)

    def _while(self, node: Node, state: _State) -> _State | None:
        condition = node.child_by_field_name("condition")
        head = self._read(condition, self._again(node, state))
        return self._loop(node, head, None if text_of(condition) in ("True", "1") else head)

    def _loop(self, node: Node, body: _State, done: _State | None) -> _State | None:
        self._breaks.append([])
        end = self._block(node.child_by_field_name("body"), body)
        broken = self._breaks.pop()
        if done is not None and end is not None:
            done = _join(done, end)
        alternative = node.child_by_field_name("alternative")
        if alternative is not None:
            done = self._block(alternative.child_by_field_name("body"), done)
        return _join(done, *broken)

    def _try(self, node: Node, state: _State) -> _State | None:
        self._raised.append(state)
        end = self._block(node.child_by_field_name("body"), state)
        raised = self._raised.pop()
        ends, last = [], None
        for clause in node.named_children:
            if clause.type == "else_clause":
                end = self._block(clause.child_by_field_name("body"), end)
            elif clause.type in ("except_clause", "except_group_clause") and raised is not None:
                ends.append(self._handler(clause, raised))
            elif clause.type == "finally_clause":
                last = clause
        out = _join(end, *ends)
        if last is None:
            return out
        entered = self._again(node, _join(out, raised) or state)
        left = self._block(last.named_children[-1], entered)
        if out is None or left is None:
            return None
        return _State(out.some | left.some, left.every | out.every.difference(unbound_in(last)))

    def _handler(self, clause: Node, state: _State) -> _State | None:
        block = clause.named_children[-1]
        caught: list[str] = []
        for child in clause.named_children[:-1]:
            state = self._read(child, state)
            caught += as_names(child)
        end = self._block(block, state.bound(caught))
        return end.without(caught) if end is not None else None

    def _with(self, node: Node, state: _State) -> _State | None:
        header = [child for child in node.named_children if child.type == "with_clause"]
        for clause in header:
            state = self._read(clause, state)
        self._raised.append(state)
        end = self._block(node.child_by_field_name("body"), state)
        raised = self._raised.pop()
        swallows = any(word in text_of(clause) for clause in header for word in ("suppress", "raises", "assertRaises"))
        return _join(end, raised) if swallows or end is None else end

    def _match(self, node: Node, state: _State) -> _State | None:
        for subject in node.children_by_field_name("subject"):
            state = self._read(subject, state)
        body = node.child_by_field_name("body")
        ends: list[_State | None] = []
        total = False
        for clause in body.named_children if body is not None else ():
            if clause.type != "case_clause":
                continue
            patterns = [child for child in clause.named_children if child.type == "case_pattern"]
            guard = clause.child_by_field_name("guard")
            total = total or (guard is None and text_of(patterns[-1] if patterns else None).isidentifier())
            inside = state.bound(name for pattern in patterns for name in identifiers(pattern))
            if guard is not None:
                inside = self._read(guard, inside)
            ends.append(self._block(clause.child_by_field_name("consequence"), inside))
        return _join(*ends, None if total else state)

    def _leave(self, node: Node, state: _State) -> None:
        self._read(node, state)

    def _break(self, node: Node, state: _State) -> None:
        if self._breaks:
            self._breaks[-1].append(state)

    def _delete(self, node: Node, state: _State) -> _State:
        state = self._read(node, state)
        return state.without(name for child in node.named_children for name in targets_of(child))

    def _expression(self, node: Node, state: _State) -> _State | None:
        state = self._read(node, state)
        only = node.named_children[0] if node.named_child_count == 1 else None
        called = only.child_by_field_name("function") if only is not None and only.type == "call" else None
        return None if called is not None and text_of(called) in _NEVER_RETURN else state

    def _assert(self, node: Node, state: _State) -> _State | None:
        state = self._read(node, state)
        return None if node.named_children and text_of(node.named_children[0]) in ("False", "0") else state

    def _again(self, node: Node, state: _State) -> _State:
        """A state where any part of a node may have run before."""
        fresh = self._local.intersection(bound_in(node, first=True))
        return _State(state.some | fresh, state.every.difference(unbound_in(node)))

    def _read(self, top: Node | None, state: _State) -> _State:
        """The state after an expression or a simple statement, its reads noted."""
        # A stack of its own: people nest a few assignments, programs that write programs thousands. A target in a tuple
        # is bound when it comes up, ``None`` ends the names of a comprehension.
        stack: list[Node | tuple[Node] | None] = [top] if top is not None else []
        shadowed: list[frozenset[str]] = []
        while stack:
            node = stack.pop()
            if node is None:
                shadowed.pop()
                continue
            if isinstance(node, tuple):
                state = self._bind(node[0], state)
                continue
            kind = node.type
            if kind == "identifier":
                name = text_of(node)
                if name in self._local and name not in state.every and not any(name in each for each in shadowed):
                    perhaps = name in state.some
                    self.found[node.start_byte] = Standing.PERHAPS_UNASSIGNED if perhaps else Standing.UNASSIGNED
            elif kind in ("assignment", "augmented_assignment", "named_expression"):
                named = kind == "named_expression"
                target = node.child_by_field_name("name" if named else "left")
                value = node.child_by_field_name("value" if named else "right")
                if target is None or value is None:
                    continue
                if kind != "augmented_assignment":
                    stack.extend([(target,), value])
                elif target.type == "identifier" and text_of(target) not in state.some:
                    stack.extend([value, target])  # What cannot be read does not get that far.
                else:
                    stack.extend([(target,), value, target])
            elif kind in ("import_statement", "import_from_statement"):
                state = state.bound(imported_names(node))
            elif kind in DEFINITIONS:
                stack.extend(reversed(list(evaluated_with(node))))
                state = state.bound(defined_name(node))
            elif kind in _COMPREHENSIONS:
                clauses = [child for child in node.named_children if child.type == "for_in_clause"]
                targets = [clause.child_by_field_name("left") for clause in clauses]
                shadowed.append(frozenset(name for each in targets if each is not None for name in identifiers(each)))
                stack.append(None)
                # Targets and conditions come before the element.
                stack.extend([*node.named_children[:1], *reversed(node.named_children[1:])])
            elif kind == "conditional_expression":
                stack.extend([*reversed(node.named_children[:1] + node.named_children[2:]), *node.named_children[1:2]])
            elif kind == "lambda":
                listed = node.child_by_field_name("parameters")
                stack.extend(reversed(defaults_of(listed)))
            elif kind == "as_pattern":
                stack.extend(reversed([child for child in node.named_children if child.type != "as_pattern_target"]))
                state = state.bound(as_names(node))
            elif kind == "attribute":
                stack.append(node.children[0])
            elif kind == "keyword_argument":
                stack.append(node.children[-1])
            elif kind not in ("type", "global_statement", "nonlocal_statement"):
                stack.extend(reversed(node.named_children))
        return state

    def _bind(self, target: Node, state: _State) -> _State:
        """The state after an assignment to a target; what else stands in it is read."""
        stack = [target]
        while stack:
            node = stack.pop()
            if node.type == "identifier":
                state = state.bound((text_of(node),))
            elif node.type in TARGETS:
                stack.extend(reversed(node.named_children))
            else:
                state = self._read(node, state)
        return state


_STATEMENTS = {
    "if_statement": _Flow._if,
    "for_statement": _Flow._for,
    "while_statement": _Flow._while,
    "try_statement": _Flow._try,
    "with_statement": _Flow._with,
    "match_statement": _Flow._match,
    "return_statement": _Flow._leave,
    "raise_statement": _Flow._leave,
    "continue_statement": _Flow._leave,
    "break_statement": _Flow._break,
    "delete_statement": _Flow._delete,
    "expression_statement": _Flow._expression,
    "assert_statement": _Flow._assert,
}
