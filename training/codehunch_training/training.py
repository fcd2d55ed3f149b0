"""``train``: from a task, a base, data and a recipe to a run folder with the best model."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from codehunch_training.bases import Base, device_of, load_base
from codehunch_training.batching import plan_batches
from codehunch_training.data import Data, DataError, read_data
from codehunch_training.phases import train_before
from codehunch_training.recipe import Recipe, RecipeError, unstructure
from codehunch_training.recipe_checks import check_recipe
from codehunch_training.run_folder import Progress, Run, load_run, provenance, start_folder, write_json
from codehunch_training.tasks import task_for
from codehunch_training.tasks.specification import Task
from codehunch_training.techniques import Technique, techniques_of
from codehunch_training.techniques.replay import (
    check_rows,
    forgetting,
    general_data,
    mix_of,
    mixed_features,
    mixed_texts,
)
from codehunch_training.trainer import ToolboxTrainer, TrainingError, arguments, forget_environment


def train(
    task: str,
    base: str,
    data: Path,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = True,
    progress: Progress | None = None,
    techniques: Sequence[Technique] = (),
) -> Run:
    """Fine-tune ``base`` on ``data`` for ``task``; go on with an unfinished run in ``out`` where ``resume``.

    ``techniques`` act after those the recipe asks for. Ctrl-C (in the main thread) saves and ends the run; give the
    same call again to go on. Raises RecipeError, DataError, BaseError, RunError or TrainingError, all of which say
    what to change.
    """
    chosen = task_for(task, recipe)
    if recipe.task and recipe.task != task:
        raise RecipeError(f"the recipe is for the task {recipe.task}, not {task}")
    if recipe.hardware.threads:
        torch.set_num_threads(recipe.hardware.threads)
    device = device_of(recipe)
    check_recipe(recipe, device)
    if recipe.before:
        base, unfinished = train_before(task, base, data, recipe, out, partial(train, resume=resume, progress=progress))
        if unfinished is not None:
            return unfinished
    rows, general = read_data(data, recipe), general_data(recipe, data)
    set_seed(recipe.seed)
    texts = mixed_texts(chosen, rows, general, recipe) if base.startswith("new:") else ()
    body = load_base(base, recipe, texts)
    identity = {"task": task, "base": base, "data": rows.fingerprint, "recipe": unstructure(recipe)}
    if general is not None:
        identity["mix"] = general.fingerprint
    return _run(chosen, body, rows, general, recipe, out, identity, resume, device, progress, list(techniques))


def _run(
    task: Task,
    base: Base,
    data: Data,
    general: Data | None,
    recipe: Recipe,
    out: Path,
    identity: dict[str, Any],
    resume: bool,
    device: torch.device,
    progress: Progress | None,
    extra: list[Technique],
) -> Run:
    task.recipe = recipe
    task.check_base(base)
    apply_dropout(base, recipe)
    task.prepare(data.train, base, recipe)
    mixer = None
    if general is not None:
        features, mixer = mixed_features(task, data, general, recipe)
    else:
        features = task.features(data.train)
    if not features:
        raise DataError(f"{data.source}: no training row gives an example; see data.long and the columns")
    valid = list(data.valid) or list(data.train)[:1]
    task.check_rows(valid)
    world = max(1, int(os.environ.get("WORLD_SIZE", "1")))
    plan = plan_batches(
        [task.length(each) for each in features],
        recipe.batch,
        recipe.seed,
        recipe.schedule.epochs,
        recipe.schedule.steps,
        world,
        mixer.rows if mixer is not None else None,
    )
    per_step = recipe.batch.accumulation * world
    steps = -(-len(plan.batches) // per_step)
    set_seed(recipe.seed)
    model = task.build(base, recipe, data.train)
    if recipe.hardware.gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise RecipeError(f"hardware.gradient_checkpointing: {type(model).__name__} has no layers to compute again")
    techniques = [*techniques_of(recipe), *extra]
    for technique in techniques:
        model = technique.on_model(model, task, recipe)
    description = task.describe() | {"base": base.spec, "languages": languages_of(data)}
    for technique in techniques:
        description |= technique.describe()
    args = arguments(recipe, out, steps, device)
    checkpoint = start_folder(out, recipe, identity, resume) if args.process_index == 0 else None
    if world > 1:
        boxed = [str(checkpoint) if checkpoint else ""]
        torch.distributed.broadcast_object_list(boxed)
        checkpoint = Path(boxed[0]) if boxed[0] else None
    trainer = ToolboxTrainer(model, args, task, recipe, features, valid, plan, out, techniques, description, progress)
    forget_environment()
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    about = {
        "task": task.name,
        "base": base.spec,
        "identity": identity,
        "seed": recipe.seed,
        "data": {
            "source": data.source,
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "valid": len(data.valid),
            "examples": len(features),
            "dropped": dict(data.dropped),
            **({"mix": mix_of(general, mixer)} if general is not None and mixer is not None else {}),
        },
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "steps": steps,
        **provenance(),
    }
    summary = dict(about)
    if trainer.args.process_index == 0:
        write_json(out / "run.json", summary | {"finished": False})
        trainer.board = _board(out)  # type: ignore[attr-defined]
    before: dict[str, float] = {}
    if general is not None and recipe.mix.measure:
        # The model still is what the base made it, in a resumed run too.
        check_rows(general.valid, general.source)
        with torch.random.fork_rng():
            before = task.evaluate(model, general.valid)
    if checkpoint is not None:
        trainer.load_ours(checkpoint)
    stopped = _with_signals(trainer, checkpoint)
    finished = not stopped
    metrics = trainer.best.get("metrics", {})
    summary |= {
        "finished": finished,
        "stopped": trainer.stop_reason,
        "best": trainer.best,
        "metrics": metrics,
        "baseline": task.baseline(data.train, valid),
        "steps_done": trainer.state.global_step,
        "tokens": trainer.seen_tokens,
        "seconds": round(trainer.seconds(), 1),
    }
    if trainer.args.process_index == 0:
        if before and finished and general is not None:
            kept = load_run(out, device)
            after = kept.task.evaluate(kept.model, general.valid)
            summary["forgetting"] = forgetting(trainer.metric, before, after, trainer.best["greater_is_better"])
        write_json(out / "run.json", summary)
        board = getattr(trainer, "board", None)
        if board is not None:
            board.close()
    _check_worst(trainer.best, recipe, finished)
    return Run(out, summary, finished)


def _check_worst(best: dict[str, Any], recipe: Recipe, finished: bool) -> None:
    bound = recipe.selection.worst
    if not finished or not bound or not best:
        return
    if best["value"] < bound if best["greater_is_better"] else best["value"] > bound:
        raise TrainingError(f"the best {best['metric']} is {best['value']:.4f}, worse than selection.worst = {bound}")


def _with_signals(trainer: ToolboxTrainer, checkpoint: Path | None) -> bool:
    """Train; True where Ctrl-C or SIGTERM ended it. A second Ctrl-C ends it at once."""
    main = threading.current_thread() is threading.main_thread()
    before: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: Any) -> None:
        if trainer.stop_reason == "interrupted":
            raise KeyboardInterrupt
        trainer.stop_reason = "interrupted"

    for name in (signal.SIGINT, signal.SIGTERM) if main else ():
        before[name] = signal.signal(name, ask)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    return trainer.stop_reason == "interrupted"


def apply_dropout(base: Base, recipe: Recipe) -> None:
    """Write the recipe's dropouts into the base's config, under the names its family has."""
    table, config = recipe.regularization, base.config
    names = {
        "dropout": (
            *("hidden_dropout_prob", "dropout", "dropout_rate", "resid_pdrop"),
            *("embd_pdrop", "mlp_dropout", "embedding_dropout", "hidden_dropout"),
        ),
        "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"),
        "classifier_dropout": ("classifier_dropout", "summary_first_dropout", "classif_dropout"),
    }
    for field, candidates in names.items():
        value = getattr(table, field)
        if value < 0:
            continue
        if value >= 1:
            raise RecipeError(f"regularization.{field} = {value}: it must be below 1")
        known = [name for name in candidates if hasattr(config, name)]
        inner = [name for name in candidates if name in getattr(config, "body", ())]
        if not known and not inner:
            raise RecipeError(f"regularization.{field}: {base.kind} has no such dropout")
        for name in known:
            setattr(config, name, value)
        for name in inner:
            config.body[name] = value


def languages_of(data: Data) -> list[str]:
    """Languages of the training rows, the most common first."""
    counts: dict[str, int] = {}
    for row in data.train:
        name = str(row.get("language") or "")
        if name:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])


def _board(out: Path) -> Any:
    """TensorBoard's writer where it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / "tensorboard"))


__all__ = ["Run", "TrainerCallback", "TrainingError", "load_run", "train"]
