"""From what the model wrote to what a person may see: small filters, each with its own golden cases."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache

from tree_sitter import Query, QueryCursor

from codehunch.generation.context import FileContext
from codehunch.generation.layout import to_canonical
from codehunch.generation.sense import recurs_at_once
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.languages import grammar
from codehunch.syntax.parsing import ParsedSource, parse, text_of

_CONTROL = re.compile(r"<(?:pad|s|/s|mask|unk|extra_\d+)>|[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_COMPILED_SIZE = 200_000
"""Larger files are checked by the tolerant parser alone."""
ALWAYS_KNOWN = frozenset(dir(builtins)) | {
    "__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__class__", "__path__",
}  # fmt: skip
"""Names Python itself binds in every module."""
_NAMES = """
(identifier) @name
(attribute attribute: (identifier) @not)
(keyword_argument name: (identifier) @not)
"""


def strip_control(text: str) -> str:
    """Without control tokens and control characters, whatever the model wrote."""
    return _CONTROL.sub("", text)


def clean_body(text: str) -> str:
    """The model's text as a canonical block: no control tokens, no blank edges."""
    return to_canonical(strip_control(text))


def compiles(text: str) -> bool:
    """Whether Python's own compiler takes the text as a module. Nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<candidate>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def body_compiles(body: str, request: BodyRequest) -> bool:
    """Whether a canonical block compiles where such a request stands: in a function or at module level."""
    if request.function is None:
        return compiles(body + "\n")
    keyword = "async def" if request.function.is_async else "def"
    lines = body.split("\n")
    plain = f"{keyword} _():\n" + "\n".join("  " + line for line in lines) + "\n"
    if compiles(plain):
        return True
    # A comment may stand inside a loop: break and continue are then right.
    looped = f"{keyword} _():\n while _:\n" + "\n".join("  " + line for line in lines) + "\n"
    return request.kind == "comment" and compiles(looped)


def cut_to_whole(body: str, request: BodyRequest) -> str:
    """The longest beginning of an unfinished body that ends with a whole statement; empty if there is none."""
    lines = body.split("\n")
    while lines and not body_compiles("\n".join(lines), request):
        lines.pop()
    return "\n".join(lines).rstrip()


def without_repetition(body: str, following: Iterable[str]) -> str:
    """Cut what the file already says below the cursor.

    ``following`` are the lines after the place, dedented like the body. A line equal to the next line of code ends the
    body there; short lines (``return``, ``else:``) only count if the body's whole rest repeats what follows.
    """
    coming = [line.rstrip() for line in following if line.strip()]
    if not coming:
        return body
    lines = body.split("\n")
    for index, line in enumerate(lines):
        if line.rstrip() != coming[0]:
            continue
        rest = [text.rstrip() for text in lines[index:] if text.strip()]
        substantial = len(re.findall(r"\w+", line)) >= 2
        if substantial or rest == coming[: len(rest)]:
            return "\n".join(lines[:index]).rstrip()
    return body


def stands_above(body: str, above: str) -> bool:
    """Whether a block of at least two words is, its indentation aside, a row of the lines above the place."""
    block, lines = ("\n".join(line.strip() for line in text.split("\n")) for text in (body.strip("\n"), above))
    return len(re.findall(r"\w+", block)) >= 2 and f"\n{block}\n" in f"\n{lines}\n"


def following_lines(source: str, request: BodyRequest) -> list[str]:
    """The lines after the place a body goes to, with its indentation taken away; ends where the block ends."""
    lines = []
    for line in source[request.replace.end :].split("\n")[1:60]:
        if not line.strip():
            continue
        if not line.startswith(request.indent):
            break
        lines.append(to_canonical(f"{request.indent}x\n{line}", request.unit).partition("\n")[2])
    return lines


def placed(context: FileContext, request: BodyRequest, body: str) -> str | None:
    """A canonical block as it goes into the file, or ``None`` where it must not be shown: every filter in its order."""
    body = without_repetition(body, following_lines(context.parsed.text, request))
    if not body.strip() or not body_compiles(body, request):
        return None
    if request.kind == "docstring" and request.function is not None and recurs_at_once(body, request.function):
        return None
    complete = with_imports(body, undefined_names(body, context, request))
    if complete is None:
        return None
    text = request.render(complete)
    return text if parses_in_place(context.parsed, request, text) else None


def parses_in_place(parsed: ParsedSource, request: BodyRequest, text: str) -> bool:
    """Whether the file with ``text`` in place is at least as well-formed as before.

    Python's compiler decides where it took the file before; the tolerant parser decides in files that are broken
    elsewhere: the new text must bring no error.
    """
    before = parsed.text
    after = before[: request.replace.start] + text + before[request.replace.end :]
    if len(after) < _COMPILED_SIZE and compiles(before):
        return compiles(after)
    found = parse(after, parsed.language)
    if not found.tree.root_node.has_error:
        return True
    if not parsed.tree.root_node.has_error:
        return False
    start = found.byte(request.replace.start)
    node = found.tree.root_node.descendant_for_byte_range(start, found.byte(request.replace.start + len(text)))
    return node is not None and not _error_between(found, start, found.byte(request.replace.start + len(text)))


def undefined_names(body: str, context: FileContext, request: BodyRequest) -> frozenset[str]:
    """Names the body reads that nothing binds: not the body, not the file, not Python.

    A name the file uses anywhere as a name counts as bound. With a star import nothing can be known.
    """
    if "import *" in context.parsed.text:
        return frozenset()
    header = context.parsed.text[: request.replace.start] + "\n" + context.parsed.text[request.replace.end :]
    return free_names(body) - names_of(header) - ALWAYS_KNOWN


def free_names(body: str) -> frozenset[str]:
    """Names a block reads and does not bind itself; empty where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse("async def _():\n while _:\n" + "\n".join("  " + line for line in body.split("\n")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    read: set[str] = set()
    bound: set[str] = {"_"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            bound.add(node.rest)
    return frozenset(read - bound)


def names_of(text: str) -> frozenset[str]:
    """Every identifier a Python text uses as a name: not as an attribute, not as an argument's keyword."""
    captures = QueryCursor(_name_query()).captures(parse(text).tree.root_node)
    excluded = {node.id for node in captures.get("not", [])}
    return frozenset(text_of(node) for node in captures.get("name", []) if node.id not in excluded)


def with_imports(body: str, missing: frozenset[str]) -> str | None:
    """The body led by imports of the standard modules it lacks; ``None`` where other names are missing too."""
    if not missing:
        return body
    if not missing <= sys.stdlib_module_names:
        return None
    return "\n".join([*(f"import {name}" for name in sorted(missing)), "", body])


def _error_between(parsed: ParsedSource, start: int, end: int) -> bool:
    stack = [parsed.tree.root_node]
    while stack:
        node = stack.pop()
        if not node.has_error or node.end_byte < start or node.start_byte > end:
            continue
        if node.is_error or node.is_missing:
            return True
        stack.extend(node.children)
    return False


@lru_cache(maxsize=1)
def _name_query() -> Query:
    return Query(grammar("python"), _NAMES)
