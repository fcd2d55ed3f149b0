"""Distillation: a student learns a teacher's probabilities, and if asked its hidden states.

Probabilities: Hinton et al. 2015, "Distilling the knowledge in a neural network", section 2: both softened by a
temperature T, the divergence times T squared so that its gradient keeps its size. Hidden states: layers are paired
evenly; where both have one width, the angle between their states is closed (Sanh et al. 2019, DistilBERT, section 2),
else how alike the tokens of a text are to each other is matched, which needs no common width (Tung and Mori 2019,
"Similarity-preserving knowledge distillation", over the tokens of a text instead of a batch).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from codehunch_training.compression.tables import DistillationTable
from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.run_folder import LoadedRun, load_run
from codehunch_training.tasks.specification import Batch, Loss, Task
from codehunch_training.techniques import Technique

_LAYER = re.compile(r"(.*?)(?:layers?|h|block)\.(\d+)")


class Distillation(Technique):
    """A second, silent model reads every batch."""

    def __init__(self, table: DistillationTable) -> None:
        if not 0 <= table.weight <= 1 or table.temperature <= 0 or table.hidden_weight < 0:
            raise RecipeError(
                "distillation: weight must lie between 0 and 1, temperature above 0, hidden_weight at 0 or above"
            )
        self.table = table
        self._seen: dict[str, dict[tuple[str, int], Tensor]] = {"student": {}, "teacher": {}}

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        run = load_run(Path(self.table.teacher))
        _check(run, task, self.table.teacher)
        self.run, self.teacher = run, run.model.eval().requires_grad_(False)
        self.student_layers = self._watch(model, "student")
        if self.table.hidden_weight:
            self.teacher_layers = self._watch(self.teacher, "teacher")
            if set(self.student_layers) != set(self.teacher_layers) or not self.student_layers:
                raise RecipeError(
                    f"distillation.hidden_weight: the layers of {type(model).__name__} and "
                    f"{type(self.teacher).__name__} cannot be paired; set it to 0"
                )
        return model

    def _watch(self, model: nn.Module, whose: str) -> dict[str, int]:
        """Keep each layer's output; returns stack -> number of layers."""
        stacks: dict[str, int] = {}
        for name, module in model.named_modules():
            found = _LAYER.fullmatch(name)
            if found is None or not self.table.hidden_weight:
                continue
            # A stack is known by whether it writes: bodies of two families name their encoders differently.
            stack = "decoder" if "decoder" in found.group(1) else "encoder"
            number = int(found.group(2))
            stacks[stack] = max(stacks.get(stack, 0), number + 1)
            module.register_forward_hook(self._keeper(whose, (stack, number)))
        return stacks

    def _keeper(self, whose: str, key: tuple[str, int]) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            state = output[0] if isinstance(output, tuple) else output
            if isinstance(state, Tensor) and state.ndim == 3:
                self._seen[whose][key] = state

        return keep

    def extra_loss(
        self, model: PreTrainedModel, task: Task, batch: Batch, found: Loss, totals: Mapping[str, float]
    ) -> dict[str, Tensor]:
        if found.logits is None:
            raise RecipeError(f"distillation compares logits, and {task.name} gives none")
        device = found.logits.device
        if next(self.teacher.parameters()).device != device:
            self.teacher.to(device)
        student_states = dict(self._seen["student"])
        with torch.no_grad():
            taught = self.run.task.loss(self.teacher, batch, totals)
        assert taught.logits is not None
        if taught.logits.shape != found.logits.shape:
            raise RecipeError(
                f"distillation: the student answers {tuple(found.logits.shape)}, the teacher "
                f"{tuple(taught.logits.shape)}; they must read a batch alike"
            )
        weight, several = self.table.weight, bool(getattr(task, "several", False))
        divergence = softened(found.logits, taught.logits, self.table.temperature, several)
        parts = {name: -weight * value for name, value in found.parts.items()}
        parts["distillation"] = weight * divergence.sum() / max(totals.get("items", 1.0), 1.0)
        if self.table.hidden_weight:
            share = task.counts(batch).get("items", 1.0) / max(totals.get("items", 1.0), 1.0)
            parts["hidden"] = self.table.hidden_weight * share * self._distance(student_states, batch)
        for states in self._seen.values():
            states.clear()
        return parts

    def _distance(self, student: Mapping[tuple[str, int], Tensor], batch: Batch) -> Tensor:
        """Mean over layers of the distance between paired states."""
        distances = []
        for (stack, number), state in student.items():
            count, above = self.student_layers[stack], self.teacher_layers[stack]
            # The student's last layer is paired with the teacher's last.
            partner = self._seen["teacher"].get((stack, round((number + 1) * above / count) - 1))
            if partner is None or partner.shape[:2] != state.shape[:2]:
                continue
            mask = batch["attention_mask"]
            kept = mask if mask.shape == state.shape[:2] else torch.ones(state.shape[:2], device=state.device)
            distances.append(state_distance(state, partner, kept.to(state.dtype)))
        return torch.stack(distances).mean() if distances else torch.zeros((), device=batch["input_ids"].device)


def softened(student: Tensor, teacher: Tensor, temperature: float, several: bool = False) -> Tensor:
    """Divergence of each item [items]: softmax over [items, classes], or one yes-or-no a label where several may be
    right; times the temperature squared."""
    student, teacher = student.float() / temperature, teacher.float() / temperature
    if several:
        p = torch.sigmoid(teacher)
        cross = F.binary_cross_entropy_with_logits(student, p, reduction="none")
        entropy = F.binary_cross_entropy_with_logits(teacher, p, reduction="none")
        return (cross - entropy).mean(-1) * temperature**2
    divergence = F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="none")
    return divergence.sum(-1) * temperature**2


def state_distance(student: Tensor, teacher: Tensor, kept: Tensor) -> Tensor:
    """Distance of states [batch, tokens, hidden], ``kept`` [batch, tokens] 1 at real tokens; 0 where they agree."""
    one, other = F.normalize(student.float(), dim=-1), F.normalize(teacher.float(), dim=-1)
    kept = kept.float()
    if student.shape[-1] == teacher.shape[-1]:
        return ((1 - (one * other).sum(-1)) * kept).sum() / kept.sum().clamp(min=1)
    gap = (one @ one.transpose(1, 2) - other @ other.transpose(1, 2)) ** 2
    both = kept[:, :, None] * kept[:, None, :]
    return (gap * both).sum() / both.sum().clamp(min=1)


def _check(run: LoadedRun, task: Task, teacher: str) -> None:
    """Raises RecipeError where the teacher answers another question."""
    if run.task.name != task.name:
        raise RecipeError(f"the teacher {teacher} was trained for {run.task.name}, the student is for {task.name}")
    for what in ("labels", "several"):
        ours, theirs = getattr(task, what, None), getattr(run.task, what, None)
        if ours != theirs:
            raise RecipeError(f"the teacher's {what} are {theirs}, the student's {ours}; they must be the same")
    if run.tokenizer.get_vocab() != task.tokenizer.get_vocab():
        raise RecipeError(
            f"the teacher {teacher} has another vocabulary than the student; for a student from nothing use "
            f"--base new:roberta:{Path(teacher) / 'best'}"
        )
