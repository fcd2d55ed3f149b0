"""Examples of what a function gives, as its description states them: doctests, ``f(2) == 4``, ``f(2) -> 4``.

Only literals are read, nothing is evaluated.
"""

from __future__ import annotations

import ast
import doctest
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import attrs

from codehunch.syntax.sections import cut_at, section_starts

MOST_EXAMPLES = 12
_READ = 20_000
"""Characters of a description that are read."""
_LONGEST = 600
"""Characters of an example that is read; a longer one shows data, not what is done with it."""
_GIVES = re.compile(
    r"""[`'"]?\s*(?:===?|==?>|[-=~]+>|[➞→⇒↦⟶]|=|\#\s*(?:==?>|->|[➞→]|returns?\b|gives\b)?|
    ,?\s*(?:(?:it\s+)?(?:should|will|must)\s+)?(?:returns?|give|gives|yields?|outputs?|equals?|be|is|evaluates\ to)\b)
    \s*:?\s*[`]?""",
    re.VERBOSE,
)
_INPUT = re.compile(r"(?im)^\W*input\s*:?\s*(?P<input>\S.*?)\s*[\n;]\s*\W*output\s*:?\s*(?P<output>\S.*)$")
_SHOWN = re.compile(
    r"""(?P<input>\S.*?)[`,]?\s*(?:==?>|[-=~]+>|[➞→⇒↦⟶]|\b(?:(?:the\s+)?(?:output|result|answer)\s+)?(?:(?:it\s+)?(?:should|will|must|would)\s+
    )?(?:be|is|returns?|gives?|yields?)\b)\s*:?\s*`?(?P<output>[^\s].*)""",
    re.VERBOSE,
)
_BEGINNING = re.compile(r"""(?<![\w.\]\)])(?=[\[({'"\d-]|[^\W\d]\w*\s*=[^=>])""")
"""Where arguments may begin."""
_GOES_ON = re.compile(r"\s*(?:[+*/%=<>|&^]|-(?![->])|(?:and|or|if|for|in|not)\b)|[\w\"'\[({.](?<!\.)")
"""Behind a literal: that it is only part of what is written."""
_PROMPT = re.compile(r"(?m)^\s*(?:>>>|\.\.\.)")


@attrs.frozen
class Example:
    """What a function gives for some arguments."""

    arguments: tuple[Any, ...]
    """One for each parameter, in their order; literals."""
    result: Any
    call: str = attrs.field(default="", eq=False)
    """As it is written; empty where the function is not named."""


@attrs.frozen
class Parameters:
    """The parameters of a function that can be called with positions and names alone."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]


def examples_of(description: str, header: str) -> tuple[Example, ...]:
    """The examples in a description of the function that ``header`` begins, in their order; each once.

    Empty where the function cannot be called on its own: a method, one with ``*args``, one that is awaited.
    """
    parsed = read_header(header)
    if parsed is None:
        return ()
    name, parameters = parsed
    description = description[:_READ]
    found: dict[str, Example] = {}
    for call, result in _statements(description, name):
        arguments = _bound(call, parameters)
        if arguments is not None:
            found.setdefault(repr(arguments), Example(arguments, result, ast.unparse(call)))
    if not found:
        for text, literal in _unnamed(description):
            values, result = _inputs(text, parameters), _longest_literal(literal)
            if values is not None and result is not None:
                found.setdefault(repr(values), Example(values, result[0]))
    return tuple(found.values())[:MOST_EXAMPLES]


def assertions_of(text: str) -> Mapping[str, str]:
    """What a file asserts that its functions give, by their names: lines such as ``f(2) == 4``."""
    return _assertions_of(text) if "assert " in text else {}


@lru_cache(1024)  # Of a file that is edited most statements come again at every key.
def _assertions_of(text: str) -> Mapping[str, str]:
    found: dict[str, list[str]] = {}
    for _, piece in cut_at(text, list(section_starts(text))):
        for name, line in _asserted(piece):
            found.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


@lru_cache(1024)
def _asserted(piece: str) -> tuple[tuple[str, str], ...]:
    """Names and lines of one statement of a file. A name that it binds itself is not the file's."""
    tree = _parsed(piece) if "assert " in piece else None
    found: list[tuple[str, ast.Compare]] = []
    bound: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name)
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            found += [(name, test) for test in (node.test, _turned(node.test)) if (name := _called(test)) is not None]
    return tuple((name, ast.unparse(test)) for name, test in found if name not in bound)


def _turned(test: ast.Compare) -> ast.Compare:
    """``4 == f(2)`` as ``f(2) == 4``."""
    return ast.Compare(test.comparators[0], test.ops, [test.left])


def _called(test: ast.Compare) -> str | None:
    """The function of which a comparison says what it gives."""
    says = len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is)
    called = test.left.func if isinstance(test.left, ast.Call) else None
    return called.id if says and isinstance(called, ast.Name) else None


def read_header(header: str) -> tuple[str, Parameters] | None:
    """Name and parameters of a head, ``def f(a, b=1):``; ``None`` where nobody could call it with literals alone."""
    module = _parsed(f"{header.strip()} pass" if header.rstrip().endswith(":") else f"{header.strip()}: pass")
    function = module.body[0] if isinstance(module, ast.Module) and module.body else None
    if not isinstance(function, ast.FunctionDef):
        return None
    listed = function.args
    every = [*listed.posonlyargs, *listed.args, *listed.kwonlyargs]
    names = tuple(each.arg for each in every)
    if listed.vararg or listed.kwarg or not names or names[0] in ("self", "cls"):
        return None
    positional = [*listed.posonlyargs, *listed.args]
    given = dict(zip([each.arg for each in positional[-len(listed.defaults) :]], listed.defaults, strict=False))
    given |= {each.arg: value for each, value in zip(listed.kwonlyargs, listed.kw_defaults, strict=True) if value}
    defaults = {}
    for name, node in given.items():
        try:
            defaults[name] = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    return function.name, Parameters(names, defaults)


def _statements(description: str, name: str) -> Iterator[tuple[ast.Call, Any]]:
    """Calls of the function with what they are said to give."""
    try:
        tests = doctest.DocTestParser().get_examples(description)
    except ValueError:
        tests = []
    for test in tests:
        # What gives nothing shows nothing.
        call = _call(test.source.strip(), name)
        result = _leading_literal(test.want) if test.want else (None,)
        if call is not None and result is not None and len(test.source) + len(test.want) <= _LONGEST:
            yield call, result[0]
    opening = re.compile(rf"(?<![\w.]){re.escape(name)}\(")
    for line in description.split("\n"):
        if _PROMPT.match(line) or len(line) > _LONGEST:
            continue
        for match in opening.finditer(line):
            call, end = _first_call(line, match.start(), name)
            gives = _GIVES.match(line, end) if call is not None else None
            result = _longest_literal(line[gives.end() :]) if gives is not None else None
            if call is not None and result is not None:
                yield call, result[0]


def _first_call(line: str, start: int, name: str) -> tuple[ast.Call | None, int]:
    """The call that begins at ``start`` and where it ends: at the first bracket that makes it whole."""
    for match in re.compile(r"\)").finditer(line, start):
        call = _call(line[start : match.end()], name)
        if call is not None:
            return call, match.end()
    return None, start


def _call(source: str, name: str) -> ast.Call | None:
    tree = _parsed(source)
    statement = tree.body[0] if isinstance(tree, ast.Module) and len(tree.body) == 1 else None
    call = statement.value if isinstance(statement, ast.Expr) else None
    called = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
    return call if isinstance(call, ast.Call) and called else None


def _bound(call: ast.Call, parameters: Parameters) -> tuple[Any, ...] | None:
    """The arguments of a call in the order of the parameters; ``None`` where one is missing or no literal."""
    given: dict[str, Any] = dict(parameters.defaults)
    if len(call.args) > len(parameters.names) or any(word.arg is None for word in call.keywords):
        return None
    named = [(word.arg or "", word.value) for word in call.keywords]
    try:
        for name, node in [*zip(parameters.names, call.args, strict=False), *named]:
            given[name] = ast.literal_eval(node)
        return tuple(given[name] for name in parameters.names)
    except (KeyError, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _unnamed(description: str) -> Iterator[tuple[str, str]]:
    """Inputs and outputs that are stated without the name of the function, as they are written."""
    for match in _INPUT.finditer(description):
        yield match["input"], match["output"]
    for line in description.split("\n"):
        shown = _SHOWN.match(line.strip()) if len(line) <= _LONGEST else None
        if shown is not None:
            yield shown["input"], shown["output"]


def _inputs(text: str, parameters: Parameters) -> tuple[Any, ...] | None:
    """``[1, 2], 3`` or ``values = [1, 2] and least = 3`` as the arguments of the function, whatever stands before."""
    text = text.strip().strip("`").replace(" and ", ", ")
    for match in _BEGINNING.finditer(text):
        call = _call(f"f({text[match.start() :]})", "f")
        bare = call is not None and len(call.args) == 1 and isinstance(call.args[0], ast.Tuple)
        if call is not None and bare and len(parameters.names) > 1:
            call = _call(f"f{text[match.start() :]}", "f")
        found = _bound(call, parameters) if call is not None and (call.args or call.keywords) else None
        if found is not None:
            return found
    return None


def _leading_literal(text: str) -> tuple[Any] | None:
    """The literal of the first lines: what is said right below an example is no part of it."""
    lines = text.split("\n")
    return next((found for end in range(len(lines), 0, -1) if (found := _literal("\n".join(lines[:end])))), None)


def _longest_literal(text: str) -> tuple[Any] | None:
    """The literal that a line goes on with, whatever is said after it; ``None`` where that computes on."""
    text = text.strip()
    for end in range(len(text), 0, -1):
        if text[end - 1] in " \t,;" or (end < len(text) and (text[end - 1] + text[end]).isalnum()):
            continue
        if text[end - 1] == "." and not text[end : end + 1].isdigit():
            continue  # A full stop.
        found = _literal(text[:end])
        if found is not None:
            return None if _GOES_ON.match(text, end) else found
    return None


def _literal(text: str) -> tuple[Any] | None:
    """The value of a literal, in a tuple of its own; ``None`` where the text is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return None if "..." in text and _abridged(value) else (value,)


def _abridged(value: Any) -> bool:
    """Whether a literal stands for a longer one."""
    inner = (*value, *value.values()) if isinstance(value, dict) else value
    return value is Ellipsis or (isinstance(inner, list | tuple | set) and any(map(_abridged, inner)))


def _parsed(source: str) -> ast.AST | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
