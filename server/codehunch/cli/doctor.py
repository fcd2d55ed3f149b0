"""``codehunch doctor``: is everything here that the work needs, and if not, what to do about it."""

from __future__ import annotations

import csv
import importlib
import importlib.metadata
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import attrs
import typer

Status = Literal["ok", "warning", "problem"]

PACKAGES = ("tokenizers", "numpy", "tree-sitter", "pygls", "lsprotocol", "attrs", "cattrs", "typer", "rich")

RUNTIME = "onnxruntime"
GPU_RUNTIME = "onnxruntime-gpu"
RUNTIMES = (RUNTIME, GPU_RUNTIME, "onnxruntime-directml", "onnxruntime-openvino")
"""Distributions that all write the one package folder ``onnxruntime``."""

SWAP = f"pip uninstall {RUNTIME} {GPU_RUNTIME} && pip install {GPU_RUNTIME}"


@attrs.frozen
class Check:
    """One line of the report."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check versions, providers, bundles, grammars and folders; exit 1 where something is broken."""
    checks = list(examine())
    healthy = all(check.status != "problem" for check in checks)
    if as_json:
        tree = {"healthy": healthy, "checks": [attrs.asdict(check) for check in checks]}
        typer.echo(json.dumps(tree, indent=2, ensure_ascii=False))
    else:
        _print(checks)
    raise typer.Exit(0 if healthy else 1)


def examine() -> Iterator[Check]:
    """Every check in turn. A check that itself fails is reported as a problem and the next one runs."""
    for part in (_versions, _runtime, _grammars, _folders, _bundles, _graphs):
        yield from _guarded(part)


def _guarded(part: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    try:
        yield from part()
    except Exception as error:
        reinstall = "pip install --force-reinstall codehunch"
        yield Check(part.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}", reinstall)


def _versions() -> Iterator[Check]:
    from codehunch import __version__

    yield Check("codehunch", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Check("python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.platform(terse=True)}")
    for name in PACKAGES:
        try:
            yield Check(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "problem", "is not installed", f"pip install {name}")


def _runtime() -> Iterator[Check]:
    installed = runtime_distributions()
    yield from runtime_checks(installed)
    try:
        runtime = importlib.import_module(RUNTIME)
        providers = ", ".join(runtime.get_available_providers())
        yield Check("providers", "ok", f"{providers} (onnxruntime {runtime.__version__})")
    except (ImportError, AttributeError) as error:
        # After one of two wheels was uninstalled the folder may still import, empty.
        yield Check("providers", "problem", f"onnxruntime does not load ({error})", _repair(installed))


def runtime_distributions(path: list[str] | None = None) -> dict[str, importlib.metadata.Distribution]:
    """The onnxruntime wheels that are installed, by name; ``path`` replaces ``sys.path``."""
    found = importlib.metadata.distributions() if path is None else importlib.metadata.distributions(path=path)
    return {name: each for each in found if (name := (each.name or "").lower().replace("_", "-")) in RUNTIMES}


def runtime_checks(installed: dict[str, importlib.metadata.Distribution]) -> Iterator[Check]:
    """What the installed onnxruntime wheels say: none, several in one folder, or one whose files are not its own."""
    if not installed:
        yield Check(RUNTIME, "problem", "is not installed", f"pip install {RUNTIME}")
        return
    if len(installed) > 1:
        names = " and ".join(sorted(installed))
        yield Check(
            "onnxruntime wheels", "warning", f"{names} are both installed and overwrite each other's files", SWAP
        )
    for name, distribution in sorted(installed.items()):
        missing, foreign = _file_state(distribution)
        if missing or (foreign and len(installed) == 1):
            detail = f"{distribution.version}: {missing} of its files are missing, {foreign} belong to another wheel"
            yield Check(name, "problem", detail, _repair(installed))
        else:
            yield Check(name, "ok", distribution.version)


def _file_state(distribution: importlib.metadata.Distribution) -> tuple[int, int]:
    """How many recorded files of the package folder are missing, and how many have another size."""
    missing = foreign = 0
    # Distribution.files leaves missing files out from Python 3.12 on, so the record is read here.
    for name, _, size in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if not name.startswith(f"{RUNTIME}/") or name.endswith(".pyc"):
            continue
        path = Path(str(distribution.locate_file(name)))
        if not path.is_file():
            missing += 1
        elif size and path.stat().st_size != int(size):
            foreign += 1
    return missing, foreign


def _repair(installed: Iterable[str]) -> str:
    names = sorted(installed)
    if len(names) > 1:
        return SWAP
    name = names[0] if names else RUNTIME
    return f"pip install --force-reinstall --no-deps {name}"


def _grammars() -> Iterator[Check]:
    from codehunch.syntax.languages import LANGUAGES, GrammarMissing, grammar

    there, absent = [], []
    for spec in LANGUAGES:
        try:
            grammar(spec.name)
            there.append(spec.name)
        except GrammarMissing:
            absent.append(spec.name)
    detail = ", ".join(there) + (f" (not installed: {', '.join(absent)})" if absent else "")
    if "python" in absent:
        yield Check("grammars", "problem", "the Python grammar is not installed", "pip install tree-sitter-python")
    else:
        yield Check("grammars", "ok", detail)


def _folders() -> Iterator[Check]:
    import platformdirs

    from codehunch.bundles.store import HOME_VARIABLE, store_folder

    cache = Path(platformdirs.user_cache_dir("codehunch", appauthor=False))
    for name, folder in (("bundle folder", store_folder()), ("cache folder", cache)):
        try:
            with tempfile.TemporaryFile(dir=_nearest_existing(folder)):
                yield Check(name, "ok", f"{folder} is writable")
        except OSError as error:
            remedy = f"set {HOME_VARIABLE} to a folder of yours" if name == "bundle folder" else "make it writable"
            yield Check(name, "problem", f"{folder} is not writable ({error.strerror})", remedy)


def _nearest_existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _bundles() -> Iterator[Check]:
    from codehunch.bundles import store
    from codehunch.bundles.manifest import TASKS

    for entry in store.verify():
        if entry.problem is not None:
            problem, _, remedy = entry.problem.rpartition("; ")
            yield Check(f"bundle {entry.name}", "problem", problem, remedy)
        elif entry.bundle is not None:
            manifest = entry.bundle.manifest
            detail = f"{manifest.id} {manifest.version} for {manifest.task}, every SHA-256 is right"
            yield Check(f"bundle {entry.name}", "ok", detail)
    for task in TASKS:
        warnings: list[str] = []
        try:
            bundle = store.active_bundle(task, warnings, check_hashes=False)
        except store.BundleError as error:
            yield Check(f"active {task}", "problem", f"{error.file}: {error.problem}", error.remedy)
            continue
        for warning in warnings:
            yield Check(f"active {task}", "problem", warning)
        yield Check(f"active {task}", "ok", f"{bundle.manifest.id} {bundle.manifest.version}")


def _graphs() -> Iterator[Check]:
    from codehunch.bundles import store
    from codehunch.bundles.manifest import TASKS
    from codehunch.inference.errors import InferenceError

    try:
        from codehunch.inference.session import create_session
    except ImportError:
        return  # said above

    for task in TASKS:
        try:
            bundle = store.active_bundle(task, check_hashes=False)
        except store.BundleError:
            continue  # said above
        graphs = [name for name in bundle.manifest.needed_files() if name.endswith(".onnx")]
        try:
            for name in graphs:
                create_session(bundle.file(name), providers=["cpu"])
        except InferenceError as error:
            yield Check(f"graphs {task}", "problem", str(error))
        else:
            yield Check(f"graphs {task}", "ok", f"{len(graphs)} opened")


def _print(checks: list[Check]) -> None:
    styles = {"ok": ("ok", "green"), "warning": ("warn", "yellow"), "problem": ("FAIL", "red")}
    width = max(len(check.name) for check in checks)
    for check in checks:
        word, colour = styles[check.status]
        detail = " ".join(check.detail.splitlines())
        typer.echo(f"{typer.style(f'{word:4}', fg=colour)}  {check.name:{width}}  {detail}")
        if check.remedy is not None:
            typer.echo(f"{'':4}  {'':{width}}  -> {check.remedy}")
    counts = {status: sum(check.status == status for check in checks) for status in ("problem", "warning")}
    said = [f"{count} {status}{'s' * (count > 1)}" for status, count in counts.items() if count]
    typer.echo("\n" + (", ".join(said) or "everything is in order"))
