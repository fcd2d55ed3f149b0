"""transformers' Trainer with the few things changed that it cannot do: exact losses over variable batches, the task's
own metric, checkpoints that are whole or absent, and a plan of batches that resuming only skips into."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from codehunch_training.batching import Plan, loader
from codehunch_training.data import Row
from codehunch_training.errors import ToolboxError
from codehunch_training.recipe import Recipe
from codehunch_training.run_folder import COMPLETE, Progress, append_log, save_best, write_json
from codehunch_training.tasks.specification import Batch, Features, Task
from codehunch_training.techniques import Technique
from codehunch_training.techniques.optimizer import make_optimizer, make_schedule


class TrainingError(ToolboxError):
    """Training cannot go on; the message says what to change. The best checkpoint so far is kept."""


class ToolboxTrainer(Trainer):
    """Runs one plan of batches for one task. Rank 0 measures, logs and saves."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        task: Task,
        recipe: Recipe,
        features: list[Features],
        valid: list[Row],
        plan: Plan,
        folder: Path,
        techniques: list[Technique],
        description: Mapping[str, Any],
        progress: Progress | None,
    ) -> None:
        self.task, self.recipe, self.features, self.valid = task, recipe, features, valid
        self.plan, self.folder, self.techniques, self.description = plan, folder, techniques, description
        self.progress = progress
        self.best: dict[str, Any] = {}
        self.parts: dict[str, float] = {}
        self.seen_tokens, self.worse, self.spent = 0, 0, 0.0
        self.stop_reason = ""
        super().__init__(model=model, args=args, data_collator=task.collate, train_dataset=features)  # type: ignore[arg-type]
        self.model_accepts_loss_kwargs = True  # Our losses are divided by what all batches of a step hold.
        self.add_callback(_Hooks(self))
        self._begun = time.monotonic()

    # Data

    def get_train_dataloader(self) -> Any:
        world = self.args.world_size
        return loader(self.task, self.features, self.plan, self.recipe.seed, self.args.process_index, world)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: Any
    ) -> tuple[list[Any], Any]:
        """Batches of one optimiser step, and the totals of their counts over all processes."""
        samples = []
        for _ in range(num_batches):
            batch = next(epoch_iterator, None)
            if batch is None:
                break
            samples.append(batch)
        totals: dict[str, float] = {}
        for batch in samples:
            for name, value in self.task.counts(batch).items():
                totals[name] = totals.get(name, 0.0) + value
            self.seen_tokens += int(batch["attention_mask"].sum()) if "attention_mask" in batch else 0
        if self.args.world_size > 1 and totals:
            names = sorted(totals)
            summed = torch.tensor([totals[name] for name in names], dtype=torch.float64, device=device)
            torch.distributed.all_reduce(summed)
            totals = dict(zip(names, summed.tolist(), strict=True))
        return samples, totals

    # Loss

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        totals = num_items_in_batch if num_items_in_batch is not None else self.task.counts(inputs)
        found = self.task.loss(model, inputs, totals)
        parts = dict(found.parts)
        for technique in self.techniques:
            for name, value in technique.extra_loss(model, self.task, inputs, found, totals).items():
                parts[name] = parts[name] + value if name in parts else value
        loss = torch.stack([value.float() for value in parts.values()]).sum()
        for name, value in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + float(value.detach())
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"the loss became {float(loss.detach())} at step {self.state.global_step}; the best checkpoint so far "
                "is kept: lower optimizer.learning_rate, raise schedule.warmup, or use precision bf16 instead of fp16"
            )
        # Each process divides by the totals of all, and gradients are averaged: undo the average.
        if self.args.world_size > 1:
            # A task may read a batch several times, and leave out a weight. What reduces the gradients allows the
            # first only where it need not look for the second: so every weight takes part, with nothing.
            loss = loss * self.args.world_size + 0.0 * sum(p.sum() for p in model.parameters() if p.requires_grad)
        return (loss, found.outputs) if return_outputs else loss

    def create_optimizer(self) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = make_optimizer(self.model, self.recipe)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None:
            self.lr_scheduler = make_schedule(optimizer or self.optimizer, num_training_steps, self.recipe)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    # Measuring

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The task's metrics on the validation rows; keeps the best model."""
        boxed: list[Any] = [None]
        if self.args.process_index == 0:
            trained = model = self.accelerator.unwrap_model(self.model)
            for technique in self.techniques:
                model = technique.to_measure(model)
            with torch.random.fork_rng(), self.compute_loss_context_manager():
                metrics = self.task.evaluate(model, self.valid)
            trained.train()
            self._keep_best(model, metrics)
            row = {"step": self.state.global_step, "epoch": self.epoch_at(self.state.global_step), **metrics}
            append_log(self.folder, row)
            self._board(metrics, "valid")
            if self.progress is not None:
                self.progress({"metrics": metrics, "step": self.state.global_step, "best": self.best["value"]})
            boxed = [(metrics, self.best, self.worse)]
        if self.args.world_size > 1:
            torch.distributed.broadcast_object_list(boxed)
            _, self.best, self.worse = boxed[0]
        metrics = boxed[0][0]
        patience = self.recipe.schedule.patience
        if patience and self.worse >= patience:
            self.control.should_training_stop = True
            self.stop_reason = f"no better {self.metric} in {patience} evaluations"
        return {f"eval_{name}": value for name, value in metrics.items()}

    @property
    def metric(self) -> str:
        return self.recipe.selection.metric or self.task.selection_metric

    def _keep_best(self, model: PreTrainedModel, metrics: dict[str, float]) -> None:
        if self.metric not in metrics:
            raise TrainingError(f"selection.metric = {self.metric!r} is not measured; choose from {', '.join(metrics)}")
        value = metrics[self.metric]
        greater = self.task.greater_is_better if not self.recipe.selection.metric else not _falling(self.metric)
        known = self.best.get("value")
        if known is not None and (math.isnan(value) or (value <= known if greater else value >= known)):
            self.worse += 1
            return
        for technique in self.techniques:
            model = technique.on_best(model)
        with _disk(self.folder / "best"):
            save_best(self.folder, self.task, model, self.description)
        self.best = {"value": value, "step": self.state.global_step, "metrics": metrics, "metric": self.metric}
        self.best["greater_is_better"] = greater
        self.worse = 0
        with _disk(self.folder / "best.json"):
            write_json(self.folder / "best.json", self.best)

    def epoch_at(self, step: int) -> float:
        """Epochs done after so many optimiser steps."""
        at = step * self.recipe.batch.accumulation * self.args.world_size
        before = 0
        for number, end in enumerate(self.plan.epoch_ends):
            if at < end:
                return number + (at - before) / max(1, end - before)
            before = end
        return float(len(self.plan.epoch_ends))

    # Saving

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.folder / "checkpoints" / "staging")

    def _rotate_checkpoints(self, use_mtime: bool = False, output_dir: str | None = None) -> None:
        """Old checkpoints go only when the new one has its place: see ``_save_checkpoint``."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        place = self.folder / "checkpoints"
        name = f"checkpoint-{self.state.global_step}"
        staged = place / "staging" / name
        with _disk(place / name):
            super()._save_checkpoint(model, trial)
            if self.args.world_size > 1:
                torch.distributed.barrier()
            if self.args.process_index == 0:
                self._save_ours(staged)
                write_json(staged / COMPLETE, {"step": self.state.global_step})
                shutil.rmtree(place / name, ignore_errors=True)
                staged.rename(place / name)
                staged.parent.rmdir()
        if self.args.process_index == 0:
            from codehunch_training.run_folder import checkpoints

            for old in checkpoints(self.folder)[: -max(1, self.recipe.schedule.save_limit)]:
                shutil.rmtree(old, ignore_errors=True)

    def _save_ours(self, staged: Path) -> None:
        state = {
            "best": self.best, "worse": self.worse, "seen_tokens": self.seen_tokens, "seconds": self.seconds(),
        }  # fmt: skip
        write_json(staged / "toolbox.json", state)
        torch.save([technique.state() for technique in self.techniques], staged / "techniques.pt")

    def load_ours(self, checkpoint: Path) -> None:
        """What Trainer's own checkpoint does not hold."""
        import json

        state = json.loads((checkpoint / "toolbox.json").read_text(encoding="utf-8"))
        self.best, self.worse = state["best"], state["worse"]
        self.seen_tokens, self.spent = state["seen_tokens"], state["seconds"]
        known = self.folder / "best.json"
        if known.is_file():
            # A better model may have been kept after this checkpoint was written.
            self.best = json.loads(known.read_text(encoding="utf-8"))
        kept = torch.load(checkpoint / "techniques.pt", weights_only=True)
        for technique, saved in zip(self.techniques, kept, strict=True):
            technique.load_state(saved)

    def summed(self, parts: dict[str, float], tokens: int) -> tuple[dict[str, float], int]:
        """Sums over all processes: each has its share of every step."""
        if self.args.world_size == 1:
            return parts, tokens
        names = sorted(parts)
        values = torch.tensor([*(parts[name] for name in names), float(tokens)], dtype=torch.float64)
        values = values.to(self.args.device)
        torch.distributed.all_reduce(values)
        *sums, total = values.tolist()
        return dict(zip(names, sums, strict=True)), int(total)

    def seconds(self) -> float:
        return self.spent + time.monotonic() - self._begun

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Trainer's own log rows are replaced by ours, which know tokens and the loss's parts."""
        self.state.log_history.append({**logs, "step": self.state.global_step})

    def _board(self, values: Mapping[str, float], prefix: str) -> None:
        board = getattr(self, "board", None)
        if board is not None:
            for name, value in values.items():
                board.add_scalar(f"{prefix}/{name}", value, self.state.global_step)


class _Hooks(TrainerCallback):
    """Techniques, evaluation at epoch ends, log lines, the budget of minutes."""

    def __init__(self, trainer: ToolboxTrainer) -> None:
        self.trainer = trainer
        recipe, plan = trainer.recipe, trainer.plan
        per_step = recipe.batch.accumulation * trainer.args.world_size
        self.total = len(plan.batches) // per_step + bool(len(plan.batches) % per_step)
        every = recipe.schedule.evaluate_every
        ends = {-(-end // per_step) for end in plan.epoch_ends} if not every else set(range(every, self.total, every))
        self.evaluations = ends | {self.total}
        saves = recipe.schedule.save_every
        self.saves = set(range(saves, self.total, saves)) | {self.total} if saves else self.evaluations
        self.logged = 0
        self.every = max(1, min(50, self.total // 100))

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.logged = state.global_step

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        trainer = self.trainer
        model = trainer.accelerator.unwrap_model(trainer.model)
        for technique in trainer.techniques:
            technique.before_step(model, state.global_step, trainer.epoch_at(state.global_step))

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        trainer, step = self.trainer, state.global_step
        model = trainer.accelerator.unwrap_model(trainer.model)
        for technique in trainer.techniques:
            technique.after_step(model, step - 1)
        if step - self.logged >= self.every or step >= self.total:
            self._log(step)
        control.should_evaluate = step in self.evaluations
        control.should_save = step in self.saves
        minutes = trainer.recipe.schedule.minutes
        if (minutes and trainer.seconds() > minutes * 60) or trainer.stop_reason == "interrupted":
            trainer.stop_reason = trainer.stop_reason or f"{minutes:g} minutes are over"
            control.should_evaluate = trainer.stop_reason != "interrupted"
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # Trainer takes the whole plan for one epoch, and would do again at its end what the last step did.
        control.should_evaluate = control.should_save = False

    def _log(self, step: int) -> None:
        trainer = self.trainer
        count, seconds = max(1, step - self.logged), trainer.seconds()
        parts, tokens = trainer.summed(trainer.parts, trainer.seen_tokens)
        parts = {name: value / count for name, value in parts.items()}
        trainer.parts, self.logged = {}, step
        row: dict[str, Any] = {
            "step": step,
            "epoch": round(trainer.epoch_at(step), 4),
            "loss": sum(parts.values()),
            **({f"loss_{name}": value for name, value in parts.items()} if len(parts) > 1 else {}),
            "learning_rate": max(group["lr"] for group in trainer.optimizer.param_groups),
            "seconds": round(seconds, 2),
            "tokens": tokens,
            "tokens_per_second": tokens / max(seconds, 1e-9),
        }
        if trainer.args.process_index == 0:
            append_log(trainer.folder, row)
            trainer._board({name: value for name, value in row.items() if name != "step"}, "train")
            if trainer.progress is not None:
                left = seconds / max(1, step) * (self.total - step)
                trainer.progress({**row, "steps": self.total, "seconds_left": left})


def _falling(metric: str) -> bool:
    return metric in ("log_loss", "loss", "perplexity", "calibration_error", "ifa", "effort") or metric.endswith(
        "_loss"
    )


class _disk:
    """A full or broken disk becomes one sentence; what was there before is still there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        full = isinstance(error, OSError) or (error is not None and "I/O error" in str(error))
        if error is not None and (
            full or type(error).__name__ == "SafetensorError" or "PytorchStreamWriter" in str(error)
        ):
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
            raise TrainingError(
                f"cannot write {self.path}: {reason}; what was saved before is whole: "
                "make room and give the same command again to go on"
            ) from error


def arguments(recipe: Recipe, folder: Path, steps: int, device: torch.device) -> TrainingArguments:
    """Trainer's settings; everything that is ours to do is switched off there."""
    hardware = recipe.hardware
    forget_environment()
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=recipe.batch.accumulation,
        max_grad_norm=recipe.optimizer.clip,
        seed=recipe.seed,
        use_cpu=device.type == "cpu",
        bf16=hardware.precision == "bf16",
        fp16=hardware.precision == "fp16",
        gradient_checkpointing=hardware.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if hardware.gradient_checkpointing else None,
        torch_compile=hardware.compile,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
        ddp_backend="gloo" if launched and device.type == "cpu" else None,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        save_only_model=False,
        dataloader_pin_memory=device.type == "cuda",
        average_tokens_across_devices=False,
    )


def forget_environment() -> None:
    """TrainingArguments ask for compiling and half precision by the environment, where it would reach every later run
    and subprocess."""
    for name in [name for name in os.environ if name.startswith(("ACCELERATE_DYNAMO_", "ACCELERATE_MIXED_PRECISION"))]:
        del os.environ[name]
