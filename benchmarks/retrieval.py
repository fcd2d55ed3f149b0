"""What to offer for a docstring: the model's body, or the body of the most similar function with its names made to fit?

    python benchmarks/retrieval.py PACKAGE...            folders that no model was trained on
    python benchmarks/retrieval.py PACKAGE... --count 50 fewer functions

Every documented function of the packages loses its body in turn; the rest of its package is the workspace, indexed as
the language server indexes it. Similarity is 1 minus the edit distance to the body that was there, over the longer
one, 0 where nothing is offered.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from codehunch.bundles.store import active_bundle
from codehunch.generation.context import FileContext
from codehunch.generation.filters import placed
from codehunch.generation.generator import Generator
from codehunch.generation.index import FunctionIndex
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import build_prompt
from codehunch.generation.retrieval import LEAST, SURE, adaptations, neighbours
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch_training.corpus.docstrings import body_of, nearest_body
from codehunch_training.evaluation.generation import edit_similarity

FEWEST_WORDS = 3
"""Of a docstring that describes anything."""


@attrs.frozen
class Case:
    """A function without its body."""

    path: str
    context: FileContext
    request: BodyRequest
    wanted: str
    nearest: str
    """Body of the file's nearest function as it is."""


@attrs.define
class Column:
    """One way to answer."""

    name: str
    found: list[float] = attrs.field(factory=list)
    offered: int = 0
    exact: int = 0
    seconds: float = 0.0

    def add(self, body: str | None, case: Case, started: float) -> None:
        self.seconds += time.perf_counter() - started
        self.offered += body is not None
        self.exact += body == case.wanted
        self.found.append(edit_similarity(body, case.wanted) if body is not None else 0.0)


def cases_of(package: Path, index: FunctionIndex) -> Iterator[Case]:
    """Every documented function of a package; its files go into the index."""
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        index.update(str(path), (1, len(data)), data)
        try:
            text = decode_source(data).source.text
        except SourceUnreadable:
            continue
        parsed = parse(text)
        if "tests" in path.parts or parsed.tree.root_node.has_error or len(text) > 250_000:
            continue
        context = FileContext(parsed)
        functions = find_functions(parsed)
        bodies = {each.qualified_name: body for each in functions if (body := body_of(context, each))}
        for function in functions:
            body = bodies.get(function.qualified_name)
            if body is None or function.nesting > 1 or function.docstring is None:
                continue
            stub = parse(text[: function.docstring.end] + text[function.body.end :])
            request = find_request(stub, function.docstring.start + 1)
            if request is None or len(request.description.split()) < FEWEST_WORDS or request.kind != "docstring":
                continue
            nearest = nearest_body(context, function, functions, bodies)
            yield Case(str(path), FileContext(stub), request, body[0], nearest)


def measure(cases: list[Case], index: FunctionIndex, generator: Generator) -> list[Column]:
    """Every case answered every way."""
    names = ("nearest function as it is", "the model", "the model, similar signatures in its prompt")
    nearest, model, prompted = (Column(name) for name in names)
    adapted, sure, both = Column(f"adapted, likeness {LEAST}+"), Column(f"adapted, likeness {SURE}+"), Column("both")
    for case in cases:
        context, request = case.context, case.request
        nearest.add(case.nearest or None, case, time.perf_counter())
        started = time.perf_counter()
        near = neighbours(context, request, case.path, index.similar)
        for column, asked in ((adapted, True), (sure, False)):
            found = adaptations(context, request, near, asked=asked, most=1)
            column.add(canonical(found[0].text, context) if found else None, case, started)
        for column, similar in ((model, []), (prompted, [each.sample.signature for each in near if each.sample.path])):
            started = time.perf_counter()
            answers = generator.answers(build_prompt(context, request, similar))
            texts = (placed(context, request, generator.body(answer)) for answer in answers)
            text = next((text for text in texts if text is not None), None)
            column.add(canonical(text, context) if text is not None else None, case, started)
        started = time.perf_counter()
        made = generator.generate(context.parsed.source, request, path=case.path, retrieve=index.similar)
        both.add(canonical(made[0].text, context) if made else None, case, started)
    return [nearest, model, prompted, adapted, sure, both]


def canonical(text: str, context: FileContext) -> str:
    return to_canonical(text.strip("\r\n"), context.unit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=200, help="functions, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = FunctionIndex(Path(folder) / "index.sqlite")
        cases = [case for package in arguments.packages for case in cases_of(package, index)]
        random.Random(arguments.seed).shuffle(cases)
        cases = cases[: arguments.count]
        columns = measure(cases, index, Generator(active_bundle("generation"), threads=1))
        index.close()
    table = Table("", title=f"{len(cases)} functions of {', '.join(path.name for path in arguments.packages)}")
    for title in ("offered", "similarity", "where offered", "exact", "ms"):
        table.add_column(title, justify="right")
    for each in columns:
        table.add_row(
            each.name,
            f"{each.offered / len(cases):.0%}",
            f"{sum(each.found) / len(cases):.3f}",
            f"{sum(each.found) / max(1, each.offered):.3f}",
            f"{each.exact / len(cases):.1%}",
            f"{1000 * each.seconds / len(cases):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
