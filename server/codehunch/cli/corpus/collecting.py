"""Repositories and folders to rows: functions, histories, docs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from codehunch.cli.corpus.options import (
    CORES,
    Address,
    Engine,
    Exclude,
    Jobs,
    Licences,
    Out,
    Paths,
    Revision,
    Tests,
    allowed,
    chosen,
    expanded,
)
from codehunch.cli.corpus.running import about, run_plan, training


def functions(
    paths: Paths,
    out: Out,
    revision: Revision = "",
    shortest: Annotated[int, typer.Option(min=0, help="Fewest syntax nodes of a function.")] = 0,
    tests: Tests = False,
    documents: Annotated[bool, typer.Option("--documents", help="Read documentation and examples too.")] = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = CORES,
    engine: Engine = "processes",
    address: Address = "",
) -> None:
    """Collect every function of folders or of git revisions."""
    with training():
        from codehunch_training.corpus.plans import plan_functions

        options = {"tests": tests, "documents": documents, "shortest": shortest}
        within = allowed(licences, exclude)
        plan = plan_functions(expanded(paths), out, revision=revision, options=options, allowed=within, about=about())
        run_plan(plan, "files", jobs=jobs, engine=engine, address=address)


def histories(
    paths: Paths,
    out: Out,
    evidence: Annotated[
        Literal["function", "file", "elsewhere"],
        typer.Option(help="Keep fixes that the buggy function itself gives away, its file, or all."),
    ] = "function",
    since: Annotated[str, typer.Option(help="Only commits after this date.")] = "",
    until: Annotated[str, typer.Option(help="Only commits before this date.")] = "",
    any_message: Annotated[bool, typer.Option("--any-message", help="Do not ask the message for a fix.")] = False,
    tests: Tests = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = CORES,
    engine: Engine = "processes",
    address: Address = "",
) -> None:
    """Mine bug fixes from commits: the buggy function, its fixed twin, untouched neighbours."""
    with training():
        from codehunch_training.corpus.plans import plan_histories

        options = {"evidence": evidence, "any_message": any_message, "tests": tests}
        within = allowed(licences, exclude)
        plan = plan_histories(
            expanded(paths), out, since=since, until=until, options=options, allowed=within, about=about()
        )
        run_plan(plan, "commits", jobs=jobs, engine=engine, address=address)


def docs(
    paths: Paths,
    out: Out,
    kinds: Annotated[str, typer.Option(help="Which of docstring, comment, readme.")] = "docstring,comment,readme",
    revision: Revision = "",
    any_language: Annotated[
        bool, typer.Option("--any-language", help="Keep other natural languages, and mixed.")
    ] = False,
    doctests: Annotated[bool, typer.Option("--doctests", help="Keep the examples in docstrings.")] = False,
    normalise: Annotated[bool, typer.Option("--normalise", help="One formatting for all bodies; comments go.")] = False,
    shortest: Annotated[int, typer.Option(min=1, help="Fewest words of a description.")] = 3,
    longest: Annotated[int, typer.Option(min=1, help="Most lines of code.")] = 40,
    tests: Tests = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = CORES,
    engine: Engine = "processes",
    address: Address = "",
) -> None:
    """Collect docstrings with bodies, comments with statements, and documents' code blocks."""
    with training():
        from codehunch_training.corpus.plans import plan_pairs

        wanted = chosen(kinds, ("docstring", "comment", "readme"), "--kinds")
        options = {
            "kinds": wanted, "any_language": any_language, "doctests": doctests, "normalise": normalise,
            "shortest": shortest, "longest": longest, "tests": tests,
        }  # fmt: skip
        within = allowed(licences, exclude)
        plan = plan_pairs(expanded(paths), out, revision=revision, options=options, allowed=within, about=about())
        run_plan(plan, "files", jobs=jobs, engine=engine, address=address)
