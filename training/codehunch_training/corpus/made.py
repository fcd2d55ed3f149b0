"""Descriptions and code made from templates: small, correct, and never anybody's own code.

They teach a small model the plain vocabulary of everyday functions. Every body is run by the tests.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from codehunch_training.corpus.rows import PairRow, identified
from codehunch_training.corpus.work import Notes, Plan, Unit

_LISTS = ("values", "items", "numbers", "records", "scores", "words", "names", "entries", "rows", "lines", "prices")
_ONE = ("value", "item", "number", "record", "score", "word", "name", "entry", "row", "line", "price")
_KEYS = ("key", "name", "label", "field", "code")
_TEMPLATES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("Return the sum of {list}.", "Add up all {list}."), "sum_{list}({list})", "return sum({list})"),
    (
        ("Return the largest of {list}.", "Find the biggest {one} in {list}."),
        "largest_{one}({list})",
        "return max({list})",
    ),
    (("Return the smallest of {list}.", "Find the least {one}."), "smallest_{one}({list})", "return min({list})"),
    (
        ("Return the mean of {list}, or 0 if there are none.", "Average the {list}; an empty list gives 0."),
        "mean_{one}({list})",
        "if not {list}:\n    return 0\nreturn sum({list}) / len({list})",
    ),
    (
        ("Count how often {one} stands in {list}.", "Return the number of times {one} occurs in {list}."),
        "count_{one}({list}, {one})",
        "return sum(1 for other in {list} if other == {one})",
    ),
    (
        ("Return {list} without duplicates, in their order.", "Remove duplicate {list} and keep the order."),
        "unique_{list}({list})",
        "seen = set()\nresult = []\nfor {one} in {list}:\n    if {one} not in seen:\n        seen.add({one})\n"
        "        result.append({one})\nreturn result",
    ),
    (
        ("Sort {list} from largest to smallest.", "Return the {list} in descending order."),
        "sort_{list}({list})",
        "return sorted({list}, reverse=True)",
    ),
    (("Reverse the order of {list}.", "Return {list} backwards."), "reverse_{list}({list})", "return {list}[::-1]"),
    (
        ("Split {list} into pieces of the given size.", "Cut {list} into chunks of at most size {list}."),
        "split_{list}({list}, size)",
        "return [{list}[start:start + size] for start in range(0, len({list}), size)]",
    ),
    (
        ("Return the {list} greater than limit.", "Keep only {list} above the limit."),
        "{list}_above({list}, limit)",
        "return [{one} for {one} in {list} if {one} > limit]",
    ),
    (
        ("Return the index of the first {one} equal to wanted, or -1.", "Find where wanted stands in {list}, else -1."),
        "find_{one}({list}, wanted)",
        "for index, {one} in enumerate({list}):\n    if {one} == wanted:\n        return index\nreturn -1",
    ),
    (
        ("Group {list} by their {key}.", "Return a dictionary of {key} to the {list} that have it."),
        "group_by_{key}({list}, {key})",
        "groups = {{}}\nfor {one} in {list}:\n    groups.setdefault({one}[{key}], []).append({one})\nreturn groups",
    ),
    (
        ("Return whether all {list} are different.", "Check that no {one} occurs twice."),
        "are_different({list})",
        "return len(set({list})) == len({list})",
    ),
    (
        ("Flatten a list of lists of {list}.", "Join the inner lists of {list} into one."),
        "flatten_{list}({list})",
        "return [{one} for inner in {list} for {one} in inner]",
    ),
    (
        ("Return the {list} that both lists hold.", "Keep the {list} of the first list that the other has too."),
        "common_{list}({list}, others)",
        "return [{one} for {one} in {list} if {one} in others]",
    ),
    (
        ("Read {list} from a text file, one a line.", "Return the {list} of a file, without blank lines."),
        "read_{list}(path)",
        'with open(path, encoding="utf-8") as source:\n    return [line.strip() for line in source if line.strip()]',
    ),
    (
        ("Write {list} to a text file, one a line.", "Save the {list} in a file, each on its own line."),
        "write_{list}(path, {list})",
        'with open(path, "w", encoding="utf-8") as sink:\n    for {one} in {list}:\n'
        '        sink.write(f"{{{one}}}\\n")',
    ),
    (
        ("Return {one} limited to the range from low to high.", "Clamp {one} between low and high."),
        "clamp_{one}({one}, low, high)",
        "return max(low, min(high, {one}))",
    ),
    (
        ("Return the {one} with the most letters.", "Find the longest of the {list}."),
        "longest_{one}({list})",
        "return max({list}, key=len)",
    ),
    (
        ("Return a dictionary of {key} to {one} with keys and values swapped.", "Invert the mapping."),
        "invert(mapping)",
        "return {{{one}: {key} for {key}, {one} in mapping.items()}}",
    ),
)
UNIT = 500


def made_pairs(seed: int) -> Iterator[PairRow]:
    """Pairs without end, drawn from the seed; the same seed gives the same pairs."""
    rng = random.Random(f"made:{seed}")
    while True:
        sentences, head, body = rng.choice(_TEMPLATES)
        at = rng.randrange(len(_LISTS))
        words = {"list": _LISTS[at], "one": _ONE[at], "key": rng.choice(_KEYS)}
        signature = f"def {head.format(**words)}:"
        yield identified(
            PairRow(
                project="templates",
                licence="0BSD",
                name=signature[4 : signature.index("(")],
                kind="docstring",
                text=rng.choice(sentences).format(**words),
                target=body.format(**words) + "\n",
                signature=signature,
            )
        )


def plan_made(out: Path, count: int, seed: int, about: Mapping[str, Any]) -> Plan:
    sizes = [(start // UNIT, min(UNIT, count - start)) for start in range(0, count, UNIT)]
    units = [Unit(str(number), (number, size), size) for number, size in sizes]
    return Plan(map_made, {"seed": seed, "count": count}, units, out, "pairs", about)


def map_made(payload: tuple[int, int], options: Mapping[str, Any], notes: Notes) -> Iterator[PairRow]:
    """The map of ``codehunch corpus made``."""
    number, count = payload
    yield from islice(made_pairs(options["seed"] * 1_000_003 + number), count)
