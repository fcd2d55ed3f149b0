"""What small edits make of a function, the likeliest first. Nothing here says which of them is right: examples do
(``codehunch.defects.mending``).
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Sequence
from itertools import combinations

import attrs

from codehunch.defects.expression_variants import (
    ALIKE,
    ARITHMETIC,
    COMPUTED,
    FAR,
    GUESS,
    LOGIC,
    TOKEN,
    Material,
    Variant,
    material_of,
    of_condition,
    of_expression,
)
from codehunch.defects.findings import Edit
from codehunch.interpreter.scopes import parameters_of
from codehunch.syntax.spans import Span

_MOST_EXCHANGED = 8
_MOST_MARKS = 6
"""Of the marks that texts are joined by in what is shown."""
_NEUTRAL = ("None", "0", "1", "-1", "0.0", "[]", "''", "True", "False", "()", "{}")


def variants(text: str, function: ast.FunctionDef, lines: Container[int], results: Sequence[str]) -> list[Variant]:
    """What one edit of the statements on ``lines`` makes of a function, the likeliest first; ``text`` is what
    was parsed.

    ``results`` are literals that the function was to give where it gave others.
    """
    own = material_of(text, function)
    marks = dict.fromkeys(mark for result in results for mark in result if not mark.isalnum() and mark not in "'\"\\")
    own = attrs.evolve(own, texts=list(dict.fromkeys([*own.texts, *list(marks)[:_MOST_MARKS]])))
    start = 1 if len(function.body) > 1 and _is_text(function.body[0]) else 0
    made = [*_block(own, function.body[start:], lines), *_guards(own, function.body[start], results)]
    found: dict[tuple[Edit, ...], Variant] = {}
    for each in sorted(made, key=lambda variant: variant.cost):
        if any(edit.span.of(text) != edit.content for edit in each.edits):
            found.setdefault(each.edits, each)
    return list(found.values())


def _block(code: Material, statements: Sequence[ast.stmt], lines: Container[int], depth: int = 0) -> Iterator[Variant]:
    for number, statement in enumerate(statements):
        if statement.lineno not in lines:
            continue
        yield from _statement(code, statement, alone=len(statements) == 1)
        for nodes in _inner_blocks(statement):
            yield from _block(code, nodes, lines, depth + 1)
        if number + 1 < len(statements):
            yield from _indented(code, statement, statements[number + 1])
        elif depth:
            yield from _dedented(code, statement)


def _statement(code: Material, statement: ast.stmt, alone: bool) -> Iterator[Variant]:
    span = code.source.span(statement)
    if isinstance(statement, ast.FunctionDef):
        return
    if not isinstance(statement, ast.Return) and not alone:
        yield Variant(LOGIC + 0.5, "wrong-statement", (Edit(span, "pass"),), _head(span, code.source.text), "")
    if isinstance(statement, ast.If | ast.While):
        yield from of_condition(code, statement.test)
    if isinstance(statement, ast.If) and not statement.orelse:
        keyword = Span(span.start, span.start + 2)
        if keyword.of(code.source.text) == "if":
            yield Variant(LOGIC, "wrong-statement", (Edit(keyword, "while"),), keyword, "while")
    if isinstance(statement, ast.Break | ast.Continue):
        other = "continue" if isinstance(statement, ast.Break) else "break"
        yield Variant(FAR, "wrong-statement", (Edit(span, other),), span, other)
    if isinstance(statement, ast.AugAssign) and type(statement.op) in COMPUTED:
        yield from _augmented(code, statement)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        at = code.source.between(statement.targets[0], statement.value, "=")
        if at is not None:
            for sign in ("+", "-"):
                yield Variant(FAR, "wrong-binary-operator", (Edit(at, f"{sign}="),), at, f"{sign}=")
    if isinstance(statement, ast.Expr):
        start = Span(span.start, span.start)
        yield Variant(FAR, "missing-return", (Edit(start, "return "),), span, "return")
    expressions = list(_own_expressions(statement))
    for node in expressions:
        yield from of_expression(code, node)
    yield from _exchanged(code, [each for each in expressions if isinstance(each, ast.Name)])


def _exchanged(code: Material, names: Sequence[ast.Name]) -> Iterator[Variant]:
    """Two names of a statement that changed places."""
    own = [each for each in names if each.id in code.names][:_MOST_EXCHANGED]
    for one, two in combinations(sorted(own, key=lambda each: (each.lineno, each.col_offset)), 2):
        if one.id != two.id:
            first, second = code.source.span(one), code.source.span(two)
            edits = (Edit(first, two.id), Edit(second, one.id))
            place = Span(first.start, second.end)
            between = code.source.text[first.end : second.start]
            yield Variant(FAR, "argument-swap", edits, place, f"{two.id}{between}{one.id}")


def _augmented(code: Material, statement: ast.AugAssign) -> Iterator[Variant]:
    own = COMPUTED[type(statement.op)]
    at = code.source.between(statement.target, statement.value, f"{own}=")
    if at is None:
        return
    for sign in dict.fromkeys((*ALIKE[own], *ARITHMETIC[:4])):
        cost = TOKEN if sign in ALIKE[own] else FAR
        yield Variant(cost, "wrong-binary-operator", (Edit(at, f"{sign}="),), at, f"{sign}=")
    yield Variant(FAR, "wrong-binary-operator", (Edit(at, "="),), at, "=")


def _indented(code: Material, above: ast.stmt, statement: ast.stmt) -> Iterator[Variant]:
    """A statement that belongs into the block above it."""
    blocks = _inner_blocks(above)
    if not blocks or isinstance(above, ast.FunctionDef):
        return
    yield from _moved(code, statement, blocks[-1][-1].col_offset - statement.col_offset)


def _dedented(code: Material, statement: ast.stmt) -> Iterator[Variant]:
    """The last statement of a block that belongs behind it."""
    holder = _holder(code.function, statement)
    if holder is not None:
        yield from _moved(code, statement, holder.col_offset - statement.col_offset)


def _moved(code: Material, statement: ast.stmt, columns: int) -> Iterator[Variant]:
    span = code.source.span(statement)
    first, _ = code.source.line_of(span.start)
    _, end = code.source.line_of(span.end)
    if code.source.text[first : span.start].strip() or "\t" in code.source.text[first : span.start]:
        return
    lines = code.source.text[first:end].split("\n")
    moved = [" " * columns + each if columns > 0 else each[-columns:] for each in lines]
    edit = Edit(Span(first, end), "\n".join(moved))
    yield Variant(FAR, "wrong-statement", (edit,), _head(span, code.source.text), moved[0].strip())


def _guards(code: Material, first: ast.stmt, results: Sequence[str]) -> Iterator[Variant]:
    """A case of its own that nobody thought of."""
    start, _ = code.source.line_of(code.source.span(first).start)
    indent = code.source.text[start : code.source.span(first).start]
    if indent.strip():
        return
    place = _head(code.source.span(first), code.source.text)
    for result in dict.fromkeys(each for each in results if each in _NEUTRAL):
        for parameter in parameters_of(code.function.args):
            lines = f"{indent}if not {parameter.arg}:\n{indent}    return {result}\n"
            label = f"if not {parameter.arg}: return {result}"
            yield Variant(GUESS - 1, "wrong-statement", (Edit(Span(start, start), lines),), place, label)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _head(span: Span, text: str) -> Span:
    """The first line of a statement."""
    end = text.find("\n", span.start, span.end)
    return Span(span.start, end if end >= 0 else span.end)


def _inner_blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [statement.body]
    blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    handlers = [each.body for each in getattr(statement, "handlers", [])]
    return [each for each in (*blocks, *handlers) if each]


def _holder(function: ast.FunctionDef, statement: ast.stmt) -> ast.stmt | None:
    """The statement in whose block another stands."""
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and any(statement in block for block in _inner_blocks(node)):
            return node if node is not function else None
    return None


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement that are read, without those of the statements in its blocks."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        for name, field in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "format_spec"):
                continue
            for each in field if isinstance(field, list) else [field]:
                if isinstance(each, ast.expr):
                    if isinstance(getattr(each, "ctx", None), ast.Load) or not hasattr(each, "ctx"):
                        yield each
                    if not isinstance(each, ast.JoinedStr):  # Before Python 3.12 nobody knows where its parts stand.
                        waiting.append(each)
                elif isinstance(each, ast.AST) and not isinstance(each, ast.stmt | ast.expr_context | ast.operator):
                    waiting.append(each)
