"""The tasks of ``codehunch train``, each in its own file and imported when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codehunch_training.tasks.specification import Task


def _lazy(module: str, name: str) -> Callable[[], Task]:
    def make() -> Task:
        task: Task = getattr(importlib.import_module(f"codehunch_training.tasks.{module}"), name)()
        return task

    return make


TASKS: Mapping[str, Callable[[], Task]] = {
    "classify": _lazy("classify", "Classify"),
    "tokens": _lazy("tokens", "Tokens"),
    "defects": _lazy("joint_defects", "JointDefects"),
    "pretrain": _lazy("pretrain", "Pretrain"),
    "generation": _lazy("seq2seq", "Seq2Seq"),
    "causal": _lazy("causal", "Causal"),
    "search": _lazy("search", "Search"),
    "names": _lazy("names", "Names"),
    "denoising": _lazy("denoising", "Denoising"),
}
