"""What a person asks of ``codehunch retrain``, and the recipe behind it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import attrs
import cattrs

DEFAULT_RECIPE = Path(__file__).parents[1] / "recipes" / "retrain.toml"
Task = Literal["defects", "generation"]
TASKS: tuple[Task, ...] = ("defects", "generation")


class RetrainError(Exception):
    """Something a person can put right; the message says what was wrong and what to do. No bundle was changed."""


@attrs.frozen
class Tuning:
    """How one task is fine-tuned. Lengths are in tokens, shares from 0 to 1."""

    learning_rate: float = 3e-4
    batch_tokens: int = 4096
    """Padded tokens of a batch."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises; it falls along a cosine after that."""
    weight_decay: float = 0.01
    clip: float = 1.0
    general: float = 0.3
    """Share of general code among what is read (rehearsal, Robins 1995): what keeps a model from forgetting."""
    mined: float = 0.15
    """How often a mined bug fix is read; defects only."""
    feedback: float = 0.15
    """How often something is read that the person said."""
    checkpoint_seconds: float = 30.0
    validations: int = 5
    """How often the held-out earlier functions choose the best weights so far."""
    most_steps: int = 0
    """Ends the training after so many steps, for runs that must be equal on any machine; 0: the budget alone."""


@attrs.frozen
class Recipe:
    """Everything a run depends on besides its repositories and its budget."""

    later: float = 0.2
    valid: float = 0.15
    most_commits: int = 5000
    most_functions: int = 20_000
    repository_megabytes: int = 2000
    clone_minutes: float = 15.0
    least_later: int = 12
    """Functions that must have come or changed after the split: fewer cannot tell which model is better."""
    injections: int = 3
    """Defective copies of each function that is judged on."""
    most_judged: int = 400
    """Functions judged on."""
    general_functions: int = 150
    """Functions of the general hold-out."""
    least_calibration_lines: int = 2000
    """Clean lines the thresholds are fitted on; general code fills up what the repositories lack."""
    forgetting: float = 0.02
    """How much of its score the new model may lose on general code, absolute."""
    general_rise: float = 0.02
    """How far the loss on general code may rise, as a share of it, before the weights are drawn back to the start."""
    sure: float = 0.9
    """The probability of being better, by the bootstrap, that a new model must reach to be promoted."""
    threads: int = 0
    """CPU threads of training; 0: one less than there are cores, at least one."""
    seed: int = 0
    defects: Tuning = attrs.field(factory=Tuning)
    generation: Tuning = attrs.field(factory=Tuning)


@attrs.frozen
class Options:
    """One call of the command."""

    repositories: tuple[str, ...]
    """Folders, or addresses that git can clone."""
    tasks: tuple[Task, ...] = ("defects",)
    seconds: float = 1800.0
    recipe: Recipe = attrs.field(factory=Recipe)
    clock: Literal["wall", "cpu"] = "wall"
    """What the budget counts: time that passes, or processor time, for machines that are busy with other things."""
    promote: bool = True
    feedback: bool = True
    jobs: int = 1
    licences: frozenset[str] = frozenset()
    """Licences that may be read; empty: any, for the repositories are the person's own."""


def read_recipe(path: Path) -> Recipe:
    """A recipe file. Raises RetrainError naming unknown keys and wrong values."""
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(
            tomllib.loads(path.read_text(encoding="utf-8")), Recipe
        )
    except OSError as error:
        raise RetrainError(f"{path}: {error.strerror}") from error
    except (cattrs.BaseValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reasons = cattrs.transform_error(error) if isinstance(error, cattrs.BaseValidationError) else [str(error)]
        raise RetrainError(f"{path}: {'; '.join(reasons)}; {DEFAULT_RECIPE} shows every key") from error


def parse_budget(text: str, option: str = "--budget") -> float:
    """Seconds of ``90s``, ``30m``, ``2h`` or ``1h30m``; a bare number is minutes. Raises RetrainError."""
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text.strip().lower())
    if found is not None and any(found.groups()):
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = 3600 * hours + 60 * minutes + seconds
    elif re.fullmatch(r"\d+(?:\.\d+)?", text.strip()):
        total = 60 * float(text)
    else:
        raise RetrainError(f"{option} {text}: write it like 30m, 90s or 1h30m")
    if total < 20:
        raise RetrainError(f"{option} {text}: less than 20 seconds is too short")
    return total
