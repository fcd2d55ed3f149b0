"""Which comments describe code to be written: prose, not pragmas, rulers or commented-out code."""

from __future__ import annotations

import re

from tree_sitter import Node

from codehunch.syntax.parsing import parse

_PRAGMA = re.compile(
    r"""(?ix) ^ (?: ! | : | %% | -\*- | vim?: | ex: | region\b | endregion\b | noqa\b | nosec\b | nopep8\b | spdx-
    | copyright\b | \(c\)\s | ©  | all\ rights\ reserved | licen[cs]ed\ under
    | (?: type | pragma | pylint | mypy | ruff | flake8 | isort | fmt | yapf | pyright | pyre-\S+ | codehunch | pytype
        | cython | distutils | sourcery | semgrep | coverage | bandit | black | doctest | lint ) \s* : )"""
)
_RULER = re.compile(r"[-=*~_#+]{3,}")
_WORD = re.compile(r"[^\W\d_]{2,}")
# Blocks that do not stand alone, and lines that open a bracket for the next one.
_CODE_LINE = re.compile(r"^(?:@\w|(?:else|try|finally|elif\b.*|except\b.*|case\b.*):$|.*[(\[{\\]$)")
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")
_MARKER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?:\([^)]*\))?")
_PLAIN = re.compile(r"[\w\s,.'-]+")


def comment_text(line: str) -> str:
    """A comment line's text: without its ``#`` signs and the white space around."""
    return line.strip(" \t\f\r\n").lstrip("#").strip()


def is_pragma(line: str, row: int) -> bool:
    """Whether a comment line speaks to a program or a lawyer: shebangs, cookies, ``noqa``, ``type:``, licences."""
    if row < 2 and _COOKIE.match(line):
        return True
    return bool(_PRAGMA.match(line.strip(" \t\f").removeprefix("#").lstrip()))


def describes_code(lines: list[str]) -> bool:
    """Whether the lines of one comment, their ``#`` still in front, say in words what code should do."""
    texts = [comment_text(line) for line in lines]
    if not _WORD.search(_MARKER.sub("", " ".join(texts))):
        return False
    if any(_RULER.match(text) or _RULER.search(text[-3:]) for text in texts):
        return False
    bodies = [re.sub(r"^[ \t\f]*#+ ?", "", line) for line in lines]
    if _is_code("\n".join(bodies)):
        return False
    return 2 * sum(_is_code(text) for text in texts if text) < sum(map(bool, texts))


def is_statement_place(node: Node) -> bool:
    """Whether a comment that is a child of this node of a Python tree stands where a statement could."""
    if node.type in ("with_clause", "decorated_definition", "import_from_statement"):
        return False
    return node.type in ("module", "block", "ERROR") or node.type.endswith(("_definition", "_statement", "_clause"))


def _is_code(text: str) -> bool:
    text = text.strip()
    if _CODE_LINE.match(text.rpartition("\n")[2]):
        return True
    parsed = parse(text + (" pass" if text.endswith(":") else "") + "\n")
    root = parsed.tree.root_node
    if root.has_error or not root.named_children:
        return False
    for statement in root.named_children:
        inner = statement.named_children[0] if statement.named_children else None
        # "not found", "first, second" and "Note: something" are Python, too.
        bare = statement.type in ("expression_statement", "print_statement", "exec_statement") and _PLAIN.fullmatch(
            text
        )
        annotation = inner is not None and inner.type == "assignment" and inner.child_by_field_name("right") is None
        if not bare and not annotation:
            return True
    return False
