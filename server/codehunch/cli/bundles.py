"""``codehunch bundles``: see, install, choose and hand on the models."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from codehunch.cli.console import CommandError
from codehunch.cli.export import (
    Bound,
    Embeddings,
    ErrorLimit,
    Fp16,
    Fp32,
    Identifier,
    Int8,
    Languages,
    License,
    SchemeName,
    Static,
    describe,
    export_errors,
    export_options,
    precision_of,
    progress,
)

if TYPE_CHECKING:
    from rich.console import Console

    from codehunch.bundles.manifest import Task
    from codehunch.bundles.store import Bundle, Entry

app = typer.Typer(
    name="bundles",
    help="List, install, choose, check and export the models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Reference = Annotated[str, typer.Argument(help="A bundle's id, id@version, folder name or embedded:TASK.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all bundles; * marks the active ones."""
    from codehunch.bundles import store
    from codehunch.bundles.manifest import TASKS

    with _errors():
        entries = store.list_bundles()
        if as_json:
            _print_json([_row(entry) for entry in entries])
            return
        for task in TASKS:
            _warn_of_fallback(task)
        if not entries:
            typer.echo("no bundles; install one with `codehunch bundles install FILE`")
            return
        _print_table(entries)


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show a bundle's labels, thresholds and metrics."""
    from codehunch.bundles import store

    with _errors():
        entry = store.find(reference)
        bundle = store.open_entry(entry)
        if as_json:
            typer.echo((bundle.path / "manifest.json").read_text(encoding="utf-8"), nl=False)
            return
        _print_bundle(bundle)


@app.command()
def install(
    source: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A bundle's folder, .tar.gz or .zip.")],
    activate: Annotated[bool, typer.Option("--use/--no-use", help="Make it the active bundle of its task.")] = True,
) -> None:
    """Install a bundle and make it active."""
    from codehunch.bundles import store

    with _errors():
        bundle = store.install(source, activate=activate)
    typer.echo(f"installed {_title(bundle)}" + (f", now active for {bundle.manifest.task}" if activate else ""))


@app.command()
def use(reference: Reference) -> None:
    """Make a bundle the active one of its task."""
    from codehunch.bundles import store

    with _errors():
        bundle = store.use(reference)
    typer.echo(f"{_title(bundle)} is now active for {bundle.manifest.task}")


@app.command()
def remove(reference: Reference) -> None:
    """Delete an installed bundle; an id means all its versions."""
    from codehunch.bundles import store

    with _errors():
        for name in store.remove(reference):
            typer.echo(f"removed {name}")


@app.command()
def verify(
    reference: Annotated[str | None, typer.Argument(help="One bundle; all of them when left out.")] = None,
) -> None:
    """Compare every file with its SHA-256."""
    from codehunch.bundles import store

    with _errors():
        entries = store.verify(reference)
    for entry in entries:
        if entry.problem is None:
            typer.echo(f"ok      {entry.name}")
        else:
            typer.echo(f"broken  {entry.name}")
            typer.echo(f"error: {entry.problem}", err=True)
    if any(entry.problem is not None for entry in entries):
        raise typer.Exit(2)


@app.command()
def rollback(task: Annotated[str, typer.Argument(help="defects or generation.")] = "defects") -> None:
    """Go back to the bundle used before."""
    from codehunch.bundles import store

    with _errors():
        bundle = store.rollback(_task(task))
    typer.echo(f"{_title(bundle)} is active for {task} again")


@app.command()
def export(
    reference: Reference,
    out: Annotated[Path, typer.Option("--out", "-o", help="A .tar.gz or .zip file, or a folder.")] = Path(),
    model_repository: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what NVIDIA Triton and MLServer load instead.")
    ] = None,
) -> None:
    """Write a bundle as one archive, or for a model server."""
    from codehunch.bundles import store
    from codehunch.cli.model_repository import export_repository

    with _errors():
        if model_repository is not None:
            export_repository(reference, model_repository)
            return
        typer.echo(f"wrote {store.export(reference, out)}")


@app.command()
def add(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's folder, or its id on the Hugging Face hub.")],
    task: Annotated[str, typer.Option("--task", help="defects or generation.")] = "defects",
    int8: Int8 = False,
    fp16: Fp16 = False,
    fp32: Fp32 = False,
    scheme: SchemeName = "reduced",
    static: Static = False,
    embeddings: Embeddings = True,
    error_limit: ErrorLimit = 0.15,
    bound: Bound = None,
    prompt: Annotated[
        str, typer.Option(help="How a generation model is asked: auto, text, infill or middle.")
    ] = "auto",
    identifier: Identifier = "",
    language: Languages = None,
    license: License = "unknown",
    activate: Annotated[bool, typer.Option("--use/--no-use", help="Make it the active bundle of its task.")] = True,
) -> None:
    """Turn a PyTorch checkpoint into a bundle and install it.

    The checkpoint is exported to ONNX, quantised, compared with PyTorch on functions of Python's standard library,
    installed and made active. Defects: a classifier of functions or tokens whose first label means clean, such as a
    fine-tuned CodeBERT. Generation: encoder-decoders (CodeT5, PLBART) and decoder-only models (GPT-2, LLaMA, Qwen2),
    which fill in the middle where their tokenizer has the tokens for it.

    The network is used only for a hub id. Needs the extra `train`. Exits with 1 when the graphs are not the model.
    """
    import tempfile

    from codehunch.bundles import store

    with _errors(), export_errors():
        chosen = _task(task)
        from codehunch_training.export.add import PROMPTS, add_checkpoint

        if prompt not in PROMPTS:
            raise CommandError(f"--prompt {prompt}: choose {', '.join(PROMPTS)}")
        options = export_options(
            precision_of(int8, fp16, fp32), scheme, static, embeddings, error_limit, bound or (), identifier,
            language or (), license,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as work, progress() as say:
            made = add_checkpoint(checkpoint, chosen, Path(work) / "bundle", options, prompt, say)
            describe(made)
            bundle = store.install(made.path, activate=activate)
    active = f", now active for {bundle.manifest.task}" if activate else ""
    typer.echo(f"installed {_title(bundle)}{active}")


@app.command()
def restore(
    reference: Annotated[str, typer.Argument(help="As for the other commands, or a bundle's folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint.")],
    compare: Annotated[
        Path | None, typer.Option(help="A source tree: measure bundle and checkpoint on its functions.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many functions to measure on.")] = 300,
) -> None:
    """Turn a bundle back into a PyTorch checkpoint to train on from.

    The int8 weights become floats in the layout of Hugging Face: config.json, model.safetensors, tokenizer.json.
    Before anything is written, the model must give the logits of the bundle's graph. Needs the extra `train`.
    """
    from codehunch.bundles import store
    from codehunch.bundles.bundle import load_bundle

    with _errors():
        folder = Path(reference)
        bundle = (
            load_bundle(folder) if (folder / "manifest.json").is_file() else store.open_entry(store.find(reference))
        )
        bundle.verify()
        if compare is not None and not compare.is_dir():
            _fail(f"{compare}: no such folder; --compare takes a source tree")
        try:
            from codehunch_training.export.agreement import compare as measure
            from codehunch_training.export.restore import restore as write_checkpoint

            write_checkpoint(bundle, out)
            measured = measure(bundle, out, compare, count) if compare is not None else {}
        except ImportError as error:
            _fail(f'restoring a checkpoint needs {error.name or error}: pip install "codehunch[train]"')
        except (OSError, ValueError) as error:
            _fail(str(error))
    typer.echo(f"wrote {out}: {_title(bundle)} as a PyTorch checkpoint")
    for name, metrics in measured.items():
        shown = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items() if isinstance(value, float))
        typer.echo(f"{name:10}  {metrics['n']} functions: {shown}")


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """A BundleError becomes one line on stderr and exit code 2."""
    from codehunch.bundles.errors import BundleError

    try:
        yield
    except BundleError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {' '.join(message.splitlines())}", err=True)
    raise typer.Exit(2)


def _warn_of_fallback(task: Task) -> None:
    from codehunch.bundles import store

    warnings: list[str] = []
    with contextlib.suppress(store.BundleError):  # nothing installed at all is no reason to fail a list
        store.active_bundle(task, warnings, check_hashes=False)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)


def _task(name: str) -> Task:
    from codehunch.bundles.manifest import TASKS

    for task in TASKS:
        if name == task:
            return task
    _fail(f"no task {name!r}: choose {' or '.join(TASKS)}")


def _title(bundle: Bundle) -> str:
    return f"{bundle.manifest.id} {bundle.manifest.version}"


def _row(entry: Entry) -> dict[str, Any]:
    manifest = entry.bundle.manifest if entry.bundle is not None else None
    return {
        "name": entry.name,
        "active": entry.active,
        "embedded": entry.embedded,
        "problem": entry.problem,
        "id": manifest and manifest.id,
        "version": manifest and manifest.version,
        "task": manifest and manifest.task,
        "languages": manifest and list(manifest.languages),
        "license": manifest and manifest.license,
        "size": entry.bundle.size if entry.bundle is not None else None,
        "path": str(entry.bundle.path) if entry.bundle is not None else None,
    }


def _print_json(tree: object) -> None:
    typer.echo(json.dumps(tree, indent=2, ensure_ascii=False))


def _console() -> Console:
    from rich.console import Console

    # Into a pipe nothing is cut: the width of a terminal nobody looks at would shorten names with an ellipsis.
    return Console(width=None if sys.stdout.isatty() else 240, highlight=False, soft_wrap=not sys.stdout.isatty())


def _print_table(entries: tuple[Entry, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "bundle", "version", "task", "languages"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("origin")
    for entry in entries:
        mark = Text("*", style="green") if entry.active else ""
        if entry.bundle is None:
            table.add_row(mark, entry.name, "", Text("broken", style="red"), "", "", _origin(entry))
            continue
        manifest = entry.bundle.manifest
        languages = ", ".join(manifest.languages)
        size = _megabytes(entry.bundle.size)
        table.add_row(mark, manifest.id, manifest.version, manifest.task, languages, size, _origin(entry))
    _console().print(table)
    for entry in entries:
        if entry.problem is not None:
            typer.echo(f"error: {entry.problem}", err=True)


def _origin(entry: Entry) -> str:
    return "came with codehunch" if entry.embedded else "installed"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _print_bundle(bundle: Bundle) -> None:
    from rich.table import Table

    manifest = bundle.manifest
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows: dict[str, object] = {
        "bundle": _title(bundle),
        "task": manifest.task,
        "languages": ", ".join(manifest.languages),
        "license": manifest.license,
        "created": manifest.created,
        "size": _megabytes(bundle.size),
        "folder": bundle.path,
        "window": f"{manifest.encoding.window} tokens, {manifest.encoding.stride} shared",
    }
    if manifest.defects is not None:
        rows["labels"] = ", ".join(manifest.defects.labels or manifest.defects.sequence_labels)
        for level, threshold in manifest.defects.thresholds.items():
            alarms = manifest.defects.alarms_per_kloc.get(level)
            measured = f", {alarms:.2f} warnings per 1,000 clean lines" if alarms is not None else ""
            rows[f"sensitivity {level}"] = f"from {threshold:.3f}{measured}"
    if manifest.generation is not None:
        rows["prompt"] = f"up to {manifest.generation.max_prompt} tokens"
        rows["answer"] = f"up to {manifest.generation.max_new} tokens"
    for section in ("quantization", "parity", "metrics", "provenance"):
        for key, value in getattr(manifest, section).items():
            rows[f"{section} {key}"] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    for key, value in rows.items():
        table.add_row(key, str(value))
    _console().print(table, markup=False)
