"""What the generation model writes, beside an empty body and the nearest function; by likeness and by tests.

    python benchmarks/generation.py PACKAGE... --tests HumanEval.jsonl.gz --tests mbpp.jsonl.gz \\
        --lines conala-test.json.gz --outputs outputs.md

Three tables, each left out where nothing is given for it:

- Every documented function of the packages, which no model was trained on, loses its body in turn; the rest of its
  package is the workspace, indexed as the language server indexes it. Rows are the ways to answer. "As served" is what
  an editor gets: the model's beams and fitted siblings, filtered and read by the defect model. "No sense" is the share
  of answers that say things twice, have dead branches, never end, or break what the head of the function promises.
- Tasks with tests: the first offer, ten offers, and ten samples of the model, run in the sandbox; pass@k by the
  estimator of Chen et al. 2021. With ``--held-back`` the last example is taken out of each docstring, so that tests
  which are the examples, as those of MBPP, hold one that nobody was shown.
- Sentences and the line of code they describe, asked as a comment.

``--outputs`` writes fifty answers drawn at random beside what a person wrote.
"""

from __future__ import annotations

import gzip
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.bundles.bundle import load_bundle
from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import Detector, reads_clean_in_place
from codehunch.generation.by_example import SURE as SURE_OF_EXAMPLES
from codehunch.generation.context import FileContext
from codehunch.generation.filters import clean_body, placed
from codehunch.generation.generator import BEAMS, Candidate, Generator
from codehunch.generation.index import FunctionIndex
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import Prompt, build_prompt
from codehunch.generation.retrieval import LEAST, SURE, Adaptation, adaptations, neighbours, prompt_with
from codehunch.generation.sense import keeps_promises, recurs_at_once, wanders
from codehunch.inference.decoding import Decoding
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.decoding import SourceUnreadable, decode_source
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch_training.corpus.docstrings import body_of, nearest_body
from codehunch_training.evaluation.generation import edit_similarity
from codehunch_training.evaluation.sandbox import Limits, pass_metrics, program_of, run_all
from codehunch_training.evaluation.texts import text_metrics
from codehunch_training.retraining.judging import compare_means

FEWEST_WORDS = 3
"""Of a docstring that describes anything."""
MOST_CHARS = 250_000
"""Of a file that is read."""
QUOTES = ('"""', "'''")
SAMPLES = 10
OUTPUTS = 50
BASELINE, GREEDY, SERVED = "nearest function of the file, as it is", "model, greedy", "as served"
PROGRESS = Console(stderr=True)


@attrs.frozen(eq=False)
class Case:
    """A function without its body."""

    path: str
    name: str
    context: FileContext
    request: BodyRequest
    wanted: str
    nearest: str
    """Body of the file's nearest function as it is."""


@attrs.define
class Column:
    """One way to answer, and what it gave; an empty text where it gave nothing."""

    texts: list[str] = attrs.field(factory=list)
    seconds: list[float] = attrs.field(factory=list)

    def add(self, text: str | None, started: float) -> None:
        self.seconds.append(time.perf_counter() - started)
        self.texts.append(text or "")


def files_of(package: Path) -> Iterator[tuple[Path, FileContext]]:
    """Whole files of a package that are no tests, in a stable order."""
    for path in sorted(package.rglob("*.py")):
        try:
            text = decode_source(path.read_bytes()).source.text
        except SourceUnreadable:
            continue
        parsed = parse(text)
        if "tests" not in path.parts and not parsed.tree.root_node.has_error and len(text) <= MOST_CHARS:
            yield path, FileContext(parsed)


def cases_of(package: Path, index: FunctionIndex) -> Iterator[Case]:
    """Every documented function of a package; its files go into the index."""
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        index.update(str(path), (1, len(data)), data)
    for path, context in files_of(package):
        parsed, text = context.parsed, context.parsed.text
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
            yield Case(str(path), function.qualified_name, FileContext(stub), request, body[0], nearest)


def written(generator: Generator, case: Case, prompt: Prompt, beams: int, filtered: bool = False) -> str | None:
    """The model's first answer as a canonical block; the first that passes the filters where that is asked."""
    for answer in generator.answers(prompt, generator.decoding(beams)):
        body = generator.body(answer)
        if not filtered:
            return body
        if (text := placed(case.context, case.request, body)) is not None:
            return canonical(text, case.context)
    return None


def canonical(text: str, context: FileContext) -> str:
    return to_canonical(text.strip("\r\n"), context.unit)


def measure(
    cases: Sequence[Case], index: FunctionIndex, plain: Generator, served: Generator, only: Sequence[str] = ()
) -> dict[str, Column]:
    """Every case answered every way, or those with one of the texts ``only`` in their names."""
    columns: dict[str, Column] = {}
    for position, case in enumerate(track(cases, "functions", console=PROGRESS)):
        other = cases[(position + len(cases) // 2) % len(cases)].request.description
        for name, answer in ways_of(case, other, index, plain, served).items():
            if name != BASELINE and only and not any(part in name for part in only):
                continue
            started = time.perf_counter()
            columns.setdefault(name, Column()).add(answer(), started)
    return columns


def ways_of(
    case: Case, other: str, index: FunctionIndex, plain: Generator, served: Generator
) -> dict[str, Callable[[], str | None]]:
    """The ways to answer a case, by the name of their row; ``other`` is the docstring of another case."""
    context, request = case.context, case.request
    near = neighbours(context, request, case.path, index.similar)
    full, alone = prompt_with(context, request, near), build_prompt(context, request)

    def fit(asked: bool) -> str | None:
        return first(adaptations(context, request, near, asked=asked, most=1))

    def offer(generator: Generator, description: str = request.description) -> str | None:
        asked = attrs.evolve(request, description=description)
        return first(generator.generate(context.parsed.source, asked, path=case.path, retrieve=index.similar))

    def first(found: Sequence[Candidate | Adaptation]) -> str | None:
        return canonical(found[0].text, context) if found else None

    return {
        "what a person wrote": lambda: case.wanted,
        "an empty body": lambda: "pass",
        BASELINE: lambda: case.nearest or None,
        f"sibling, names fitted, likeness {LEAST}+": lambda: fit(asked=True),
        f"sibling, names fitted, likeness {SURE}+": lambda: fit(asked=False),
        "model, greedy, nothing retrieved": lambda: written(plain, case, alone, 1),
        GREEDY: lambda: written(plain, case, full, 1),
        "model, greedy, docstring removed": lambda: written(plain, case, full.without("doc"), 1),
        "model, greedy, another's docstring": lambda: written(plain, case, with_docstring(full, other), 1),
        f"model, {BEAMS} beams": lambda: written(plain, case, full, BEAMS),
        f"model, {BEAMS} beams, filtered": lambda: written(plain, case, full, BEAMS, filtered=True),
        "as served, not judged": lambda: offer(plain),
        f"{SERVED}, docstring removed": lambda: offer(served, ""),
        f"{SERVED}, another's docstring": lambda: offer(served, other),
        SERVED: lambda: offer(served),
    }


def with_docstring(prompt: Prompt, text: str) -> Prompt:
    return Prompt(tuple((marker, text if marker == "doc" else old) for marker, old in prompt.fields))


def makes_no_sense(context: FileContext, request: BodyRequest, body: str) -> bool:
    """Whether an answer is one that no person would write, or not what the head of the function says."""
    if wanders(body, context.words):
        return True
    function = request.function
    if request.kind != "docstring" or function is None:
        return False
    return recurs_at_once(body, function) or not keeps_promises(body, function.header.of(context.parsed.text))


def table_of(
    wanted: Sequence[str],
    asked: Sequence[tuple[FileContext, BodyRequest]],
    columns: dict[str, Column],
    baseline: str,
    title: str,
) -> Table:
    """A row for each way, held against what was there and against the way ``baseline``."""
    base = [edit_similarity(text, want) for text, want in zip(columns[baseline].texts, wanted, strict=True)]
    table = Table("", title=title)
    for name in ("offered", "exact", "BLEU", "CodeBLEU", "similarity", "against baseline", "parses", "no sense", "ms"):
        table.add_column(name, justify="right")
    for name, column in columns.items():
        found = text_metrics(column.texts, wanted)
        similar = [edit_similarity(text, want) for text, want in zip(column.texts, wanted, strict=True)]
        change = compare_means(base, similar)
        offered = sum(map(bool, column.texts))
        senseless = sum(makes_no_sense(*place, text) for place, text in zip(asked, column.texts, strict=True) if text)
        table.add_row(
            name,
            f"{offered / len(wanted):.0%}",
            f"{found['exact_match']:.1%}",
            f"{found['bleu']:.1f}",
            f"{found['codebleu']:.3f}",
            f"{found['edit_similarity']:.3f}",
            "" if name == baseline else f"{change.new - change.old:+.3f} ({change.low:+.3f} to {change.high:+.3f})",
            f"{found['syntax_valid']:.0%}",
            f"{senseless / max(1, offered):.0%}",
            f"{1000 * statistics.median(column.seconds):.0f}",
        )
    return table


def rows_in(path: Path) -> list[dict[str, Any]]:
    """JSON, or JSON lines; gzipped or not."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    if text.lstrip().startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def tested(path: Path, generator: Generator, limit: int, held_back: bool) -> dict[str, float]:
    """Shares of tasks solved: by the first offer or any of ten, and by one or any of ten samples of the model; with and
    without the docstring. How many have examples, and of those that were searched for, how many are solved."""
    rows = [row for row in rows_in(path) if row.get("entry_point") and row.get("test")][: limit or None]
    if held_back:
        rows = [without_last_example(row) for row in rows]
    ways = ("offer", "offers", "sampled", "removed")
    programs: dict[str, list[list[str]]] = {way: [] for way in ways}
    by_example: list[Candidate | None] = []
    for row in track(rows, path.name, console=PROGRESS):
        parsed = parse(str(row["prompt"]))
        asked = find_request(parsed, max(str(row["prompt"]).rfind(quotes) for quotes in QUOTES) - 1)
        answers: dict[str, list[str]] = {way: [] for way in ways}
        if asked is not None and asked.function is not None:
            context = FileContext(parsed)
            prompt = build_prompt(context, asked)
            offers = generator.generate(parsed.source, asked, candidates=SAMPLES)
            answers["offer"] = [each.text for each in generator.generate(parsed.source, asked)]
            answers["offers"] = [each.text for each in offers]
            by_example.append(offers[0] if offers and offers[0].examples else None)
            sampling = attrs.evolve(generator.decoding(SAMPLES, sample=True), seed=len(programs["sampled"]))
            answers["sampled"] = blocks(generator, context, asked, prompt, sampling)
            answers["removed"] = blocks(generator, context, asked, prompt.without("doc"), generator.decoding(1))[:1]
        else:
            by_example.append(None)
        for way, wanted in zip(ways, (1, SAMPLES, SAMPLES, 1), strict=True):
            texts = [*answers[way], *[""] * SAMPLES][:wanted]
            programs[way].append([program_of(row, f"\n{text}\n") if text else "raise SystemExit(1)" for text in texts])
    found: dict[str, float] = {"tasks": len(rows)}
    for way in ways:
        flat = [program for each in programs[way] for program in each]
        with PROGRESS.status(f"running {len(flat)} programs"):
            passed = [outcome.passed for outcome in run_all(flat, Limits(seconds=10))]
        parts = iter(passed)
        by_task = [[next(parts) for _ in each] for each in programs[way]]
        found |= {f"{way} {name}": value for name, value in pass_metrics(by_task, (1, SAMPLES)).items()}
        if way == "offer":
            right = [(each, passed[0]) for passed, each in zip(by_task, by_example, strict=True) if each is not None]
            sure = [passed for each, passed in right if each.confidence >= SURE_OF_EXAMPLES and each.examples > 1]
            found |= {
                "found by examples": len(right) / len(rows),
                "right of these": mean_of(passed for _, passed in right),
            }
            found |= {"surely enough to show unasked": len(sure) / len(rows), "right of those": mean_of(sure)}
    return found


def mean_of(passed: Iterable[bool]) -> float:
    values = [float(each) for each in passed]
    return statistics.mean(values) if values else 0.0


def without_last_example(row: dict[str, Any]) -> dict[str, Any]:
    """A task whose docstring shows one example less; as it is where it shows one at most."""
    before, prompt, rest = str(row["prompt"]).rpartition(">>>")
    if not prompt or ">>>" not in before:
        return row
    kept = [line for line in rest.split("\n") if line.strip() in QUOTES]
    return {**row, "prompt": before.rstrip(" \t") + "\n".join([*kept, ""])}


def blocks(
    generator: Generator, context: FileContext, asked: BodyRequest, prompt: Prompt, decoding: Decoding
) -> list[str]:
    """Answers as they go into the file, those that parse and know their names."""
    bodies = (clean_body(generator.body(answer)) for answer in generator.answers(prompt, decoding))
    return [text for body in bodies if (text := placed(context, asked, body)) is not None]


def described_lines(path: Path, generator: Generator, limit: int) -> dict[str, float]:
    """What is written below a sentence as a comment, against the line of code it describes."""
    rows = rows_in(path)[: limit or None]
    answers, wanted = [], []
    for row in track(rows, path.name, console=PROGRESS):
        text = f"# {' '.join(str(row.get('intent') or row.get('rewritten_intent')).split())}\n"
        request = find_request(parse(text), len(text) - 1)
        body = ""
        if request is not None:
            prompt = build_prompt(FileContext(parse(text)), request)
            body = generator.body(generator.answers(prompt, generator.decoding(BEAMS))[0])
        answers.append(body)
        wanted.append(str(row.get("code") or row.get("snippet")))
    return {"rows": len(rows), **text_metrics(answers, wanted)}


def published(cases: Sequence[Case], columns: dict[str, Column], out: Path) -> None:
    """Fifty cases drawn at random: what was asked, what the model wrote, what an editor gets, what a person wrote."""
    chosen = random.Random(0).sample(range(len(cases)), min(OUTPUTS, len(cases)))
    parts = ["# Fifty answers, drawn at random\n"]
    for at in chosen:
        case = cases[at]
        header = case.request.function.header.of(case.context.parsed.text) if case.request.function else ""
        parts.append(f"## {case.name}\n\n```python\n{header}\n```\n\n> {first_line(case.request.description)}\n")
        similarity = edit_similarity(columns[SERVED].texts[at], case.wanted)
        for title, text in (
            ("The model", columns[GREEDY].texts[at]),
            (f"As served (similarity {similarity:.2f})", columns[SERVED].texts[at]),
            ("A person", case.wanted),
        ):
            parts.append(f"{title}:\n\n```python\n{text or '# nothing'}\n```\n")
    out.write_text("\n".join(parts), "utf-8")


def first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def main(
    packages: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="Packages no model was trained on.")
    ] = None,
    tests: Annotated[list[Path] | None, typer.Option(exists=True, help="HumanEval or MBPP, JSON lines.")] = None,
    lines: Annotated[Path | None, typer.Option(exists=True, help="CoNaLa: sentences with a line of code.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the active one otherwise.")] = None,
    count: Annotated[int, typer.Option(help="Functions, drawn at random.")] = 200,
    seed: Annotated[int, typer.Option(help="Which functions.")] = 0,
    way: Annotated[list[str] | None, typer.Option(help="Only ways whose names have this in them; repeat.")] = None,
    held_back: Annotated[
        bool, typer.Option("--held-back", help="Take the last example out of the docstrings of tasks.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Tasks or sentences at most; 0 for all.")] = 0,
    outputs: Annotated[Path | None, typer.Option(help="Markdown file of fifty answers.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of the engine.")] = 1,
) -> None:
    """Print the tables."""
    if not (packages or tests or lines):
        raise typer.BadParameter("give packages, --tests or --lines")
    console = Console(width=150)
    found = load_bundle(bundle) if bundle else active_bundle("generation")
    plain = Generator(found, threads)
    served = Generator(found, threads, partial(reads_clean_in_place, Detector(active_bundle("defects"))))
    if packages:
        with tempfile.TemporaryDirectory() as folder:
            index = FunctionIndex(Path(folder) / "index.sqlite")
            cases = [case for package in packages for case in cases_of(package, index)]
            random.Random(seed).shuffle(cases)
            cases = cases[:count]
            if not cases:
                raise typer.BadParameter("no documented function with a body in these folders")
            columns = measure(cases, index, plain, served, way or ())
            index.close()
        title = f"{len(cases)} functions of {', '.join(package.name for package in packages)}"
        wanted, asked = [case.wanted for case in cases], [(case.context, case.request) for case in cases]
        console.print(table_of(wanted, asked, columns, BASELINE, title))
        if outputs is not None:
            published(cases, columns, outputs)
    for path in tests or ():
        console.print(facts(path.name, tested(path, served, limit, held_back)))
    if lines is not None:
        console.print(facts(lines.name, described_lines(lines, plain, limit)))


def facts(title: str, found: dict[str, float]) -> Table:
    table = Table("", "", title=title)
    for name, value in found.items():
        table.add_row(name, f"{value:g}" if name in ("tasks", "rows") else f"{value:.4f}")
    return table


if __name__ == "__main__":
    typer.run(main)
