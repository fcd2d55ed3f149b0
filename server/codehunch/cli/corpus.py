"""``codehunch corpus``: repositories, source trees and published data sets to training examples."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from codehunch.cli.console import CommandError, note, warning

SOME_UNREADABLE = 1
"""Exit code where the corpus was made but some named input could not be read at all."""

app = typer.Typer(
    name="corpus",
    help="Make training examples from repositories, source trees and data sets.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Repositories (bare or not) or folders; @FILE lists more.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new corpus.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="one a core")]
EngineOption = Annotated[
    Literal["processes", "ray"], typer.Option("--engine", help="Where the work runs: this machine, or a Ray cluster.")
]
Address = Annotated[
    str, typer.Option("--address", help="Address of a running Ray cluster; empty: one on this machine.")
]
Licences = Annotated[
    str,
    typer.Option(
        "--licences", help="Allowed licences (SPDX, comma separated), `any`, or empty for the permissive ones."
    ),
]
Exclude = Annotated[
    list[str], typer.Option("--exclude", metavar="PROJECT", help="Leave out a project (owner/name or name).")
]
Tests = Annotated[bool, typer.Option("--tests", help="Read test files too.")]

_CORES = os.cpu_count() or 1


@app.command()
def functions(
    paths: Paths,
    out: Out,
    revision: Annotated[str, typer.Option("--revision", help="A commit, tag or branch of every repository.")] = "",
    shortest: Annotated[int, typer.Option(min=0, help="Fewest syntax nodes of a function.")] = 0,
    tests: Tests = False,
    documents: Annotated[bool, typer.Option("--documents", help="Read documentation and examples too.")] = False,
    licences: Licences = "",
    exclude: Exclude = [],  # noqa: B006
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Collect every function of folders or of git revisions."""
    with _training():
        from codehunch_training.corpus.plans import plan_functions

        options = {"tests": tests, "documents": documents, "shortest": shortest}
        allowed = _allowed(licences, exclude)
        plan = plan_functions(
            _expanded(paths), out, revision=revision, options=options, allowed=allowed, about=_about()
        )
        _run(plan, jobs, engine, address, "files")


@app.command()
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
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Mine bug fixes from commits: the buggy function, its fixed twin, untouched neighbours."""
    with _training():
        from codehunch_training.corpus.plans import plan_histories

        options = {"evidence": evidence, "any_message": any_message, "tests": tests}
        allowed = _allowed(licences, exclude)
        plan = plan_histories(
            _expanded(paths), out, since=since, until=until, options=options, allowed=allowed, about=_about()
        )
        _run(plan, jobs, engine, address, "commits")


@app.command()
def inject(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Corpora made by `corpus functions`.")],
    out: Out,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Most defective versions of a function.")] = 3,
    preferences: Annotated[
        Path | None, typer.Option(help="Made by `corpus preferences`; else those that ship.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws kinds, places and tokens.")] = 0,
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Put defects into functions, as often and of such kinds as histories show."""
    with _training():
        from codehunch_training.corpus.injected import plan_inject

        plan = plan_inject(folders, out, count=count, seed=seed, preferences=preferences, about=_about())
        _run(plan, jobs, engine, address, "functions")


@app.command()
def preferences(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A corpus made by `corpus histories`.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="JSON file to write.")],
) -> None:
    """Measure which mistakes people make, for `corpus inject`."""
    with _training():
        from codehunch_training.corpus.folder import read_rows
        from codehunch_training.corpus.preferences import measure, write_preferences
        from codehunch_training.corpus.rows import DefectRow

        rows = (row for row in read_rows(folder) if isinstance(row, DefectRow))
        found, share = measure(rows)
        write_preferences(out, found)
        print(f"{sum(found.kinds.values()):.0f} fixes, {share:.0%} of them within reach of injection")


@app.command()
def docs(
    paths: Paths,
    out: Out,
    kinds: Annotated[str, typer.Option(help="Which of docstring, comment, readme.")] = "docstring,comment,readme",
    revision: Annotated[str, typer.Option("--revision", help="A commit, tag or branch of every repository.")] = "",
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
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Collect docstrings with bodies, comments with statements, and documents' code blocks."""
    with _training():
        from codehunch_training.corpus.plans import plan_pairs

        chosen = [kind.strip() for kind in kinds.split(",") if kind.strip()]
        unknown = sorted(set(chosen) - {"docstring", "comment", "readme"})
        if unknown or not chosen:
            raise CommandError(f"--kinds {kinds}: choose from docstring, comment, readme")
        options = {
            "kinds": chosen, "any_language": any_language, "doctests": doctests, "normalise": normalise,
            "shortest": shortest, "longest": longest, "tests": tests,
        }  # fmt: skip
        allowed = _allowed(licences, exclude)
        plan = plan_pairs(_expanded(paths), out, revision=revision, options=options, allowed=allowed, about=_about())
        _run(plan, jobs, engine, address, "files")


@app.command()
def load(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Tables: JSON lines, JSON, CSV, Parquet, Arrow.")
    ],
    out: Out,
    text: Annotated[str, typer.Option(help="Column of the function (the buggy one, beside --fixed).")] = "",
    label: Annotated[str, typer.Option(help="Column of the verdict: 0/1, clean, or a kind.")] = "",
    fixed: Annotated[str, typer.Option(help="Column of the function after the fix.")] = "",
    fault_line: Annotated[str, typer.Option(help="Column of the wrong line's number.")] = "",
    question: Annotated[str, typer.Option(help="Column of the description, beside --code.")] = "",
    code: Annotated[str, typer.Option(help="Column of the code that answers it.")] = "",
    language: Annotated[str, typer.Option(help="Column of the language, or one language for all.")] = "",
    path: Annotated[str, typer.Option(help="Column of a file name.")] = "",
    project: Annotated[str, typer.Option(help="Column of the project.")] = "",
    commit: Annotated[str, typer.Option(help="Column of the commit.")] = "",
    split: Annotated[str, typer.Option(help="Column of the split.")] = "",
    licence: Annotated[str, typer.Option(help="Column of the licence.")] = "",
    mapped: Annotated[list[str], typer.Option("--map", metavar="VALUE=KIND", help="What a label means.")] = [],  # noqa: B006
    jobs: Jobs = _CORES,
) -> None:
    """Load a published data set by naming its columns."""
    with _training():
        from codehunch_training.corpus.load import Columns, plan_load

        columns = Columns(
            text, label, fixed, fault_line, question, code, language, path, project, commit, split, licence
        )
        labels = dict(_halves(value, "=", "--map") for value in mapped)
        _run(plan_load(paths, out, columns, labels, _about()), jobs, "processes", "", "files")


@app.command()
def dedup(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Corpora of one kind of rows.")],
    out: Out,
    split: Annotated[Literal["project", "time", "given"], typer.Option(help="How rows are split.")] = "project",
    fractions: Annotated[str, typer.Option(help="Parts of train, valid and test.")] = "0.9,0.05,0.05",
    threshold: Annotated[float, typer.Option(min=0.3, max=1.0, help="Similarity of near-duplicates.")] = 0.8,
    exact: Annotated[bool, typer.Option("--exact", help="Inside a split, drop exact duplicates only.")] = False,
    benchmarks: Annotated[
        list[Path], typer.Option("--benchmark", metavar="FILE", help="Leave out what shares 10 words in a row with it.")
    ] = [],  # noqa: B006
    scrub: Annotated[bool, typer.Option(help="Mask secrets and e-mail addresses.")] = True,
    licences: Licences = "any",
    most_per_label: Annotated[int, typer.Option(min=0, help="Most rows of a label in a split; 0: all.")] = 0,
    clean_per_buggy: Annotated[float, typer.Option(min=0, help="Most clean rows a buggy one; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(help="Draws the split.")] = 0,
) -> None:
    """Clean corpora: duplicates, conflicts, secrets, benchmark overlap, licences, splits, balance."""
    with _training():
        from codehunch_training.corpus.hygiene import Rules, clean

        rules = Rules(
            split=split,
            fractions=_fractions(fractions),
            threshold=threshold,
            near=not exact,
            licences=_allowed(licences, []).licences,
            benchmarks=tuple(benchmarks),
            scrub=scrub,
            most_per_label=most_per_label,
            clean_per_buggy=clean_per_buggy,
            seed=seed,
        )
        with _progress("rows") as on_progress:
            manifest = clean(folders, out, rules, _about(), on_progress)
        _tell(out, manifest)


@app.command()
def augment(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Corpora of one kind of rows.")],
    out: Out,
    ways: Annotated[
        str,
        typer.Option(
            help="For code: rename, dead-code, comment, reorder, equivalent, tokens."
            " For descriptions: templates, synonyms, mixed, noise."
        ),
    ] = "rename,dead-code,comment,reorder,equivalent",
    copies: Annotated[int, typer.Option(min=1, help="Most copies of a row.")] = 1,
    wordnet: Annotated[Path | None, typer.Option(help="WordNet's database folder, for synonyms.")] = None,
    words: Annotated[Path | None, typer.Option(help="Table of language, word, translation, for mixed.")] = None,
    seed: Annotated[int, typer.Option(help="Draws ways and places.")] = 0,
    jobs: Jobs = _CORES,
    engine: EngineOption = "processes",
    address: Address = "",
) -> None:
    """Add rows written differently, with their labels; held-out rows are passed on as they are."""
    with _training():
        from codehunch_training.corpus.augment import plan_augment

        chosen = [way.strip() for way in ways.split(",") if way.strip()]
        plan = plan_augment(
            folders, out, ways=chosen, copies=copies, seed=seed, wordnet=wordnet, words=words, about=_about()
        )
        _run(plan, jobs, engine, address, "shards")


@app.command()
def made(
    out: Out,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Pairs to make.")] = 1000,
    seed: Annotated[int, typer.Option(help="Draws templates and names.")] = 0,
    jobs: Jobs = _CORES,
) -> None:
    """Make docstring and code pairs from templates."""
    with _training():
        from codehunch_training.corpus.made import plan_made

        _run(plan_made(out, count, seed, _about()), jobs, "processes", "", "pairs")


@app.command()
def backtranslate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A corpus of pairs.")],
    out: Out,
    models: Annotated[Path | None, typer.Option(help="Folder of the two models; trained into it where empty.")] = None,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="How alike the code must come back.")] = 0.5,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each model.")] = 2000,
    width: Annotated[int, typer.Option(min=32, help="Width of the models.")] = 192,
    seed: Annotated[int, typer.Option(help="Draws weights and batches.")] = 0,
) -> None:
    """Describe code anew: code to words by one model, kept where another gets back to the code."""
    with _training("train"):
        from codehunch_training.corpus.backtranslation import Size, back_translate, models_for
        from codehunch_training.corpus.folder import CorpusError, read_rows
        from codehunch_training.corpus.rows import PairRow
        from codehunch_training.corpus.work import Plan, Unit, run

        rows = [row for row in read_rows(folder) if isinstance(row, PairRow)]
        training = [row for row in rows if row.split in ("", "train")]
        if not training:
            raise CorpusError(f"{folder} holds no pairs that may train")
        with _progress("steps") as on_progress:
            from codehunch_training.corpus.work import Progress

            done = 0

            def on_step(step: int, loss: float) -> None:
                nonlocal done
                done += 1
                if on_progress is not None:
                    on_progress(Progress(done, 2 * steps, 0))

            summariser, generator = models_for(training, models, Size(width=width, steps=steps, seed=seed), on_step)
        found = back_translate(iter(training), summariser.translate, generator.translate, least=least)
        options = {"least": least, "steps": steps, "width": width, "seed": seed}
        plan = Plan(_given, options, [Unit("all", list(found))], out, "pairs", _about())
        _tell(out, run(plan))


def _given(rows: list[Any], options: Any, notes: Any) -> Iterator[Any]:
    yield from rows


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished corpus.")]) -> None:
    """Write a corpus's page anew and check its rows against the fingerprint."""
    with _training():
        from codehunch_training.corpus.folder import fingerprint_of, read_manifest
        from codehunch_training.corpus.report import write_report

        manifest = read_manifest(folder)
        if fingerprint_of(folder) != manifest["fingerprint"]:
            raise CommandError(f"{folder}: the rows do not match the fingerprint in corpus.json; make the corpus anew")
        note(f"wrote {write_report(folder)}")
        for field in ("label", "kind", "role", "split", "licence"):
            counts = manifest["counts"].get(field, {})
            print("".join(f"{field:8} {value:28} {count:>10,}\n" for value, count in counts.items()), end="")


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, valid, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise CommandError(f"--fractions {text}: give three numbers, such as 0.8,0.1,0.1") from error
    return train, valid, test


def _halves(text: str, sign: str, option: str) -> tuple[str, str]:
    left, found, right = text.partition(sign)
    if not found:
        raise CommandError(f"{option} {text}: write it as VALUE{sign}KIND")
    return left, right


@contextlib.contextmanager
def _training(extra: str = "corpus") -> Iterator[None]:
    """Says which extra is missing, and turns the corpus's own errors into one line."""
    try:
        from codehunch_training.corpus.folder import CorpusError
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[{extra}]'") from error
    try:
        yield
    except CorpusError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"{_missing(error)} is missing: pip install 'codehunch[{extra}]'") from error


def _missing(error: ImportError) -> str:
    return error.name or str(error)


def _allowed(licences: str, exclude: list[str]) -> Any:
    from codehunch_training.corpus.plans import Allowed

    excluded = frozenset(name.lower() for name in exclude)
    if licences == "any":
        return Allowed(frozenset(), excluded)
    if licences:
        return Allowed(frozenset(name.strip() for name in licences.split(",")), excluded)
    return Allowed(excluded=excluded)


def _expanded(paths: list[Path]) -> list[Path]:
    from codehunch_training.corpus.plans import paths_from_list

    found: list[Path] = []
    for path in paths:
        if str(path).startswith("@"):
            found.extend(paths_from_list(Path(str(path)[1:])))
        else:
            found.append(path)
    return found


def _about() -> dict[str, Any]:
    return {"command": shlex.join(["codehunch", *sys.argv[1:]])}


def _run(plan: Any, jobs: int, engine: Literal["processes", "ray"], address: str, unit: str) -> None:
    """Run a plan with a progress bar and tell what came of it; exits 1 where an input was left out."""
    from codehunch_training.corpus.work import run

    with _progress(unit) as on_progress:
        manifest = run(plan, jobs=jobs, engine=engine, address=address, on_progress=on_progress)
    _tell(plan.out, manifest)


def _tell(out: Path, manifest: dict[str, Any]) -> None:
    for name, reason in manifest["unreadable"]:
        warning(f"{name}: {reason}")
    skipped = sum(manifest["skipped"].values())
    note(f"{manifest['total']:,} rows in {out} ({skipped:,} skipped; reasons in corpus.json)")
    print(manifest["fingerprint"])
    if manifest["unreadable"]:
        raise typer.Exit(SOME_UNREADABLE)


@contextlib.contextmanager
def _progress(unit: str) -> Iterator[Any]:
    """A bar with rate and time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        MofNCompleteColumn(),
        TextColumn(unit),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=None, rows=0, rate="")

        def show(progress: Any) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, completed=progress.done, total=progress.total, rows=progress.rows, rate=rate)

        yield show
