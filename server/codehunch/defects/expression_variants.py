"""What small edits make of an expression: the likeliest slips of a person undone, and what each costs to believe in."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from codehunch.defects.findings import Edit
from codehunch.defects.rewrites import CONFUSED_CALLS
from codehunch.defects.trees import Source
from codehunch.interpreter.scopes import parameters_of
from codehunch.syntax.spans import Span

TOKEN, NEAR, FAR, LOGIC, GUESS = 1.0, 1.5, 2.0, 2.5, 4.0
"""Costs: another token of the same sort; a neighbour of it; a rarer slip; a piece too many or too few; a guess."""


@attrs.frozen
class Variant:
    """One small edit of a function's text."""

    cost: float
    kind: str
    """The kind of defect that it undoes, a name of ``codehunch.defects.kinds``."""
    edits: tuple[Edit, ...]
    place: Span
    """What is wrong in the text before the edit."""
    label: str
    """What stands there afterwards; empty where something is taken away."""

    @property
    def is_added(self) -> bool:
        """Whether nothing that was there is changed."""
        return all(not len(edit.span) for edit in self.edits)


@attrs.frozen(eq=False)
class Material:
    """What a function is made of."""

    source: Source
    function: ast.FunctionDef
    names: Sequence[str]
    """Its own, parameters first."""
    numbers: Sequence[int]
    texts: Sequence[str]
    conditions: Sequence[str]
    """Comparisons, as they are written."""
    called: Sequence[str]
    """Names and methods that it calls."""


def material_of(text: str, function: ast.FunctionDef) -> Material:
    """What the edits of a function can draw on; ``text`` is what was parsed."""
    source = Source(text)
    nodes = list(ast.walk(function))
    parameters = [each.arg for each in parameters_of(function.args)]
    stored = [each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
    constants = [each.value for each in nodes if isinstance(each, ast.Constant)]
    compared = [source.of(each) for each in nodes if isinstance(each, ast.Compare)]
    return Material(
        source,
        function,
        list(dict.fromkeys([*parameters, *stored])),
        list(dict.fromkeys(each for each in constants if type(each) is int and abs(each) < 10**6)),
        list(dict.fromkeys(each for each in constants if isinstance(each, str) and len(each) < 20)),
        [each for each in compared if len(each) < 40],
        list(dict.fromkeys(filter(None, (called_name(each) for each in nodes if isinstance(each, ast.Call))))),
    )


def called_name(node: ast.Call) -> str:
    """The name, or the method, that is called; empty where that is neither."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_NEARBY = {
    "<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "!=": ("==",),
    "is": ("is not",), "is not": ("is",), "in": ("not in",), "not in": ("in",),
}  # fmt: skip
_SIGN = re.compile(r"(?:[^\w)\]}\"'\s]|\b(?:return|yield|and|or|not|in|is|if|else|elif|while|assert))[ ]*-\Z")
"""A sign before a number, and nothing that it would be taken from."""
_BEFORE = 12
"""Characters before a number that tell what its sign is."""
_ORDERING = ("<", "<=", ">", ">=", "==", "!=")
COMPUTED = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
ALIKE = {
    "+": ("-",), "-": ("+",), "*": ("+", "/", "**"), "/": ("//", "*"), "//": ("/", "%"), "%": ("//", "/"),
    "**": ("*",), "&": ("|", "^"), "|": ("&", "^"), "^": ("|", "&", "**"), "<<": (">>",), ">>": ("<<",),
}  # fmt: skip
ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")
_CALLS = {
    "min": ("max",), "max": ("min",), "sum": ("len", "max"), "len": ("sum", "max"), "any": ("all",), "all": ("any",),
    "int": ("round", "float"), "float": ("int",), "round": ("int", "abs"), "ceil": ("floor",), "floor": ("ceil",),
    "sorted": ("list", "reversed"), "list": ("set", "sorted"), "set": ("list", "sorted"), "ord": ("chr", "int"),
    "range": ("list",), "str": ("int", "repr"), "bin": ("hex",), "abs": ("int",),
}  # fmt: skip
_METHODS = {
    "upper": ("lower", "swapcase", "title", "capitalize"), "lower": ("upper", "swapcase"),
    "swapcase": ("lower", "upper"),
    "isupper": ("islower", "isalpha"), "islower": ("isupper", "isalpha"), "isdigit": ("isalpha", "isalnum"),
    "isalpha": ("isdigit", "isalnum", "islower"), "isalnum": ("isalpha",), "append": ("extend",),
    "extend": ("append",),
    "startswith": ("endswith",), "endswith": ("startswith",), "find": ("rfind", "index"), "strip": ("lstrip", "rstrip"),
    "lstrip": ("rstrip", "strip"), "rstrip": ("lstrip", "strip"),
    "union": ("intersection",), "keys": ("values", "items"),
    "intersection": ("union",), "values": ("keys", "items"), "items": ("keys", "values"), "get": ("pop",),
    "split": ("splitlines",), "add": ("discard",), "pop": ("popleft",), "title": ("capitalize", "upper"),
    "popleft": ("pop",), "appendleft": ("append",), "count": ("find",), "index": ("find", "count"),
}  # fmt: skip
_WRAPPERS = ("abs", "sorted", "set", "list", "len", "str", "int", "sum", "max", "min", "round", "tuple", "reversed")
_SUFFIXES = ("[::-1]", "[1:]", "[:-1]", ".lower()", ".upper()", ".strip()", ".split()")


def of_expression(code: Material, node: ast.expr) -> Iterator[Variant]:
    make = _BY_TYPE.get(type(node))
    if make is not None:
        yield from make(code, node)
    if not isinstance(node, ast.Constant | ast.Slice | ast.Starred | ast.JoinedStr | ast.Lambda):
        yield from _wrapped(code, node)


def _wrapped(code: Material, node: ast.expr) -> Iterator[Variant]:
    """Something missing around an expression."""
    span, text = code.source.span(node), code.source.of(node)
    inner = text if _is_atom(node) else f"({text})"
    if isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.BinOp | ast.Attribute):
        for sign in ("+ 1", "- 1"):
            changed = f"({text} {sign})" if _binds(code, node) else f"{text} {sign}"
            yield Variant(NEAR + 0.3, "off-by-one", (Edit(span, changed),), span, f"{text} {sign}")
    if isinstance(node, ast.Name | ast.Attribute):
        end = Span(span.end, span.end)
        yield Variant(FAR, "missing-call-parentheses", (Edit(end, "()"),), span, f"{text}()")
    if len(text) > 60:
        return
    for name in _WRAPPERS:
        yield Variant(LOGIC, "missing-call", (Edit(span, f"{name}({text})"),), span, f"{name}({text})")
    for suffix in _SUFFIXES:
        yield Variant(LOGIC, "missing-call", (Edit(span, f"{inner}{suffix}"),), span, f"{inner}{suffix}")
    if not isinstance(node, ast.Compare | ast.BoolOp):
        yield Variant(LOGIC, "wrong-binary-operator", (Edit(span, f"-{inner}"),), span, f"-{inner}")
        yield Variant(LOGIC, "wrong-negation", (Edit(span, f"(not {inner})"),), span, f"not {inner}")


def _binds(code: Material, node: ast.expr) -> bool:
    """Whether what is around an expression would take a sum apart."""
    end = code.source.span(node).end
    before = code.source.text[: code.source.span(node).start].rstrip()[-1:]
    behind = code.source.text[end:].lstrip()[:2]
    return before in ("*", "/", "%", "-") or behind[:1] in ("*", "/", "%", ".", "[", "(")


def _name(code: Material, node: ast.Name) -> Iterator[Variant]:
    span = code.source.span(node)
    if node.id in code.names:
        for other in code.names:
            yield Variant(TOKEN, "variable-misuse", (Edit(span, other),), span, other)
        for number in ("0", "1"):
            yield Variant(GUESS, "variable-misuse", (Edit(span, number),), span, number)


def _constant(code: Material, node: ast.Constant) -> Iterator[Variant]:
    span, value = code.source.span(node), node.value
    if isinstance(value, bool) or value is None:
        for other in ("True", "False", "None", "0", "[]", '""'):
            cost = TOKEN if isinstance(value, bool) and other in ("True", "False") else LOGIC
            yield Variant(cost, "wrong-literal", (Edit(span, other),), span, other)
    elif isinstance(value, int):
        if _SIGN.search(code.source.text, max(0, span.start - _BEFORE), span.start):
            span, value = Span(span.start - 1, span.end), -value
        near = [value + 1, value - 1]
        for number in near:
            yield Variant(TOKEN, "off-by-one", (Edit(span, str(number)),), span, str(number))
        for number in (*code.numbers, 0, 1, 2, 10, -value):
            if number not in near:
                yield Variant(NEAR, "wrong-literal", (Edit(span, str(number)),), span, str(number))
        for name in code.names:
            yield Variant(LOGIC, "wrong-literal", (Edit(span, name),), span, name)
    elif isinstance(value, float):
        for changed in (value + 1, value - 1, -value, value * 2, value / 2, value * 10, value / 10, 0.0, 1.0):
            yield Variant(NEAR, "wrong-literal", (Edit(span, repr(changed)),), span, repr(changed))
    elif isinstance(value, str) and len(value) <= 40:
        yield from _text(code, span, value)


def _text(code: Material, span: Span, value: str) -> Iterator[Variant]:
    quote = span.of(code.source.text)[-1:]
    if span.of(code.source.text)[:1] != quote or quote * 3 in span.of(code.source.text):
        return
    others = dict.fromkeys((*code.texts, "", " ", value.lower(), value.upper(), value.strip()), NEAR)
    for at, letter in enumerate(value):
        others.setdefault(value[:at] + value[at + 1 :], FAR)
        for other in "aeiou" if letter in "aeiou" else ():
            others.setdefault(value[:at] + other + value[at + 1 :], GUESS)
    for end in (" ", *"aeiouAEIOUY,.", "\n"):
        others.setdefault(value + end, LOGIC)
        others.setdefault(end + value, LOGIC + 0.2)
    for other, cost in others.items():
        written = _quoted(other, quote)
        yield Variant(cost, "wrong-literal", (Edit(span, written),), span, written)


def _compare(code: Material, node: ast.Compare) -> Iterator[Variant]:
    operands = [node.left, *node.comparators]
    for at, op in enumerate(node.ops):
        own = _COMPARED[type(op)]
        span = code.source.between(operands[at], operands[at + 1], own)
        if span is None:
            continue
        others = (*_NEARBY[own], *(_ORDERING if own in _ORDERING else ()))
        for other in dict.fromkeys(others):
            cost = TOKEN if other in _NEARBY[own] else NEAR
            yield Variant(cost, "wrong-comparison", (Edit(span, other),), span, other)


def _binary(code: Material, node: ast.BinOp) -> Iterator[Variant]:
    own = COMPUTED.get(type(node.op))
    span = code.source.between(node.left, node.right, own) if own is not None else None
    if own is None or span is None:
        return
    others = (*ALIKE[own], *(ARITHMETIC if own in ARITHMETIC else ()))
    for other in dict.fromkeys(others):
        cost = TOKEN if other in ALIKE[own] else NEAR
        yield Variant(cost, "wrong-binary-operator", (Edit(span, other),), span, other)
    if own in ("+", "-") and isinstance(node.right, ast.Constant) and node.right.value == 1:
        kept = code.source.of(node.left)
        place = Span(span.start, code.source.span(node.right).end)
        yield Variant(TOKEN, "off-by-one", (Edit(code.source.span(node), kept),), place, "")
    yield from _either(code, node, node.left, node.right)
    left, right = code.source.of(node.left), code.source.of(node.right)
    if own in ("-", "/", "//", "%", "**", "+"):
        edits = (Edit(code.source.span(node.left), right), Edit(code.source.span(node.right), left))
        yield Variant(NEAR, "argument-swap", edits, code.source.span(node.left), f"{right} {own} {left}")


def _either(code: Material, node: ast.expr, *parts: ast.expr) -> Iterator[Variant]:
    """One of the parts alone."""
    span = code.source.span(node)
    for part in parts:
        kept = code.source.of(part)
        yield Variant(FAR, "wrong-statement", (Edit(span, kept),), span, kept)


def _boolean(code: Material, node: ast.BoolOp) -> Iterator[Variant]:
    own, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in zip(node.values, node.values[1:], strict=False):
        span = code.source.between(left, right, own)
        if span is not None:
            yield Variant(TOKEN, "wrong-boolean-operator", (Edit(span, other),), span, other)
    for at in range(len(node.values)):
        rest = [code.source.of(each) for number, each in enumerate(node.values) if number != at]
        span, kept = code.source.span(node), f" {own} ".join(rest)
        yield Variant(FAR, "wrong-statement", (Edit(span, kept),), code.source.span(node.values[at]), "")
    for part in node.values:
        yield from of_condition(code, part)


def _unary(code: Material, node: ast.UnaryOp) -> Iterator[Variant]:
    kind = "wrong-negation" if isinstance(node.op, ast.Not) else "wrong-binary-operator"
    span, kept = code.source.span(node), code.source.of(node.operand)
    yield Variant(NEAR, kind, (Edit(span, kept),), span, kept)


def _conditional(code: Material, node: ast.IfExp) -> Iterator[Variant]:
    yield from of_condition(code, node.test)
    body, other = code.source.span(node.body), code.source.span(node.orelse)
    edits = (Edit(body, other.of(code.source.text)), Edit(other, body.of(code.source.text)))
    yield Variant(FAR, "wrong-negation", edits, body, other.of(code.source.text))
    yield from _either(code, node, node.body, node.orelse)


def _call(code: Material, node: ast.Call) -> Iterator[Variant]:
    name = called_name(node)
    table = _METHODS if isinstance(node.func, ast.Attribute) else _CALLS
    end = code.source.span(node.func).end
    place = Span(end - len(name), end)
    for other in dict.fromkeys((*table.get(name, ()), *CONFUSED_CALLS.get(name, ()))):
        yield Variant(TOKEN, "wrong-call", (Edit(place, other),), place, other)
    for other in code.called if name else ():
        yield Variant(NEAR, "wrong-call", (Edit(place, other),), place, other)
    for left, right in zip(node.args, node.args[1:], strict=False):
        one, two = code.source.of(left), code.source.of(right)
        edits = (Edit(code.source.span(left), two), Edit(code.source.span(right), one))
        yield Variant(TOKEN, "argument-swap", edits, code.source.span(left), f"{two}, {one}")
    yield from _arguments(code, node, name)
    if len(node.args) == 1 and not node.keywords:
        yield from _either(code, node, node.args[0])
    elif not node.args and isinstance(node.func, ast.Attribute):
        yield from _either(code, node, node.func.value)


def _arguments(code: Material, node: ast.Call, name: str) -> Iterator[Variant]:
    span, called = code.source.span(node), code.source.of(node.func)
    given = [*map(code.source.of, node.args)]
    given += [f"{each.arg}={code.source.of(each.value)}" for each in node.keywords if each.arg]
    added = {"sorted": ("reverse=True",), "range": ("1", "-1"), "sort": ("reverse=True",)}.get(name, ())
    for at in range(len(given) if len(given) > 1 or node.keywords else 0):
        kept = f"{called}({', '.join(given[:at] + given[at + 1 :])})"
        yield Variant(FAR, "wrong-statement", (Edit(span, kept),), span, kept)
    for argument in added:
        more = f"{called}({', '.join([*given, argument])})"
        yield Variant(FAR, "missing-argument", (Edit(span, more),), span, more)
    if name == "range" and len(given) == 1:
        for argument in ("1", "2"):
            more = f"{called}({argument}, {given[0]})"
            yield Variant(FAR, "missing-argument", (Edit(span, more),), span, more)


def _subscript(code: Material, node: ast.Subscript) -> Iterator[Variant]:
    yield from _either(code, node, node.value)
    if isinstance(node.slice, ast.Slice):
        yield from _slice(code, node, node.slice)


def _slice(code: Material, node: ast.Subscript, bounds: ast.Slice) -> Iterator[Variant]:
    span, owner = code.source.span(node), code.source.of(node.value)
    lower, upper, step = (
        code.source.of(each) if each is not None else "" for each in (bounds.lower, bounds.upper, bounds.step)
    )
    others = [(upper, lower, step), ("", upper, step), (lower, "", step), (lower, upper, "")]
    others += [("1", upper, step), (lower, "-1", step), (lower, upper, "-1"), (lower, upper, "2")]
    for one, two, three in others:
        changed = f"{owner}[{one}:{two}{':' + three if three else ''}]"
        yield Variant(FAR, "off-by-one", (Edit(span, changed),), span, changed)


def _lambda(code: Material, node: ast.Lambda) -> Iterator[Variant]:
    span, body = code.source.span(node.body), code.source.of(node.body)
    yield Variant(FAR, "wrong-binary-operator", (Edit(span, f"-{body}"),), span, f"-{body}")


def of_condition(code: Material, test: ast.expr) -> Iterator[Variant]:
    span, text = code.source.span(test), code.source.of(test)
    if not isinstance(test, ast.Compare) and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        negated = f"not {text}" if _is_atom(test) else f"not ({text})"
        yield Variant(TOKEN, "wrong-negation", (Edit(span, negated),), span, negated)
    for word in ("and", "or"):
        for other in code.conditions:
            if other not in text:
                grouped = f"({text})" if isinstance(test, ast.BoolOp) else text
                yield Variant(GUESS, "wrong-statement", (Edit(span, f"{grouped} {word} {other}"),), span, other)


_BY_TYPE: dict[type[ast.AST], Callable[[Material, Any], Iterator[Variant]]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Compare: _compare,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Lambda: _lambda,
}


def _is_atom(node: ast.expr) -> bool:
    """Whether an expression holds together whatever is written around it."""
    return isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute | ast.List | ast.Dict | ast.Set)


def _quoted(value: str, quote: str) -> str:
    written = repr(value)
    return written if quote == "'" or '"' in value or "'" in value else f'"{written[1:-1]}"'
