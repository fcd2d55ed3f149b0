"""Slips put into functions with examples: are they told, and do the fixes hold for examples that nobody saw?

    python benchmarks/mending.py folder           of Python files whose functions have three examples or more

Of each function that follows all its examples, copies with one slip each are made (another operator, name, literal,
call, swapped arguments, ...) that break one of the first two examples. These two are shown; the others judge the first
fix, ordered by the price of the edits alone, and by how natural the model finds them too. Nothing is run but the
interpreter.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.store import active_bundle
from codehunch.defects.bindings import surroundings_of
from codehunch.defects.detector import Detector
from codehunch.defects.expression_variants import Variant
from codehunch.defects.mending import Described, described, disagreement
from codehunch.defects.naturalness import Naturalness
from codehunch.defects.rewrites import apply, slots
from codehunch.interpreter.agreement import agrees
from codehunch.interpreter.program import Program
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.parsing import parse
from codehunch.syntax.sections import cut_at, section_starts
from codehunch.synthesis.examples import Example

_SHOWN = 2


@attrs.frozen(eq=False)
class Slip:
    kind: str
    statements: list[str]
    """Of the file, the slip in one of them."""
    function: Described
    hidden: tuple[Example, ...]


def slips(folder: Path, each: int, rng: random.Random) -> Iterator[Slip]:
    """Up to ``each`` slips of each function that follows its examples."""
    for path in track(sorted(folder.rglob("*.py")), "reading", console=Console(stderr=True)):
        text = path.read_text(encoding="utf-8", errors="replace")
        statements = [piece for _, piece in cut_at(text, list(section_starts(text)))]
        for place, piece in enumerate(statements):
            function = described(piece, {})
            if function is not None and len(function.examples) > _SHOWN:
                yield from _slips_of(statements, place, function, each, rng)


def _slips_of(statements: list[str], place: int, function: Described, each: int, rng: random.Random) -> Iterator[Slip]:
    name, program = function.node.name, Program(statements)
    if not _follows(program, name, function.examples):
        return
    parsed = parse(function.text)
    node = next((node for _, node in function_nodes(parsed)), None)
    found = [(slot.kind, rewrite) for slot in slots(parsed, node) for rewrite in slot.rewrites] if node else []
    rng.shuffle(found)
    shown, made = function.examples[:_SHOWN], 0
    for kind, rewrite in found:
        text = apply(function.text, rewrite.edits)
        faulty = program.replaced(name, text)
        outcomes = [faulty.call(name, example.arguments) for example in shown]
        if not all(each.decided for each in outcomes) or _follows(faulty, name, shown):
            continue
        try:
            definition = ast.parse(text).body[-1]
        except SyntaxError:
            continue
        if isinstance(definition, ast.FunctionDef):
            yield Slip(
                kind,
                [*statements[:place], text, *statements[place + 1 :]],
                Described(text, definition, shown),
                function.examples[_SHOWN:],
            )
            made += 1
        if made >= each:
            return


def _follows(program: Program, name: str, examples: tuple[Example, ...]) -> bool:
    return all(agrees(program.call(name, each.arguments), each.result) for each in examples)


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Where Python files lie.")],
    each: Annotated[int, typer.Option(help="Slips of each function at most.")] = 2,
    limit: Annotated[int, typer.Option(help="Slips at most; 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(help="Which slips are drawn.")] = 1,
) -> None:
    """Print the table."""
    detector = Detector(active_bundle("defects"))
    counts: dict[str, Counter[str]] = {}
    for number, slip in enumerate(slips(folder, each, random.Random(seed))):
        if limit and number >= limit:
            break
        found = disagreement(Program(slip.statements), slip.function)
        natural = Naturalness(lambda: detector.classifier, surroundings_of("".join(slip.statements)), None)

        def is_right(variant: Variant, slip: Slip = slip) -> bool:
            name = slip.function.node.name
            program = Program(slip.statements).replaced(name, apply(slip.function.text, variant.edits))
            return _follows(program, name, slip.hidden)

        for kind in (slip.kind, "all"):
            count = counts.setdefault(kind, Counter())
            count["slips"] += 1
            count["told"] += found is not None
            if found is not None and found.mended:
                count["fix"] += 1
                count["several"] += len(found.mended) > 1
                count["price"] += is_right(found.mended[0])
                count["natural"] += is_right(natural.ranked(found.described.text, found.mended)[0])
                count["any"] += any(map(is_right, found.mended))
    table = Table(
        "kind", "slips", "told", "with a fix", "right by price", "right, as served", "any right", "several fit"
    )
    for kind in sorted(counts, key=lambda kind: counts[kind]["slips"]):
        names = ("slips", "told", "fix", "price", "natural", "any", "several")
        table.add_row(kind, *(f"{counts[kind][name]:,}" for name in names))
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
