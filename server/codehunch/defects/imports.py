"""Imports that are missing: what a name that nothing binds stands for in most programs, and where its import goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from importlib import resources
from itertools import takewhile

import attrs
from tree_sitter import Node

from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.kinds import kind_named
from codehunch.defects.spelling import misspelt
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.syntax.spans import Span

_MEMBER = re.compile(r"\s*\.\s*(\w+)")
_DEFINES = re.compile(r"\s*(?:@|class\b|(?:async\s+)?def\b)")
_FROM = re.compile(r"from (\S+) import (.+)")


@cache
def _known() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    text = resources.files(__package__).joinpath("imports.txt").read_text(encoding="utf-8")
    statements, _, modules = text.partition("\n\n")
    found: dict[str, tuple[str, ...]] = {}
    for statement in statements.splitlines():
        name = statement.split()[-1]
        found[name] = (*found.get(name, ()), statement)
    return found, frozenset(modules.splitlines())


def imports_of(name: str, member: str | None = None) -> tuple[str, ...]:
    """Statements by which many projects import a name, the best first; none where few do, or where it is more often
    something else. ``default_defects imports`` collects them.

    What is asked of the name, ``member``, tells a module from what is named after it, ``datetime.timedelta`` from
    ``datetime.now``, and from a variable: ``signal.alarm``.
    """
    known, modules = _known()
    found = known.get(name, ())
    module, inner = f"import {name}", f"from {name} import {name}"
    if module in found and inner in found:
        whole = member is not None and f"from {name} import {member}" in known.get(member, ())
        return (module,) if whole else (inner,)
    if not found and member is not None and module in modules:
        return (module,)
    return found


Find = Callable[[str, str | None], tuple[str, ...]]
"""From a name, and what is asked of it, to import statements, the best first."""


def with_imports(findings: Sequence[Finding], text: str, find: Find = imports_of) -> tuple[Finding, ...]:
    """The findings of a Python file; where a name reads as if only its import were missing and ``find`` knows one, that
    is the first fix. ``text`` is the whole file: a name joins others that are imported from the same module."""
    parsed: ParsedSource | None = None
    found = []
    for finding in findings:
        if finding.import_margin > 0:
            name = finding.span.of(text)
            asked = None if _is_slip(name, finding) else _MEMBER.match(text, finding.span.end)
            if statements := find(name, asked[1] if asked else None):
                parsed = parsed or parse(_outline(text))
                finding = _importing(finding, statements, parsed)
        found.append(finding)
    return tuple(found)


def _outline(text: str) -> str:
    """A text as long as this, with its imports and all down to its first definition: the rest, blank, is not parsed."""
    pieces, opens = [], True
    for _, piece in cut_at(text, list(section_starts(text))):
        kept = opens or piece.lstrip().startswith(("from", "import"))
        end = "\n" if piece.endswith("\n") else " "
        pieces.append(piece if kept else " " * (len(piece) - 1) + end)
        opens = opens and not _DEFINES.match(piece)
    return "".join(pieces)


def _is_slip(name: str, finding: Finding) -> bool:
    """Whether the best fix so far takes the name for a slip of another: then a module would have to be a common one."""
    edits = finding.fixes[0].edits if finding.fixes else ()
    return any(edit.span == finding.span and misspelt(name, edit.content) for edit in edits)


def _importing(finding: Finding, statements: tuple[str, ...], parsed: ParsedSource) -> Finding:
    statement, edit = _placed(statements, parsed)
    fix = Fix(f"Insert `{statement}`", (edit,), finding.import_margin, statements)
    kind = kind_named("variable-misuse")
    message = f"`{finding.span.of(parsed.text)}` looks as if its import were missing; insert `{statement}`?"
    return attrs.evolve(
        finding, code=kind.code, kind=kind.name, message=message, fixes=(fix, *finding.fixes), evidence=()
    )


def _placed(statements: Sequence[str], parsed: ParsedSource) -> tuple[str, Edit]:
    """One of several imports of a name and the edit that makes it: into an import from the same module, or else in a
    line of its own below the imports that open the file."""
    level = parsed.tree.root_node.children
    for statement in statements:
        if (parts := _FROM.fullmatch(statement)) and (last := _last_of_module(level, parts[1])) is not None:
            at = parsed.offset(last.end_byte)
            return statement, Edit(Span(at, at), f", {parts[2]}")
    return statements[0], _own_line(statements[0], parsed, level)


def together(fixes: Iterable[Fix]) -> tuple[Edit, ...]:
    """The edits of fixes that can be applied together. One import mends many findings, and several that go to the same
    place stand in one block there, sorted."""
    edits = dict.fromkeys(edit for fix in fixes if not fix.imports for edit in fix.edits)
    places: dict[Span, set[str]] = {}
    for edit in (edit for fix in fixes if fix.imports for edit in fix.edits):
        places.setdefault(edit.span, set()).add(edit.content)
    return (*edits, *(Edit(span, _block(contents)) for span, contents in places.items()))


def _block(contents: Collection[str]) -> str:
    """What several imports insert at one place, the empty lines around them once."""
    one = next(iter(contents))
    before, _, after = one.partition(one.strip("\r\n"))
    bare = sorted(content.strip("\r\n") for content in contents)
    named: dict[str, list[str]] = {}
    for parts in filter(None, map(_FROM.fullmatch, bare)):
        named.setdefault(parts[1], []).append(parts[2])
    lines = [line for line in bare if not _FROM.fullmatch(line)]
    lines += [f"from {module} import {', '.join(names)}" for module, names in named.items()]
    end = "\r\n" if "\r\n" in after else "\n" if after else ""
    return before + end.join(lines) + after


def _last_of_module(level: Iterable[Node], module: str) -> Node | None:
    """The last name that a statement of the outermost level imports from a module."""
    for node in level:
        if node.type == "import_from_statement" and not node.has_error:
            named = node.children_by_field_name("name")
            if named and text_of(node.child_by_field_name("module_name")) == module:
                return named[-1]
    return None


def _own_line(statement: str, parsed: ParsedSource, level: Sequence[Node]) -> Edit:
    """A line of its own below the imports that open the file, or else below its docstring, or else above all code."""
    text, end = parsed.text, "\r\n" if "\r\n" in parsed.text else "\n"
    code = [node for node in level if node.type != "comment"]
    opening = list(takewhile(lambda node: node.type not in _DEFINITIONS, code))
    above = next((node for node in reversed(opening) if node.type in _IMPORTS), None)
    docstring = code[0] if above is None and code and _is_docstring(code[0]) else None
    if above is None and docstring is None:
        top = parsed.offset(code[0].start_byte) if code else len(text)
        return Edit(Span(top, top), f"{statement}{end}{end}")
    behind = parsed.offset((above or docstring).end_byte)  # type: ignore[union-attr]
    row = parsed.source.row_of(behind) + 1
    gap = end if docstring is not None else ""
    if row == parsed.source.line_count:
        return Edit(Span(len(text), len(text)), f"{end}{gap}{statement}{end}")
    at = parsed.source.line_starts[row]
    return Edit(Span(at, at), f"{gap}{statement}{end}")


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement" and node.named_child_count == 1 and node.named_children[0].type == "string"
    )


_IMPORTS = ("import_statement", "import_from_statement", "future_import_statement")
_DEFINITIONS = ("function_definition", "class_definition", "decorated_definition")
