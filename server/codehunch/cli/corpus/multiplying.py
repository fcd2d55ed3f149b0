"""More rows from few, or from none: augment, made, backtranslate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codehunch.cli.corpus.options import (
    CORES,
    Address,
    Engine,
    Folders,
    Jobs,
    Out,
)
from codehunch.cli.corpus.running import about, progress, run_plan, training


def augment(
    folders: Folders,
    out: Out,
    ways: Annotated[
        str,
        typer.Option(
            help="For code: rename, dead-code, comment, reorder, equivalent, tokens."
            " For descriptions: templates, synonyms, mixed, noise."
        ),
    ] = "rename,dead-code,comment,reorder,equivalent",
    copies: Annotated[int, typer.Option(min=1, help="Most copies of a row.")] = 1,
    wordnet: Annotated[
        Path | None, typer.Option(help="WordNet's database folder, for more synonyms than the own table has.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="Table of language, word, translation, for mixed.")] = None,
    seed: Annotated[int, typer.Option(help="Draws ways and places.")] = 0,
    jobs: Jobs = CORES,
    engine: Engine = "processes",
    address: Address = "",
) -> None:
    """Add rows written differently, with their labels; held-out rows are passed on as they are."""
    with training():
        from codehunch_training.corpus.augment import plan_augment

        chosen = [way.strip() for way in ways.split(",") if way.strip()]
        plan = plan_augment(
            folders, out, ways=chosen, copies=copies, seed=seed, wordnet=wordnet, words=words, about=about()
        )
        run_plan(plan, "rows", jobs=jobs, engine=engine, address=address)


def made(
    out: Out,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Pairs to make.")] = 1000,
    seed: Annotated[int, typer.Option(help="Draws templates and names.")] = 0,
    jobs: Jobs = CORES,
) -> None:
    """Make docstring and code pairs from templates."""
    with training():
        from codehunch_training.corpus.made import plan_made

        run_plan(plan_made(out, count, seed, about()), "pairs", jobs=jobs)


def backtranslate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A corpus of pairs.")],
    out: Out,
    models: Annotated[
        Path | None, typer.Option(help="Folder of the two models, trained where missing; else DIR-models.")
    ] = None,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="How alike the code must come back.")] = 0.5,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each model.")] = 2000,
    width: Annotated[int, typer.Option(min=32, help="Width of the models.")] = 192,
    seed: Annotated[int, typer.Option(help="Draws weights and batches.")] = 0,
    jobs: Jobs = CORES,
) -> None:
    """Describe code anew: code to words by one model, kept where another gets back to the code."""
    with training("train"):
        from codehunch_training.corpus.backtranslation import Size, plan_back_translation

        size = Size(width=width, steps=steps, seed=seed)
        kept = models or out.with_name(f"{out.name}-models")
        with progress("steps") as on_progress:
            plan = plan_back_translation(
                folder, out, kept, least=least, size=size, about=about(), on_progress=on_progress
            )
        run_plan(plan, "pairs", jobs=jobs)
