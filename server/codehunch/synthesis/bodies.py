"""Programs as Python that a person would write."""

from __future__ import annotations

import ast
import builtins
import copy
import io
import re
from collections.abc import Iterable
from keyword import iskeyword
from token import STRING
from tokenize import generate_tokens

from codehunch.synthesis.bank import Expression
from codehunch.synthesis.branches import BRANCHES
from codehunch.synthesis.forms import FIRST, ITEM, SECOND

_PART = re.compile(r"_\d\Z")
_TAKES_ANY = {"sum", "any", "all", "min", "max", "set", "sorted", "tuple", "list", "dict"}
"""Built-ins that go through a generator as well as through a list."""
_METHODS = {"join"}
_PLAIN = {"s": ("char", "text"), "i": ("number",), "f": ("number",), "L": ("row",), "T": ("pair",)}
_PLURAL = re.compile(r"(?i)[a-z]{2,}[^s]s\Z")


def body_of(expression: Expression, parameters: Iterable[str], quote: str = "'") -> str:
    """The body of a function that gives what the expression gives, canonical."""
    taken = set(parameters)
    if expression.template == BRANCHES:
        test, yes, no = (_written(part, taken) for part in expression.parts)
        return _quoted(f"if {test}:\n    return {yes}\nreturn {no}", quote)
    return _quoted(f"return {_written(expression, taken)}", quote)


def _written(expression: Expression, taken: set[str]) -> str:
    return _bare(ast.unparse(ast.fix_missing_locations(_Plainer().visit(_tree(expression, taken)))))


def _bare(code: str) -> str:
    """The line of code without the brackets that ``ast.unparse`` gives a generator which is the only argument."""
    tree = ast.parse(code, mode="eval")
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    ]
    places: list[int] = []
    data = code.encode()
    for node in calls:
        only = node.args[0]
        start, end = only.col_offset, only.end_col_offset or 0
        if (
            isinstance(only, ast.GeneratorExp)
            and data[start - 1 : start + 1] == b"(("
            and data[end - 1 : end + 1] == b"))"
        ):
            places += [start, end - 1]
    for place in sorted(places, reverse=True):
        data = data[:place] + data[place + 1 :]
    return data.decode()


def _tree(expression: Expression, taken: set[str]) -> ast.expr:
    """The expression as Python's own tree, with loop variables that have names."""
    tree = ast.parse(expression.template, mode="eval").body
    parts = [_tree(part, taken) for part in expression.parts]
    if parts and (ITEM in expression.template or FIRST in expression.template):
        names = _names_for(expression, parts, taken)
        tree = _Renamed(names).visit(tree)
        parts = [parts[0], *(_Renamed(names).visit(part) for part in parts[1:])]
    filled: ast.expr = _Filled(parts).visit(tree)
    return filled


def _names_for(expression: Expression, parts: list[ast.expr], taken: set[str]) -> dict[str, str]:
    """Names for the variables of a loop: what the thing is called that it goes through, in the singular."""
    used = taken | {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    source = expression.parts[0]
    if FIRST in expression.template:
        first, second = ("index", "item") if source.template.startswith("enumerate") else ("left", "right")
        return {FIRST: _free(first, used), SECOND: _free(second, used)}
    if not source.parts and _PLURAL.search(source.template):
        wanted = source.template[:-1]
    elif source.template.startswith("range"):
        wanted = "i"
    elif ".split(" in source.template:
        wanted = "word"
    else:
        inner = source.kind[1:2] if source.kind[0] in "LTER" else source.kind[0]
        wanted = _PLAIN.get(inner, ("item",))[0 if source.kind[0] == "s" else -1]
    if iskeyword(wanted) or hasattr(builtins, wanted):
        wanted = "item"
    return {ITEM: _free(wanted, used)}


def _free(name: str, used: set[str]) -> str:
    return (
        name if name not in used else next(each for each in (f"{name}_{at}" for at in range(2, 99)) if each not in used)
    )


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._names.get(node.arg, node.arg))


class _Filled(ast.NodeTransformer):
    def __init__(self, parts: list[ast.expr]) -> None:
        self._parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._parts[int(node.id[1:])]) if _PART.match(node.id) else node


class _Plainer(ast.NodeTransformer):
    """The same said as people say it: no list where a generator does, no lambda around one call, no ``not a == b``."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        first = node.args[0] if node.args else None
        if (name in _TAKES_ANY and len(node.args) == 1) or method in _METHODS:
            if isinstance(first, ast.ListComp):
                if name == "list":
                    return first
                if name == "set":
                    return ast.SetComp(first.elt, first.generators)
                node.args[0] = ast.GeneratorExp(first.elt, first.generators)
            elif isinstance(first, ast.Call) and isinstance(first.func, ast.Name) and len(first.args) == 1:
                listed = first.func.id == "list" or (name in ("sorted", "set") and first.func.id == "tuple")
                if listed and not first.keywords:
                    node.args[0] = first.args[0]
        for word in node.keywords:
            made = word.value
            if word.arg == "key" and isinstance(made, ast.Lambda) and isinstance(made.body, ast.Call):
                call, variable = made.body, made.args.args[0].arg
                only = call.args[0] if len(call.args) == 1 and not call.keywords else None
                if isinstance(only, ast.Name) and only.id == variable and isinstance(call.func, ast.Name):
                    word.value = call.func
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        right = node.right
        texts = any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(node))
        if texts and isinstance(node.op, ast.Add) and isinstance(right, ast.BinOp) and isinstance(right.op, ast.Add):
            return ast.BinOp(ast.BinOp(node.left, ast.Add(), right.left), ast.Add(), right.right)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        turned = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In}
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and len(inner.ops) == 1:
            other = turned.get(type(inner.ops[0]))
            if other is not None:
                return ast.Compare(inner.left, [other()], inner.comparators)
        return node


def _quoted(code: str, quote: str) -> str:
    """The code with the quotes that the file has, where a string has none of them inside."""
    if quote != '"':
        return code
    lines = code.split("\n")
    tokens = [each for each in generate_tokens(io.StringIO(code).readline) if each.type == STRING]
    for token in reversed(tokens):
        row, start, end = token.start[0] - 1, token.start[1], token.end[1]
        if token.string.startswith("'") and not set(token.string) & {'"', "\\"}:
            lines[row] = f'{lines[row][:start]}"{token.string[1:-1]}"{lines[row][end:]}'
    return "\n".join(lines)
