"""A run on disk: how it came about, its log, resumable checkpoints, and the best model so far.

``best/`` is a plain Hugging Face checkpoint with one file more, ``codehunch.json``. Whatever is written takes its place
by a rename, so a kill, a full disk or a lost machine leaves the one before.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs
import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.errors import ToolboxError
from codehunch_training.recipe import Recipe, load_recipe, to_toml

DESCRIPTION = "codehunch.json"
COMPLETE = "complete.json"
"""Written last into a checkpoint; one without it was interrupted."""
_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "numpy", "safetensors", "peft")


class RunError(ToolboxError):
    """A run folder that cannot be used; the message says what to do."""


@attrs.frozen(eq=False)
class Run:
    """What ``train`` returns: the folder, what run.json says, and whether the run came to its end."""

    folder: Path
    summary: Mapping[str, Any]
    finished: bool

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metrics of the best checkpoint on the validation rows."""
        return self.summary["metrics"]


@attrs.frozen(eq=False)
class LoadedRun:
    """A finished run's best model, ready to measure or to export."""

    task: Any
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    recipe: Recipe
    description: Mapping[str, Any]


def write_text(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    fresh = path.with_name(path.name + ".part")
    with fresh.open("w", encoding="utf-8") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    fresh.replace(path)


def write_json(path: Path, tree: Any) -> None:
    write_text(path, json.dumps(tree, indent=2, ensure_ascii=False, default=str) + "\n")


def append_log(folder: Path, row: Mapping[str, Any]) -> None:
    """One line to log.jsonl."""
    rounded = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(rounded) + "\n")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All lines of log.jsonl; a line cut off by a kill is left out."""
    rows = []
    path = folder / "log.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _trim_log(folder: Path, step: int) -> None:
    """Leave out what a killed run logged after the checkpoint it goes on from."""
    rows = [row for row in read_log(folder) if row.get("step", 0) <= step]
    if rows or (folder / "log.jsonl").is_file():
        write_text(folder / "log.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def swap_in(fresh: Path, place: Path) -> None:
    """Put the folder ``fresh`` where ``place`` is; a kill between the renames is mended by ``recover``."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Mend what a kill left: a best model between two names, half-written checkpoints."""
    best, old = folder / "best", folder / "best.old"
    if not best.exists() and old.exists():
        old.rename(best)
    for path in (old, folder / "best.part", folder / "checkpoints" / "staging"):
        shutil.rmtree(path, ignore_errors=True)
    for path in checkpoints(folder, complete=False):
        if not (path / COMPLETE).is_file():
            shutil.rmtree(path, ignore_errors=True)


def checkpoints(folder: Path, complete: bool = True) -> list[Path]:
    """Resumable checkpoints, the oldest first."""
    found = [
        path
        for path in (folder / "checkpoints").glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdecimal() and ((path / COMPLETE).is_file() or not complete)
    ]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def save_best(folder: Path, task: Any, model: PreTrainedModel, description: Mapping[str, Any]) -> None:
    """Write ``best/`` beside the one before, then swap."""
    fresh = folder / "best.part"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    task.save_model(model, fresh)
    task.tokenizer.save_pretrained(fresh)
    write_json(fresh / DESCRIPTION, description)
    swap_in(fresh, folder / "best")


def load_run(folder: Path, device: torch.device | None = None) -> LoadedRun:
    """The best model of a run folder (or its ``best/``). Raises RunError."""
    from codehunch_training.tasks import TASKS

    best = folder / "best" if (folder / "best").is_dir() else folder
    path = best / DESCRIPTION
    if not path.is_file():
        raise RunError(
            f"{folder} holds no finished model ({DESCRIPTION} is missing); is it a folder `codehunch train` made?"
        )
    description = json.loads(path.read_text(encoding="utf-8"))
    recipe_file = folder / "recipe.toml" if (folder / "recipe.toml").is_file() else best.parent / "recipe.toml"
    recipe = load_recipe(recipe_file) if recipe_file.is_file() else Recipe()
    if description["task"] not in TASKS:
        raise RunError(f"{path}: unknown task {description['task']!r}; update codehunch")
    tokenizer = AutoTokenizer.from_pretrained(best, trust_remote_code=False)
    task = TASKS[description["task"]]()
    task.restore(description, tokenizer, recipe)
    model = task.load_model(best)
    if "adapter" in description:
        from codehunch_training.techniques.adapters import attach

        model = attach(model, best, description["adapter"])
    model = model.eval()
    return LoadedRun(task, model.to(device) if device is not None else model, tokenizer, recipe, description)


def provenance() -> dict[str, Any]:
    """Versions, git revision and hardware of this process."""
    versions = {}
    for name in ("codehunch", *_PACKAGES):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    hardware: dict[str, Any] = {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        hardware["cuda"] = torch.cuda.get_device_name()
    return {
        "versions": versions,
        "python": platform.python_version(),
        "revision": _revision(),
        "hardware": hardware,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _revision() -> str:
    """The commit of the sources in use, with ``+`` where they were changed; empty outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return ""

    commit = git("rev-parse", "HEAD")
    return commit + "+" if commit and git("status", "--porcelain", "--untracked-files=no", ".") else commit


def start_folder(folder: Path, recipe: Recipe, identity: Mapping[str, Any], resume: bool) -> Path | None:
    """Prepare a run folder; the checkpoint to resume from, or None.

    ``identity``: what must not change between a run and its continuation. Raises RunError where it did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recover(folder)
    about = folder / "run.json"
    before = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else None
    if before is None and any(path.name != "phases" for path in folder.iterdir()):
        raise RunError(f"{folder} is not empty and no run; choose another --out")
    if before is not None and resume:
        changed = [key for key, value in identity.items() if before.get("identity", {}).get(key) != value]
        if changed:
            raise RunError(
                f"{folder} holds a run with another {' and '.join(changed)}; "
                "choose another --out, or --fresh to begin anew there"
            )
        found = checkpoints(folder)
        _trim_log(folder, int(found[-1].name.rpartition("-")[2]) if found else 0)
        return found[-1] if found else None
    for path in (folder / "best", folder / "checkpoints", folder / "tensorboard"):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("run.json", "log.jsonl"):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / "recipe.toml", to_toml(recipe))
    return None


Progress = Callable[[Mapping[str, Any]], None]
"""Told after every step: ``step``, ``steps``, ``loss``, ``rate`` (tokens a second), ``seconds_left``; and at each
evaluation: ``metrics``."""
