"""Where the names of a function live: found once, before it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from codehunch.interpreter.calling import OWN_CLASS
from codehunch.interpreter.running import give_up

FunctionNode = ast.FunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)
OPENS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, Comprehension)


class Scope:
    """The names of a function or comprehension, and what is around it."""

    def __init__(
        self,
        names: frozenset[str],
        outer: Scope | None,
        comprehends: bool = False,
        first: str | None = None,
        yields: bool = False,
    ) -> None:
        self.names, self.outer, self.comprehends = names, outer, comprehends
        self.first, self.yields = first, yields
        """The first parameter of a function, and whether it is a generator."""

    def hops(self, name: str) -> int | None:
        """How many frames further out a name lives; ``None`` where it is none of a function."""
        scope: Scope | None = self
        count = 0
        while scope is not None:
            if name in scope.names:
                return count
            scope, count = scope.outer, count + 1
        return None


def scope_of(node: FunctionNode, outer: Scope | None) -> Scope:
    """The scope of a function. Raises Undecided for what it does to names of the file."""
    names = {each.arg for each in parameters_of(node.args)}
    elsewhere: set[str] = set()
    yields = False
    for each in _own_nodes(node.body if isinstance(node, ast.FunctionDef) else [node.body]):
        if isinstance(each, ast.Global):
            give_up("changes names of the file")
        elif isinstance(each, ast.Nonlocal):
            elsewhere.update(each.names)
        elif isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            names.add(each.id)
        elif isinstance(each, _NAMED) and each.name:
            names.add(each.name)
        elif isinstance(each, ast.Yield | ast.YieldFrom):
            yields = True
        elif isinstance(each, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in each.names)
    listed = parameters_of(node.args)
    return Scope(frozenset(names - elsewhere), outer, first=listed[0].arg if listed else None, yields=yields)


def method_scope_of(node: FunctionNode, outer: Scope | None) -> Scope:
    """The same for a method, which knows its class."""
    own = scope_of(node, outer)
    return Scope(own.names | {OWN_CLASS}, outer, first=own.first, yields=own.yields)


def comprehension_scope(node: Comprehension, outer: Scope) -> Scope:
    """The scope of a comprehension. Raises Undecided where it also binds names of the function around it."""
    names = {
        name.id
        for generator in node.generators
        for name in ast.walk(generator.target)
        if isinstance(name, ast.Name) and not isinstance(name.ctx, ast.Load)
    }
    if any(isinstance(each, ast.NamedExpr) for each in ast.walk(node)):
        give_up("binds a name in a comprehension")
    return Scope(frozenset(names), outer, comprehends=True)


def parameters_of(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, starred ones last."""
    starred = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes that are not within another scope; of a function in here, the node alone."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, OPENS):
            waiting.extend(ast.iter_child_nodes(node))
        elif isinstance(node, Comprehension):
            waiting.append(node.generators[0].iter)
