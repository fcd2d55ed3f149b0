"""Where a person asks for code: a docstring without a body, a comment above an empty line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import attrs
from tree_sitter import Node

from codehunch.syntax.bodies import BodyRequest, file_newline, file_unit, indentation, is_blank, width
from codehunch.syntax.comments import comment_text, describes_code, is_pragma, is_statement_place
from codehunch.syntax.docstrings import docstring_text
from codehunch.syntax.functions import Definition, Function, definitions, docstring_node
from codehunch.syntax.isolation import isolated_function
from codehunch.syntax.parsing import ParsedSource
from codehunch.syntax.spans import Span

__all__ = ["BodyRequest", "body_requests", "find_request"]

_COMMENT = re.compile(r"#[^\r\n]*")
_CONTRACT_DECORATORS = {
    "overload",
    "abstractmethod",
    "abstractproperty",
    "abstractclassmethod",
    "abstractstaticmethod",
}


def find_request(parsed: ParsedSource, offset: int) -> BodyRequest | None:
    """What a person asks for with the cursor at ``offset``; ``None`` where nothing is described or code exists.

    A comment asks from the end of its line or from the empty line below. A docstring asks from anywhere in
    its function, header and decorators included, and from the empty lines below that belong to it.
    Only Python is read.
    """
    if parsed.language != "python":
        return None
    offset = min(max(0, offset), len(parsed.text))
    found = tuple(definitions(parsed))
    request = _comment_request(parsed, found, offset) or _function_request(parsed, found, offset)
    if request is None and parsed.tree.root_node.has_error:
        # An open bracket above can swallow the function: read it alone, at its own offsets.
        alone = isolated_function(parsed, offset)
        request = _function_request(alone, tuple(definitions(alone)), offset) if alone is not None else None
    return request


def body_requests(parsed: ParsedSource) -> tuple[BodyRequest, ...]:
    """Every function that has a docstring and no body yet, in source order.

    Overloads, abstract methods and the methods of a Protocol are complete without a body and are left out.
    """
    if parsed.language != "python":
        return ()
    requests = []
    for definition in definitions(parsed):
        docstring = definition.function.docstring
        if docstring is None or _is_contract(parsed, definition):
            continue
        stub = _stub(parsed, definition)
        if stub is not None:
            requests.append(_place(parsed, stub, docstring.end))
    return tuple(requests)


@attrs.frozen
class _Stub:
    """A function without code, and what it should do."""

    function: Function
    kind: Literal["docstring", "comment"]
    description: str
    placeholders: tuple[Span, ...]
    last_row: int
    """The last row that holds anything of the function."""


def _function_request(parsed: ParsedSource, found: Sequence[Definition], offset: int) -> BodyRequest | None:
    for definition in reversed(found):
        if _belongs(parsed, definition.function, offset):
            stub = _stub(parsed, definition)
            return _place(parsed, stub, offset) if stub is not None else None
    return None


def _belongs(parsed: ParsedSource, function: Function, offset: int) -> bool:
    source = parsed.source
    first, last, row = source.row_of(function.span.start), source.row_of(function.span.end), source.row_of(offset)
    if row <= last:
        return row >= first
    if not all(is_blank(source.line(between)) for between in range(last + 1, row + 1)):
        return False
    own = indentation(source.line(row))
    return width(own) > _def_width(parsed, function) or (not own and row == last + 1)


def _def_width(parsed: ParsedSource, function: Function) -> int:
    return width(indentation(parsed.source.line(parsed.source.row_of(function.header.start))))


def _stub(parsed: ParsedSource, definition: Definition) -> _Stub | None:
    function, body = definition.function, definition.node.child_by_field_name("body")
    if body is None or body.has_error:
        return None
    docstring = docstring_node(body)
    statements = [child for child in body.named_children if child.type != "comment"]
    placeholders = statements[1:] if docstring is not None else statements
    if not all(_is_placeholder(statement) for statement in placeholders):
        return None
    source = parsed.source
    last_row = source.row_of(function.span.end)
    for row in range(last_row + 1, source.line_count):
        line = source.line(row)
        if not is_blank(line) and not line.lstrip().startswith("#"):
            if width(indentation(line)) > _def_width(parsed, function):
                return None  # A body is there; the parser could not read it.
            break
    description, kind = "", "comment"
    if docstring is not None:
        description, kind = docstring_text(parsed.span(docstring).of(parsed.text)), "docstring"
    elif placeholders:
        nodes = [child for child in (*definition.node.children, *body.children) if child.type == "comment"]
        rows = [source.row_of(parsed.span(node).start) for node in nodes]
        written = [(source.line(row), row) for row in rows]
        lines = [line for line, row in written if line.lstrip().startswith("#") and not is_pragma(line, row)]
        description = "\n".join(map(comment_text, lines)) if describes_code(lines) else ""
    if not description:
        return None
    spans = tuple(parsed.span(placeholder) for placeholder in placeholders)
    parts = spans if docstring is None else (parsed.span(docstring), *spans)
    if not _nothing_else(parsed.text, Span(function.header.end, source.line_span(last_row).end), parts):
        return None
    return _Stub(function, "docstring" if kind == "docstring" else "comment", description, spans, last_row)


def _nothing_else(text: str, whole: Span, parts: Sequence[Span]) -> bool:
    """Whether ``whole`` holds only its parts, comments and semicolons: what the parser skipped is not lost."""
    start, rest = whole.start, ""
    for part in parts:
        rest += text[start : part.start]
        start = part.end
    return not _COMMENT.sub("", rest + text[start : whole.end]).strip(" \t\f\r\n;\\")


def _is_placeholder(statement: Node) -> bool:
    if statement.type == "pass_statement":
        return True
    inner = statement.named_children[0] if statement.named_children else None
    if inner is None:
        return False
    if statement.type == "expression_statement":
        return inner.type == "ellipsis" and statement.named_child_count == 1
    if statement.type == "raise_statement":
        raised = inner.child_by_field_name("function") if inner.type == "call" else inner
        return raised is not None and raised.text == b"NotImplementedError"
    return False


def _place(parsed: ParsedSource, stub: _Stub, offset: int) -> BodyRequest:
    """Where the body goes and how it is laid out there."""
    source, text, function = parsed.source, parsed.text, stub.function
    newline, unit = file_newline(parsed), file_unit(parsed)
    header_row, row = source.row_of(function.header.end), source.row_of(offset)
    docstring, lead, trail = function.docstring, "", ""
    first = docstring or stub.placeholders[0]
    if source.row_of(first.start) == header_row:
        # `def f(): "..."`: the whole body moves below the header.
        indent = indentation(source.line(source.row_of(function.header.start))) + unit
        replace = Span(function.header.end, source.line_span(stub.last_row).end)
        kept = docstring.of(text) if docstring is not None else ""
        behind = text[(stub.placeholders[-1] if stub.placeholders else first).end : replace.end].strip()
        lead = newline + (indent + "  ".join(filter(None, (kept, behind))) + newline if kept else "")
    else:
        indent = indentation(source.line(source.row_of(first.start)))
        if stub.placeholders:
            start = stub.placeholders[0].start
            line = source.line_span(source.row_of(start))
            if is_blank(text[line.start : start]):
                start = line.start
            else:  # `"..."; pass` on one line.
                start, lead = first.end, newline
            replace = Span(start, source.line_span(source.row_of(stub.placeholders[-1].end)).end)
        elif row > stub.last_row:
            replace = source.line_span(row)
            trail = newline if row + 1 < source.line_count and not is_blank(source.line(row + 1)) else ""
        else:
            end = source.line_span(stub.last_row).end
            replace, lead = Span(end, end), newline
    return BodyRequest(
        stub.kind, function, stub.description, replace, indent, offset, lead, trail, newline=newline, unit=unit
    )


def _is_contract(parsed: ParsedSource, definition: Definition) -> bool:
    names = (text.split("(")[0].rpartition(".")[2].strip() for text in definition.function.decorators)
    if not _CONTRACT_DECORATORS.isdisjoint(names):
        return True
    bases = definition.enclosing_class and definition.enclosing_class.child_by_field_name("superclasses")
    if bases is None:
        return False
    written = (parsed.span(base).of(parsed.text).split("[")[0].rpartition(".")[2] for base in bases.named_children)
    return "Protocol" in written


def _comment_request(parsed: ParsedSource, found: Sequence[Definition], offset: int) -> BodyRequest | None:
    source = parsed.source
    row = source.row_of(offset)
    line, span = source.line(row), source.line_span(row)
    below = is_blank(line)
    last = row - 1 if below else row
    if last < 0 or not source.line(last).lstrip(" \t\f").startswith("#"):
        return None
    if not below:
        if offset < span.start + len(line.rstrip()):
            return None
        if row + 1 < source.line_count and not is_blank(source.line(row + 1)):
            return None
    indent = indentation(source.line(last))
    lines: list[str] = []
    for at in range(last, -1, -1):
        above = source.line(at)
        hash_at = source.line_span(at).start + len(above) - len(above.lstrip(" \t\f"))
        if not above.lstrip(" \t\f").startswith("#") or indentation(above) != indent or is_pragma(above, at):
            break
        if not _stands_alone(parsed, hash_at):
            break
        lines.insert(0, above)
    if not lines or not describes_code(lines):
        return None
    newline = file_newline(parsed)
    replace = span if below else Span(span.end, span.end)
    after = source.line(row + 1) if below and row + 1 < source.line_count else ""
    return BodyRequest(
        "comment",
        _holder(parsed, found, source.line_span(last).start, width(indent)),
        "\n".join(comment_text(text) for text in lines).strip(),
        replace,
        indent,
        offset,
        lead="" if below else newline,
        trail=newline if not is_blank(after) and width(indentation(after)) < width(indent) else "",
        newline=newline,
        unit=file_unit(parsed),
    )


def _stands_alone(parsed: ParsedSource, hash_at: int) -> bool:
    """Whether a real comment starts here where a statement could stand, not inside brackets or a string."""
    byte = parsed.byte(hash_at)
    node = parsed.tree.root_node.descendant_for_byte_range(byte, byte + 1)
    parent = node.parent if node is not None and node.type == "comment" else None
    return parent is not None and is_statement_place(parent)


def _holder(parsed: ParsedSource, found: Sequence[Definition], line_start: int, columns: int) -> Function | None:
    """The innermost function whose body a line of that indentation continues."""
    for definition in reversed(found):
        function = definition.function
        if function.header.end > line_start or columns <= _def_width(parsed, function):
            continue
        between = parsed.text[function.span.end : line_start].splitlines()
        if function.span.end >= line_start or all(not t.strip() or t.lstrip().startswith("#") for t in between):
            return function
    return None
