"""``codehunch generate``: a body for a documented function, or a function from a sentence."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codehunch.cli.console import CommandError, note, shown, warning, write_out
from codehunch.feedback import Leanings

if TYPE_CHECKING:
    from codehunch.generation.generator import Candidate, Generator, Judge
    from codehunch.settings import Settings
    from codehunch.syntax.parsing import ParsedSource
    from codehunch.syntax.requests import BodyRequest

NOTHING = 1


def generate(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="The file with the function to complete.")] = None,
    line: Annotated[int | None, typer.Option(min=1, help="A line of that function, its docstring or comment.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What a new function should do, as a sentence.")] = None,
    candidates: Annotated[int, typer.Option(min=1, max=20, help="How many suggestions to print, the best first.")] = 1,
    body_only: Annotated[bool, typer.Option("--body-only", help="Print the new lines only, indented to fit.")] = False,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds after which to take what there is.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write code from a docstring or a sentence.

    FILE and --line name a function whose body is still missing, --prompt says what a new function should do.

    Exits with 0 when code was written, 1 when the model has nothing to offer, 2 when something went wrong.
    """
    if file is not None and line is not None and prompt is None:
        from codehunch.project import Project

        parsed = _parse(file)
        request = _request_at(parsed, line, file)
        path = os.path.abspath(file)
        leanings = Leanings()
        leanings.refresh()
        generator = _generator(parsed.language)
        around = Project().around(path)
        found = generator.generate(
            parsed.source, request, candidates, deadline, path=path, weigh=leanings.weight, around=around
        )
        codes = [_code(parsed, request, candidate, body_only) for candidate in found]
    elif prompt is not None and prompt.strip() and file is None:
        found = _generator("python").generate_prompt(prompt, candidates, deadline)
        codes = [candidate.text for candidate in found]
    else:
        raise typer.BadParameter("give a FILE and the --line of the function to complete, or a --prompt")
    if as_json:
        rows = [
            {
                "code": code,
                "confidence": round(candidate.confidence, 4),
                "adapted_from": candidate.origin or None,
                "examples": candidate.examples,
            }
            for code, candidate in zip(codes, found, strict=True)
        ]
        print(json.dumps(rows, indent=2))
    else:
        _print(codes, found)
    if not found:
        note("the model has no suggestion that it trusts here")
        raise typer.Exit(NOTHING)


def _generator(language: str) -> Generator:
    from codehunch.bundles.store import active_bundle
    from codehunch.generation.generator import Generator
    from codehunch.settings import SettingsReader

    warnings: list[str] = []
    bundle = active_bundle("generation", warnings)
    for text in warnings:
        warning(text)
    if language not in bundle.manifest.languages:
        raise CommandError(
            f"no installed model writes {language}; the active one writes {', '.join(bundle.manifest.languages)}"
        )
    settings = SettingsReader(warn=lambda problem: warning(str(problem))).for_folder(os.curdir)
    return Generator(bundle, threads=settings.threads, judge=_judge(settings))


def _judge(settings: Settings) -> Judge | None:
    """The defect model reads what the other one wrote; where it cannot, nothing is held back."""
    from functools import partial

    from codehunch.bundles.store import BundleError, active_bundle
    from codehunch.defects.detector import Detector, reads_clean_in_place

    try:
        return partial(reads_clean_in_place, Detector(active_bundle("defects"), threads=settings.threads))
    except BundleError:
        return None


def _parse(file: str) -> ParsedSource:
    from codehunch.syntax.decoding import SourceUnreadable, decode_source
    from codehunch.syntax.languages import language_of
    from codehunch.syntax.parsing import parse

    try:
        source = decode_source(Path(file).read_bytes()).source
    except SourceUnreadable as error:
        raise CommandError(f"{shown(os.path.abspath(file))}: {error.reason}") from error
    spec = language_of(file)
    return parse(source, spec.name if spec else "python")


def _request_at(parsed: ParsedSource, line: int, file: str) -> BodyRequest:
    """The request a line speaks of: its own, else that of the innermost waiting function around it."""
    from codehunch.syntax.requests import body_requests, find_request

    name = shown(os.path.abspath(file))
    source = parsed.source
    if line > source.line_count:
        raise CommandError(f"{name}: there is no line {line}, the file ends at line {source.line_count}")
    span = source.line_span(line - 1)
    request = find_request(parsed, span.end)
    if request is not None:
        return request
    waiting = body_requests(parsed)
    around = [
        each
        for each in waiting
        if each.function is not None
        and source.row_of(each.function.span.start) <= line - 1 <= source.row_of(each.function.span.end)
    ]
    if around:
        return around[-1]
    places = ", ".join(
        f"{each.function.qualified_name} (line {source.row_of(each.function.header.start) + 1})"
        for each in waiting[:5]
        if each.function is not None
    )
    hint = f"waiting in this file: {places}" if places else "write a function with a docstring and no body"
    raise CommandError(f"{name}: line {line} belongs to no documented function that still lacks its body; {hint}")


def _code(parsed: ParsedSource, request: BodyRequest, candidate: Candidate, body_only: bool) -> str:
    """The lines to print: the completed function at the margin, or what was added to it as it has to be inserted."""
    function = request.function
    if body_only or function is None or request.kind != "docstring":
        return candidate.text.strip("\r\n") + "\n"
    source = parsed.source
    start = source.line_span(source.row_of(function.span.start)).start
    end = max(function.span.end, candidate.span.end)
    head, tail = parsed.text[start : candidate.span.start], parsed.text[candidate.span.end : end]
    lines = f"{head}{candidate.text}{tail}".replace("\r\n", "\n").replace("\r", "\n")
    return textwrap.dedent(lines).strip("\n") + "\n"


def _print(codes: list[str], found: tuple[Candidate, ...]) -> None:
    """Plain when piped, highlighted on a terminal. Several suggestions are told apart by comment lines."""
    terminal = sys.stdout.isatty()
    for number, (code, candidate) in enumerate(zip(codes, found, strict=True), start=1):
        source = candidate.source or f"confidence {candidate.confidence:.2f}"
        title = f"# suggestion {number} of {len(codes)}, {source}\n"
        text = (title if len(codes) > 1 or terminal else "") + code
        if candidate.source and len(codes) == 1 and not terminal:
            note(source)
        if terminal:
            from rich.syntax import Syntax

            from codehunch.cli.console import stdout_console

            stdout_console().print(Syntax(text.rstrip("\n"), "python", background_color="default"), soft_wrap=False)
        else:
            write_out(text)
        if number < len(codes):
            write_out("\n")
