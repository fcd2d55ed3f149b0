"""What was asked and the code that answers: docstring to body, comment to statements, text to code block."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from tree_sitter import Node

from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import ParsedSource, parse, text_of
from codehunch_training.corpus.blocks import python_blocks
from codehunch_training.corpus.functions import Files, docstring_of, imports_of, signature_of, sources
from codehunch_training.corpus.prose import is_code, is_english, is_noise, without_doctests, words_in
from codehunch_training.corpus.rows import PairRow, identified
from codehunch_training.corpus.snippets import enclosing_class_of, function_definitions, qualified_name_of
from codehunch_training.corpus.work import Notes

SIBLINGS = 8
LONGEST_COMMENT_BLOCK = 8
_TRIVIAL = re.compile(
    r"pass|\.\.\.|continue|return(?: (?:None|True|False|self|\d+|\"\"|''|\[\]|\{\}|\(\)|NotImplemented|self\.\w+))?"
    r"|raise NotImplementedError.*|self\.\w+ = \w+|(?:return )?super\([^)]*\)\.\w+\([^)]*\)|raise NotImplemented"
)


def map_pairs(files: Files, options: Mapping[str, Any], notes: Notes) -> Iterator[PairRow]:
    """The map of ``codehunch corpus docs``.

    Options: ``kinds``; ``any_language`` (keep other natural languages and mixed ones); ``doctests`` (keep them);
    ``normalise`` (format as ``ast.unparse`` does, comments lost); ``longest`` and ``shortest`` (lines, words).
    """
    kinds = set(options.get("kinds", ("docstring", "comment", "readme")))
    for path, text in sources(files, options, notes):
        common = {"project": files.project, "path": path, "commit": files.commit, "date": files.date}
        common["licence"] = files.licence
        if PurePath(path).suffix == ".py":
            found = _of_module(parse(text), kinds, common, options, notes)
        elif "readme" in kinds:
            found = _of_document(text, path, common)
        else:
            continue
        for row in found:
            reason = _problem(row, options)
            if reason is None:
                yield identified(row)
            else:
                notes.skipped[reason] += 1


def _of_document(text: str, path: str, common: Mapping[str, str]) -> Iterator[PairRow]:
    for words, code, line in python_blocks(text, PurePath(path).suffix):
        yield PairRow(kind="readme", text=words, target=code, line=line, **common)


def _of_module(
    parsed: ParsedSource, kinds: set[str], common: Mapping[str, str], options: Mapping[str, Any], notes: Notes
) -> Iterator[PairRow]:
    imports = imports_of(parsed)
    nodes = [node for node in function_definitions(parsed.tree.root_node) if not node.has_error]
    owners = [enclosing_class_of(node) for node in nodes]
    signatures = [signature_of(node) for node in nodes]
    for index, node in enumerate(nodes):
        context = {
            "name": qualified_name_of(node),
            "signature": signatures[index],
            "enclosing_class": owners[index],
            "imports": imports,
            "siblings": _siblings(index, owners, signatures),
        }
        if "docstring" in kinds and (docstring := docstring_of(node)):
            body = _body(parsed, node, bool(options.get("normalise")))
            if body:
                text = docstring if options.get("doctests") else without_doctests(docstring)
                line = node.start_point.row + 1
                yield PairRow(kind="docstring", text=text, target=body, line=line, **common, **context)
        if "comment" in kinds:
            for text, code, row in _comments(parsed, node):
                yield PairRow(kind="comment", text=text, target=code, line=row + 1, **common, **context)


def _siblings(index: int, owners: list[str], signatures: list[str]) -> tuple[str, ...]:
    """Signatures of the nearest functions of the same class or module, in file order."""
    same = [i for i, owner in enumerate(owners) if owner == owners[index] and i != index]
    near = sorted(same, key=lambda i: abs(i - index))[:SIBLINGS]
    return tuple(signatures[i] for i in sorted(near))


def _body(parsed: ParsedSource, node: Node, normalise: bool) -> str:
    """The statements after the docstring, dedented; empty where there are none."""
    block = node.child_by_field_name("body")
    literal = docstring_node(block)
    holder = literal.parent if literal is not None else None
    if block is None or holder is None:
        return ""
    statements = [child for child in block.named_children if child.id != holder.id and child.type != "comment"]
    if not statements:
        return ""
    text = snippet_between(parsed, holder.end_byte, block.end_byte)
    if not normalise:
        return text
    try:
        # The parser takes `return` and `await` outside of functions; only compiling would not.
        return ast.unparse(ast.parse(text)) + "\n"
    except (SyntaxError, ValueError, RecursionError):
        return ""


def snippet_between(parsed: ParsedSource, start_byte: int, end_byte: int) -> str:
    """Whole lines between two bytes, their first line's indentation taken off."""
    text = parsed.source.text
    start = text.find("\n", parsed.offset(start_byte)) + 1
    lines = text[start : parsed.offset(end_byte)].replace("\r\n", "\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        return ""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), lines[0])
    margin = first[: len(first) - len(first.lstrip())]
    return "\n".join(line.removeprefix(margin) for line in lines).rstrip() + "\n"


def _comments(parsed: ParsedSource, function: Node) -> Iterator[tuple[str, str, int]]:
    """Full-line comments in a function, and the statements up to a blank line, another comment or the block's end."""
    stack = [function]
    while stack:
        node = stack.pop()
        children = node.children
        for index, child in enumerate(children):
            if child.type == "comment":
                found = _comment_at(parsed, children, index)
                if found is not None:
                    yield found
        stack.extend(child for child in reversed(children) if child.type in _ENTERED)


_ENTERED = frozenset(
    """block if_statement elif_clause else_clause for_statement while_statement try_statement except_clause
    except_group_clause finally_clause with_statement match_statement case_clause""".split()
)
"""Where a comment of this function can stand; nested functions have their own."""


def _comment_at(parsed: ParsedSource, children: list[Node], index: int) -> tuple[str, str, int] | None:
    row = children[index].start_point.row
    previous = children[index - 1] if index else None
    above = previous is not None and previous.type == "comment" and previous.start_point.row == row - 1
    if above or not parsed.source.line(row).lstrip().startswith("#"):
        return None
    words, following = _comment_block(children, index)
    if following and following[0].type == "block":
        following = following[0].children  # The grammar puts comments in front of a block outside of it.
    taken = _statements_under(following)
    if not taken or taken[0].type == "block":
        return None
    return words, snippet_rows(parsed, taken[0].start_point.row, taken[-1].end_point.row), row


def _comment_block(children: list[Node], index: int) -> tuple[str, list[Node]]:
    """The words of consecutive comment lines and what follows them."""
    parts: list[str] = []
    while index < len(children) and children[index].type == "comment":
        parts.append(text_of(children[index]).lstrip("#").strip())
        index += 1
        if index < len(children) and children[index].start_point.row != children[index - 1].start_point.row + 1:
            break
    return " ".join(part for part in parts if part), children[index:]


def _statements_under(following: list[Node]) -> list[Node]:
    taken: list[Node] = []
    for node in following:
        if node.type in ("comment", ":") or (taken and node.start_point.row > taken[-1].end_point.row + 1):
            break
        taken.append(node)
    rows = taken[-1].end_point.row - taken[0].start_point.row + 1 if taken else 0
    return taken if 0 < rows <= LONGEST_COMMENT_BLOCK else []


def snippet_rows(parsed: ParsedSource, first: int, last: int) -> str:
    lines = [parsed.source.line(row) for row in range(first, last + 1)]
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "\n".join(line.removeprefix(margin) for line in lines).rstrip() + "\n"


def _problem(row: PairRow, options: Mapping[str, Any]) -> str | None:
    """Why a pair teaches nothing, or ``None``."""
    words = words_in(row.text)
    if len(words) < int(options.get("shortest", 3)):
        return "few words"
    if len(row.text) > 2000:
        return "overlong description"
    if not options.get("any_language") and not is_english(row.text):
        return "not English"
    if is_noise(row.text.split("\n")[0]) or (row.kind == "comment" and is_code(row.text)):
        return "noisy description"
    lines = [line for line in row.target.split("\n") if line.strip()]
    if len(lines) > int(options.get("longest", 40)):
        return "overlong body"
    if len(lines) == 1 and row.kind == "docstring" and _TRIVIAL.fullmatch(lines[0].strip()):
        return "trivial body"
    letters = sum(char.isalpha() or char.isspace() for char in row.target)
    if letters < 0.4 * len(row.target):
        return "noisy body"
    return None
