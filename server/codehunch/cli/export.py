"""``codehunch export``: a finished run as a bundle."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codehunch.cli.console import CommandError, error, note

if TYPE_CHECKING:
    from codehunch.bundles.bundle import Bundle

GATE = 1
"""Exit code where the graphs are not the model."""

Int8 = Annotated[bool, typer.Option("--int8", help="Integers of eight bits, for CPUs. The default.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Half precision, for CUDA.")]
Fp32 = Annotated[bool, typer.Option("--fp32", help="As it was trained.")]
SchemeName = Annotated[
    str, typer.Option("--scheme", help="int8 weights: reduced (right everywhere), vnni, or u8u8.", show_default=True)
]
Static = Annotated[bool, typer.Option("--static", help="Fix the ranges of activations from held-out examples.")]
Embeddings = Annotated[bool, typer.Option("--embeddings/--no-embeddings", help="Quantise embeddings as well.")]
ErrorLimit = Annotated[
    float, typer.Option("--error-limit", help="Relative error of the outputs above which parts stay in floats.")
]
Bound = Annotated[
    list[str] | None,
    typer.Option("--bound", metavar="NAME=VALUE", help="fp32_difference, difference, agreement or metric_loss."),
]
Identifier = Annotated[str, typer.Option("--id", help="The bundle's name. [default: from the run or the checkpoint]")]
Languages = Annotated[
    list[str] | None, typer.Option("--language", help="An LSP language identifier the model reads; repeatable.")
]
License = Annotated[str, typer.Option("--license", help="SPDX expression of the weights.")]


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of `codehunch train`, or its best/.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BUNDLE", help="Folder of the bundle.")],
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help="Rows with a test or valid split. [default: the run's own]")
    ] = None,
    int8: Int8 = False,
    fp16: Fp16 = False,
    fp32: Fp32 = False,
    scheme: SchemeName = "reduced",
    static: Static = False,
    embeddings: Embeddings = True,
    error_limit: ErrorLimit = 0.15,
    bound: Bound = None,
    identifier: Identifier = "",
    language: Languages = None,
    license: License = "unknown",
) -> None:
    """Make a bundle of a finished run: ONNX graphs, quantised, measured, calibrated.

    Parity with PyTorch is measured on held-out rows and written into the manifest; past a bound nothing is written.
    Temperature and thresholds are fitted on other held-out rows, in warnings per 1,000 lines of clean code. The bundle
    gets a MODEL_CARD.md. `codehunch bundles install BUNDLE` makes the server use it.

    Exits with 0 when the bundle is there, 1 when the graphs are not the model, 2 when something is wrong.
    """
    with export_errors():
        from codehunch_training.export.toolbox import export_run

        options = export_options(
            precision_of(int8, fp16, fp32), scheme, static, embeddings, error_limit, bound or (), identifier,
            language or (), license,
        )  # fmt: skip
        with progress() as say:
            bundle = export_run(run, out, options, data, say)
    describe(bundle)
    print(out)


def precision_of(int8: bool, fp16: bool, fp32: bool) -> str:
    """The one precision chosen. Raises CommandError for two."""
    chosen = [name for name, wanted in (("int8", int8), ("fp16", fp16), ("fp32", fp32)) if wanted]
    if len(chosen) > 1:
        raise CommandError(f"choose one of {', '.join('--' + name for name in chosen)}")
    return chosen[0] if chosen else "int8"


def export_options(
    precision: str,
    scheme: str,
    static: bool,
    embeddings: bool,
    error_limit: float,
    bound: Sequence[str],
    identifier: str,
    languages: Sequence[str],
    license: str,
) -> Any:
    """The training package's Options. Raises CommandError for what does not exist."""
    import attrs

    from codehunch_training.export.bundling import Options
    from codehunch_training.export.parity import Bounds
    from codehunch_training.export.quantisation import SCHEMES

    if scheme not in SCHEMES:
        raise CommandError(f"no scheme {scheme!r}: choose {', '.join(SCHEMES)}")
    names = [field.name for field in attrs.fields(Bounds)]
    chosen: dict[str, float] = {}
    for each in bound:
        name, _, value = each.partition("=")
        try:
            chosen[name] = float(value)
        except ValueError as problem:
            raise CommandError(f"--bound {each}: write NAME=NUMBER") from problem
        if name not in names:
            raise CommandError(f"--bound {each}: no such bound; there are {', '.join(names)}")
    return Options(
        precision=precision,
        scheme=attrs.evolve(SCHEMES[scheme], static=static, embeddings=embeddings),
        bounds=Bounds(**chosen),
        error_limit=error_limit,
        identifier=identifier,
        languages=tuple(languages),
        license=license,
    )


@contextlib.contextmanager
def export_errors() -> Iterator[None]:
    """One line for what a person can change; exit code 1 where the gate stays shut."""
    try:
        from codehunch_training.errors import ToolboxError
        from codehunch_training.export.parity import ParityError
    except ImportError as missing:
        raise CommandError(f"{missing.name or missing} is missing: pip install 'codehunch[train]'") from missing
    try:
        yield
    except ParityError as shut:
        error(f"not written, for the graphs are not the model: {shut}")
        raise typer.Exit(GATE) from shut
    except ImportError as missing:
        raise CommandError(f"{missing.name or missing} is missing: pip install 'codehunch[train]'") from missing
    except (ToolboxError, ValueError) as problem:
        raise CommandError(" ".join(str(problem).split())) from problem


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        yield lambda text: status.update(text)


def describe(bundle: Bundle) -> None:
    """What was measured, in a few lines on stderr."""
    manifest = bundle.manifest
    note(f"{manifest.id} {manifest.version} for {manifest.task}, {bundle.size / 1e6:.1f} MB")
    own = manifest.parity.get("pytorch", {}).get("metrics", {})
    metric = manifest.parity.get("metric", "")
    if metric in own:
        note(f"{'pytorch':10} {metric} {own[metric]:.4f}")
    for name, row in manifest.parity.items():
        if isinstance(row, dict) and "largest_difference" in row:
            shown = f", {metric} {row['metrics'][metric]:.4f}" if metric in row.get("metrics", {}) else ""
            note(
                f"{name:10} {row['agreement']:.2%} of {row['decisions']} decisions, "
                f"largest difference {row['largest_difference']:.2g}{shown}"
            )
    parts = manifest.quantization.get("parts", {})
    kept = [part for each in parts.values() for part in each.get("kept_in_floats", ())]
    if kept:
        note(f"left in floats: {', '.join(kept)}")
    for level, alarms in manifest.defects.alarms_per_kloc.items() if manifest.defects is not None else ():
        note(f"{level:10} {alarms:.2f} warnings per 1,000 clean lines")
