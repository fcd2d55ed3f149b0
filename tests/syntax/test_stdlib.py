"""The standard library of the running Python: what tree-sitter finds is what ``ast`` finds."""

from __future__ import annotations

import ast
import inspect
import random
import sysconfig
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.decoding import DecodedSource, SourceUnreadable, decode_source, encode_source
from codehunch.syntax.docstrings import docstring_text
from codehunch.syntax.functions import Function, find_functions
from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import body_requests, find_request

STDLIB = Path(sysconfig.get_path("stdlib"))
# Other grammars than Python's own, and installed packages, are not the standard library's code.
PATHS = sorted(
    path for path in STDLIB.rglob("*.py") if not {"site-packages", "lib2to3"} & {*path.relative_to(STDLIB).parts}
)
# tree-sitter-python 0.25 cannot read a few of Python's own grammar torture tests.
TORTURE = {"test_compile.py", "test_grammar.py", "test_fstring.py", "test_tstring.py", "test_type_params.py"}
SECONDS, AT_LEAST = 4.0, 40


def readable(seed: int) -> Iterator[tuple[Path, bytes, DecodedSource, ast.Module]]:
    """Files in an order drawn from ``seed``, until the time is up; some even on a machine under load."""
    paths = list(PATHS)
    random.Random(seed).shuffle(paths)
    stop, files = time.monotonic() + SECONDS, 0
    for path in paths:
        if time.monotonic() > stop and files >= AT_LEAST:
            return
        data = path.read_bytes()
        if len(data) > 200_000 or path.name in TORTURE:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(data)
            decoded = decode_source(data)
        except (SyntaxError, ValueError, RecursionError):
            continue
        files += 1
        yield path, data, decoded, tree


Row = tuple[int, int, str, int, str | None, bool, tuple[int, int, int, int] | None, str | None]


def expected(tree: ast.Module) -> list[Row]:
    """Line, column in bytes, name, nesting, class, async, docstring's corners and text of every function."""
    rows: list[Row] = []

    def walk(node: ast.AST, prefix: str, nesting: int, owner: str | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                corners = text = None
                if ast.get_docstring(child, clean=False) is not None:
                    literal = child.body[0].value  # type: ignore[attr-defined]
                    corners = (literal.lineno - 1, literal.col_offset, literal.end_lineno - 1, literal.end_col_offset)
                    text = inspect.cleandoc(literal.value).strip()
                is_async = isinstance(child, ast.AsyncFunctionDef)
                rows.append((child.lineno - 1, child.col_offset, name, nesting, owner, is_async, corners, text))
                walk(child, f"{name}.", nesting + 1, None)
            elif isinstance(child, ast.ClassDef):
                walk(child, f"{prefix}{child.name}.", nesting, f"{prefix}{child.name}")
            else:
                walk(child, prefix, nesting, owner)

    walk(tree, "", 0, None)
    return sorted(rows, key=lambda row: row[:2])


def found(decoded: DecodedSource, function: Function) -> Row:
    source, docstring = decoded.source, function.docstring
    corners = text = None
    if docstring is not None:
        start, end = source.position(docstring.start, "utf-8"), source.position(docstring.end, "utf-8")
        corners, text = (*start, *end), docstring_text(docstring.of(source.text))
    row, column = source.position(function.header.start, "utf-8")
    name, nesting, owner = function.qualified_name, function.nesting, function.enclosing_class
    return row, column, name, nesting, owner, function.is_async, corners, text


def test_functions_agree_with_ast() -> None:
    files = functions = 0
    for path, data, decoded, tree in readable(seed=1):
        assert encode_source(decoded, decoded.source.text) == data, path
        listed = [found(decoded, function) for function in find_functions(parse(decoded.source))]
        assert listed == expected(tree), path
        files, functions = files + 1, functions + len(listed)
    assert files >= AT_LEAST
    assert functions > 200


def applied(text: str, request: BodyRequest, body: str) -> str:
    return text[: request.replace.start] + request.render(body) + text[request.replace.end :]


def test_a_body_cut_out_can_be_asked_for_and_put_back() -> None:
    """A function's body goes, its docstring asks for it, and the same body rendered there is the same program."""
    checked = 0
    for path, _, decoded, tree in readable(seed=2):
        source, parsed = decoded.source, parse(decoded.source)
        described = [function for function in find_functions(parsed) if function.docstring is not None]
        for function in random.Random(checked).sample(described, min(2, len(described))):
            docstring, text = function.docstring, source.text
            assert docstring is not None
            row, last = source.row_of(docstring.end), source.row_of(function.body.end)
            start = source.line_span(row).end
            body = text[start : source.line_span(last).end]
            own_lines = text[docstring.end : start].strip() == "" and source.row_of(function.header.end) < row
            if not own_lines or find_request(parsed, docstring.end) is not None or not body.strip():
                continue
            cut = text[:start] + text[source.line_span(last).end :]
            request = find_request(parse(cut), docstring.end)
            assert request is not None, (path, function.qualified_name)
            assert request.function is not None
            assert request.function.qualified_name == function.qualified_name
            unit = request.unit
            if unit != "    ":
                continue  # Bodies to render are indented by four spaces.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again = ast.parse(applied(cut, request, body))
            assert ast.dump(again) == ast.dump(tree), (path, function.qualified_name)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("seed", [3, 4])
def test_half_typed_files(seed: int) -> None:
    """Files cut at any character, as while typing: every answer lies inside the text, nothing raises."""
    rng, stop = random.Random(seed), time.monotonic() + 1
    for path in rng.sample(PATHS, len(PATHS)):
        if time.monotonic() > stop:
            break
        data = path.read_bytes()
        if len(data) > 50_000:
            continue
        try:
            text = decode_source(data).source.text
        except SourceUnreadable:
            continue
        cut = text[: rng.randint(0, len(text))]
        parsed = parse(cut)
        for function in find_functions(parsed):
            assert 0 <= function.span.start <= function.header.end <= function.span.end <= len(cut), path
        find_suppressions(parsed)
        request = find_request(parsed, len(cut))
        for made in (*body_requests(parsed), *([request] if request is not None else [])):
            assert 0 <= made.replace.start <= made.replace.end <= len(cut), path
