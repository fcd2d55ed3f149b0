"""Properties of a function that say nothing about whether it is wrong, to compare alarms on clean code by.

Groups of functions as they are written are told apart by ``fairness``. What the identifiers' language does is asked of
the same functions twice: as they are, and with every local name replaced by a word of another language, for projects
that publish in English hold too few others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from tree_sitter import Node

from codehunch.syntax.functions import docstring_node
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.edits import apply_edits
from codehunch_training.corpus.injection import definition, inner_definition
from codehunch_training.corpus.sources import is_test
from codehunch_training.corpus.ways import Subject, all_names, local_names
from codehunch_training.data import Row
from codehunch_training.evaluation.breakdown import length_class
from codehunch_training.evaluation.style import WORDS, natural_language

SIZES = (3, 10, 25, 50)
"""Last line of each class of size."""


def ways(rows: Sequence[Row], texts: Sequence[str]) -> dict[str, list[str]]:
    """What ``fairness`` cannot tell from a text of any language: property -> group of each row, empty where a text is
    no Python function. A row's ``path`` and ``project`` are read where it has them."""
    table = [
        properties(text, str(row.get("path") or ""), str(row.get("project") or ""))
        if str(row.get("language") or "python") == "python"
        else {}
        for row, text in zip(rows, texts, strict=True)
    ]
    return {
        about: [each.get(about, "") for each in table] for about in ("docstring", "annotations", "tests", "project")
    }


def properties(text: str, path: str = "", project: str = "") -> dict[str, str]:
    """Property -> the group that a function belongs to. Empty for a text without a function."""
    node = definition(parse(text))
    if node is None:
        return {}
    function = inner_definition(node)
    return {
        "size": size_class(sum(1 for line in text.split("\n") if line.strip())),
        "docstring": "with" if docstring_node(function.child_by_field_name("body")) is not None else "without",
        "annotations": "with" if _annotated(function) else "without",
        "tests": ("test" if is_test(PurePosixPath(path)) else "no test") if path else "",
        "language": natural_language(text),
        "project": project,
    }


def size_class(lines: int) -> str:
    """``4 to 10 lines``: which class so many lines that are not blank belong to."""
    return length_class(lines, SIZES)


def _annotated(function: Node) -> bool:
    parameters = function.child_by_field_name("parameters")
    typed = ("typed_parameter", "typed_default_parameter")
    return function.child_by_field_name("return_type") is not None or any(
        child.type in typed for child in (parameters.named_children if parameters is not None else ())
    )


def renamed(text: str, language: str, seed: int = 0, words: Mapping[str, frozenset[str]] = WORDS) -> str | None:
    """The function with each local name replaced by a word of ``language``; ``None`` where it has no local name, or
    more than there are words, or would not parse."""
    parsed = parse(text)
    node = definition(parsed)
    if node is None or node.has_error:
        return None
    subject = Subject(parsed, inner_definition(node))
    uses, taken = local_names(subject), all_names(subject)
    fresh = sorted(word for word in words[language] if word not in taken and len(word) > 2)
    random.Random(f"{seed}:{text}").shuffle(fresh)
    if not uses or len(fresh) < len(uses):
        return None
    edits = [
        (*subject.span(use), new) for (_, nodes), new in zip(sorted(uses.items()), fresh, strict=False) for use in nodes
    ]
    changed = apply_edits(text, tuple(sorted(edits)))
    return None if parse(changed).tree.root_node.has_error else changed
