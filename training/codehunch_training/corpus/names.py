"""Names in a reduced function: read, bound, used as attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codehunch_training.corpus.difference import Item


def free_names(function: Item) -> Iterator[bytes]:
    """Every use of a name that is no attribute and no keyword."""
    stack = [function]
    while stack:
        item = stack.pop()
        if item.type == "identifier":
            yield item.text
        elif item.type == "attribute":
            stack.append(item.children[0])
        elif item.type == "keyword_argument":
            stack.extend(item.children[1:])
        else:
            stack.extend(item.children)


def bound_names(function: Item) -> Iterator[bytes]:
    """Parameters, and targets of assignments, loops, `with` and `except`."""
    stack = [function]
    while stack:
        item = stack.pop()
        stack.extend(item.children)
        targets: Sequence[Item] = ()
        if item.type in ("parameters", "lambda_parameters", "as_pattern_target"):
            targets = item.children
        elif item.type in ("assignment", "augmented_assignment", "named_expression", "default_parameter"):
            targets = item.children[:1]
        elif item.type in ("for_statement", "for_in_clause"):
            targets = [child for child in item.children if child.type in _TARGETS][:1]
        for target in targets:
            if target.type in _TARGETS:
                yield from (leaf.text for leaf in target.leaves() if leaf.type == "identifier")


_TARGETS = {
    "identifier",
    "pattern_list",
    "tuple_pattern",
    "list_pattern",
    "list_splat_pattern",
    "dictionary_splat_pattern",
}


def is_used(function: Item, owner: int, name: int) -> bool:
    """Whether an attribute of an owner stands anywhere in the function; both by key."""
    stack = [function]
    while stack:
        item = stack.pop()
        if item.type == "attribute" and item.children[0].key == owner and item.children[-1].key == name:
            return True
        stack.extend(item.children)
    return False
