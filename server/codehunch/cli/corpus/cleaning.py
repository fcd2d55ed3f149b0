"""From raw corpora to one that may train, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from codehunch.cli.console import CommandError, note
from codehunch.cli.corpus.options import (
    Folders,
    Licences,
    Out,
    allowed,
)
from codehunch.cli.corpus.running import about, progress, tell, training


def dedup(
    folders: Folders,
    out: Out,
    split: Annotated[Literal["project", "time", "given"], typer.Option(help="How rows are split.")] = "project",
    fractions: Annotated[str, typer.Option(help="Parts of train, valid and test.")] = "0.9,0.05,0.05",
    threshold: Annotated[float, typer.Option(min=0.3, max=1.0, help="Similarity of near-duplicates.")] = 0.8,
    exact: Annotated[bool, typer.Option("--exact", help="Inside a split, drop exact duplicates only.")] = False,
    benchmarks: Annotated[
        list[Path],
        typer.Option("--benchmark", metavar="FILE", help="Leave out what shares 10 words in a row with it, too."),
    ] = [],  # noqa: B006
    known_benchmarks: Annotated[
        bool, typer.Option(help="Leave out what shares 10 words in a row with HumanEval, HumanEvalPack or MBPP.")
    ] = True,
    scrub: Annotated[bool, typer.Option(help="Mask secrets and e-mail addresses.")] = True,
    licences: Licences = "any",
    most_per_label: Annotated[int, typer.Option(min=0, help="Most rows of a label in a split; 0: all.")] = 0,
    clean_per_buggy: Annotated[float, typer.Option(min=0, help="Most clean rows a buggy one; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(help="Draws the split.")] = 0,
) -> None:
    """Clean corpora: duplicates, conflicts, secrets, benchmark overlap, licences, splits, balance."""
    with training():
        from codehunch_training.corpus.hygiene import Rules, clean

        rules = Rules(
            split=split,
            fractions=_fractions(fractions),
            threshold=threshold,
            near=not exact,
            licences=allowed(licences, []).licences,
            benchmarks=tuple(benchmarks),
            known_benchmarks=known_benchmarks,
            scrub=scrub,
            most_per_label=most_per_label,
            clean_per_buggy=clean_per_buggy,
            seed=seed,
        )
        with progress("rows") as on_progress:
            manifest = clean(folders, out, rules, about(), on_progress)
        tell(out, manifest)


def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished corpus.")]) -> None:
    """Write a corpus's page anew and check its rows against the fingerprint."""
    with training():
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
