"""Statements below a comment: what the model writes, beside what stands below the likest comment of the file.

    python benchmarks/comments.py PACKAGE... --count 300

Every comment inside a function of the packages, which no model was trained on, loses the statements below it in turn;
the rest of its file stays. Rows are the ways to answer; "as served" is what an editor gets for a person who asks,
"while typing" for one who does not. Similarity is that of ``benchmarks/generation.py``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import attrs
import typer
from generation import PROGRESS, Column, canonical, files_of, table_of
from rich.console import Console
from rich.progress import track

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import Detector, reads_clean_in_place
from codehunch.generation.context import FileContext
from codehunch.generation.generator import Candidate, Generator
from codehunch.generation.prompt import build_prompt
from codehunch.generation.retrieval import LEAST_COMMENT, SURE, adaptations, neighbours
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch_training.corpus.docstrings import comment_targets

LIKEST = "below the likest comment, as it is"
MOST_OF_A_FILE = 20


@attrs.frozen(eq=False)
class Case:
    """A comment without its statements."""

    path: str
    context: FileContext
    request: BodyRequest
    wanted: str


def cases_of(package: Path) -> Iterator[Case]:
    """Comments of a package with statements below them."""
    for path, context in files_of(package):
        parsed, text = context.parsed, context.parsed.text
        found = [
            pair for each in find_functions(parsed) if each.nesting <= 1 for pair in comment_targets(context, each)
        ]
        for request, target in found[:MOST_OF_A_FILE]:
            stub = parse(text[: request.replace.start] + request.indent + text[request.replace.end :])
            asked = find_request(stub, request.replace.start + len(request.indent))
            if asked is not None and asked.kind == "comment":
                yield Case(str(path), FileContext(stub), asked, target)


def ways_of(case: Case, plain: Generator, served: Generator) -> dict[str, Callable[[], str | None]]:
    """The ways to answer a case, by the name of their row."""
    context, request = case.context, case.request
    near = neighbours(context, request)

    def fit(asked: bool) -> str | None:
        found = adaptations(context, request, near, asked=asked, most=1)
        return canonical(found[0].text, context) if found else None

    def offer(generator: Generator, least: float = 0.0) -> str | None:
        found: Sequence[Candidate] = generator.generate(context.parsed.source, request, path=case.path, least=least)
        return canonical(found[0].text, context) if found else None

    def written() -> str | None:
        answers = plain.answers(build_prompt(context, request), plain.decoding(1))
        return plain.body(answers[0]) if answers else None

    return {
        "what a person wrote": lambda: case.wanted,
        LIKEST: lambda: near[0].sample.body if near else None,
        f"the same, names fitted, likeness {LEAST_COMMENT}+": lambda: fit(asked=True),
        f"the same, names fitted, likeness {SURE}+": lambda: fit(asked=False),
        "model, greedy": written,
        "as served": lambda: offer(served),
        "as served while typing": lambda: offer(served, served.automatic_threshold),
    }


def main(
    packages: Annotated[list[Path], typer.Argument(exists=True, help="Packages no model was trained on.")],
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    count: Annotated[int, typer.Option(help="Comments, drawn at random.")] = 300,
    seed: Annotated[int, typer.Option(help="Which comments.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of the engine.")] = 1,
) -> None:
    """Print the table."""
    found = load_bundle(bundle) if bundle else active_bundle("generation")
    plain = Generator(found, threads)
    served = Generator(found, threads, partial(reads_clean_in_place, Detector(active_bundle("defects"))))
    cases = [case for package in packages for case in cases_of(package)]
    random.Random(seed).shuffle(cases)
    cases = cases[:count]
    if not cases:
        raise typer.BadParameter("no comment with statements below it in these folders")
    columns: dict[str, Column] = {}
    for case in track(cases, "comments", console=PROGRESS):
        for name, answer in ways_of(case, plain, served).items():
            started = time.perf_counter()
            columns.setdefault(name, Column()).add(answer(), started)
    title = f"{len(cases)} comments of {', '.join(package.name for package in packages)}"
    asked = [(case.context, case.request) for case in cases]
    Console(width=150).print(table_of([case.wanted for case in cases], asked, columns, LIKEST, title))


if __name__ == "__main__":
    typer.run(main)
