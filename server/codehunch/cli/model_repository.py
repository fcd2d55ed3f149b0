"""``codehunch bundles export --model-repository``: a bundle for a model server."""

from __future__ import annotations

from pathlib import Path

import typer

from codehunch.bundles.store import find, open_entry


def export_repository(reference: str, folder: Path) -> None:
    """Write the models of a bundle into a repository and say how to serve it. Raises BundleError."""
    from codehunch.bundles.errors import BundleError
    from codehunch.inference.errors import InferenceError
    from codehunch.inference.repository import write_repository

    bundle = open_entry(find(reference))
    bundle.verify()
    try:
        written = write_repository(bundle, folder)
    except InferenceError as error:
        raise BundleError(bundle.path, str(error), "export another bundle") from error
    except OSError as error:
        raise BundleError(folder, f"cannot be written ({error.strerror or error})", "choose another folder") from error
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"serve it with `mlserver start {folder}` or `tritonserver --model-repository {folder}`,", err=True)
    typer.echo("and set `inference.endpoint` to its address", err=True)
