"""Train the generation model: a small T5 that writes a body from signature, docstring and what the file says around.

One file from top to bottom: tokenizer, data, model, loop. Stop it and run it again with ``--resume``: it goes on from
the last checkpoint, its wall-clock budget counted over all runs.
"""

from __future__ import annotations

import json
import math
import platform
import random
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import attrs
import cattrs
import numpy as np
import torch
import typer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from codehunch.generation.prompt import MARKERS, SPECIAL_TOKENS
from codehunch_training.tasks.generation_data import (
    KINDS,
    Examples,
    Sampler,
    collate,
    cut,
    encode_rows,
    pad_id,
    texts_of,
)
from codehunch_training.tasks.generation_model import DEFAULT_RECIPE, Recipe, build_model, grown, loss_of, read_recipe
from codehunch_training.tasks.generation_optim import optimizers
from codehunch_training.tasks.generation_tokenizer import train_tokenizer


@attrs.define
class Clock:
    """Training seconds over all runs, checkpoints' own time included."""

    budget: float
    before: float = 0.0
    started: float = attrs.field(factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        return min(1.0, self.seconds / self.budget)


def learning_rate(progress: float, warmup: float, final: float) -> float:
    """Linear warm-up, then a cosine down to ``final``; a share of the peak."""
    if progress < warmup:
        return max(0.01, progress / warmup)
    done = (progress - warmup) / (1 - warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def prepare(recipe: Recipe, data: Path, out: Path) -> tuple[Tokenizer, Examples, Examples]:
    """Tokenizer and encoded examples, made once per run folder."""
    tokenizer_path = out / "tokenizer.json"
    if not tokenizer_path.exists():
        train_tokenizer(texts_of(data / "train.jsonl.gz", every=3), recipe.vocabulary, tokenizer_path)
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    encoded = []
    for split in ("train", "valid"):
        cache = out / f"{split}.npz"
        if not cache.exists():
            examples = encode_rows(data / f"{split}.jsonl.gz", tokenizer, recipe.max_prompt, recipe.max_new)
            examples.save(cache)
        encoded.append(Examples.load(cache))
    return tokenizer, encoded[0], encoded[1]


def adopt_tokenizer(source: Path, target: Path) -> None:
    """Take over a tokenizer. Special tokens keep their ids and have the names they have today: a field that came later
    takes the place of a sentinel, which no generation model has been trained with."""
    stored = json.loads(source.read_text("utf-8"))
    for token, name in zip(stored["added_tokens"], SPECIAL_TOKENS, strict=True):
        stored["model"]["vocab"].pop(token["content"], None)
        token["content"] = name
    for token in stored["added_tokens"]:
        stored["model"]["vocab"][token["content"]] = token["id"]
    target.write_text(json.dumps(stored, ensure_ascii=False), "utf-8")


def validation_batches(examples: Examples, count: int, budget: int) -> dict[str, list[np.ndarray]]:
    """A fixed sample of held-out examples by kind."""
    batches = {}
    source, target = examples.lengths()
    for kind, name in enumerate(KINDS):
        members = np.random.default_rng(1).permutation(np.flatnonzero(examples.kinds == kind))[: count // len(KINDS)]
        if len(members):
            batches[name] = [members[part] for part in cut(source[members], target[members], budget)]
    return batches


def train(
    recipe: Path,
    data: Path,
    out: Path,
    minutes: float | None = None,
    resume: bool = False,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train by a recipe file on a folder made by ``corpus.docstrings``; write the model under ``out``.

    ``start`` is a checkpoint to go on from, as ``codehunch bundles restore`` writes it: its tokenizer and its weights.
    Where the recipe has more layers, it grows by them.

    Returns what ``out/run.json`` holds. ``out/log.jsonl`` has a line per report: seconds, step, loss, speed.
    """
    settings = read_recipe(recipe)
    if minutes is not None:
        settings = attrs.evolve(settings, minutes=minutes)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    random.seed(settings.seed)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    if start is not None:
        adopt_tokenizer(start / "tokenizer.json", out / "tokenizer.json")
    tokenizer, examples, held_out = prepare(settings, data, out)
    pad = pad_id(tokenizer)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(settings, tokenizer).to(device)
    if start is not None:
        begun = grown(load_file(start / "model.safetensors"), settings.encoder_layers, settings.decoder_layers)
        model.load_state_dict(begun, strict=False)
        model.tie_weights()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    muon, adam = optimizers(model, settings.matrix_lr, settings.vector_lr, settings.d_kv)
    around = examples.context_lengths(int(tokenizer.token_to_id(MARKERS["def"])))
    sampler = Sampler(examples, settings.batch_tokens, settings.seed, around, settings.longest)
    checkpoint = out / "checkpoint"
    state: dict[str, Any] = {"seconds": 0.0, "step": 0, "tokens": 0, "batch": 0}
    if resume and (checkpoint / "state.json").exists():
        state = json.loads((checkpoint / "state.json").read_text())
        model.load_state_dict(load_file(checkpoint / "model.safetensors"), strict=False)
        model.tie_weights()
        stored = torch.load(checkpoint / "optimizer.pt", map_location=device, weights_only=True)
        muon.load_state_dict(stored["muon"])
        adam.load_state_dict(stored["adam"])
        sampler.restore(state["sampler"])
    log = out / "log.jsonl"
    if not resume:
        log.unlink(missing_ok=True)
    clock = Clock(settings.minutes * 60, state["seconds"])
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.precision == "bf16")
    valid = validation_batches(held_out, settings.valid_examples, settings.batch_tokens)
    print(f"{parameters / 1e6:.1f} M parameters, {len(examples)} examples, {device}", flush=True)

    def tensors(
        pool: Examples, indices: np.ndarray, dropped: np.ndarray | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        source, target = collate(pool, indices, pad, dropped)
        return torch.from_numpy(source).to(device), torch.from_numpy(target).to(device)

    @torch.no_grad()
    def validate() -> dict[str, float]:
        model.eval()
        losses = {}
        for name, batches in valid.items():
            total = count = 0.0
            for indices in batches:
                source, target = tensors(held_out, indices)
                with autocast:
                    loss = float(loss_of(model, source, target, pad))
                weight = int((target != pad).sum())
                total, count = total + loss * weight, count + weight
            losses[name] = round(total / count, 4)
        model.train()
        return losses

    def report(row: dict[str, Any]) -> None:
        line = json.dumps({"seconds": round(clock.seconds, 1), "step": state["step"], **row})
        with log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def save() -> None:
        # Written beside and renamed: a run killed while saving keeps the checkpoint before.
        fresh = out / "checkpoint.new"
        fresh.mkdir(exist_ok=True)
        save_file(dict(model.named_parameters()), fresh / "model.safetensors")  # the tied matrix once
        torch.save({"muon": muon.state_dict(), "adam": adam.state_dict()}, fresh / "optimizer.pt")
        (fresh / "state.json").write_text(json.dumps({**state, "seconds": clock.seconds, "sampler": before}))
        old = out / "checkpoint.old"
        if checkpoint.exists():
            checkpoint.rename(old)
        fresh.rename(checkpoint)
        for file in old.glob("*") if old.exists() else ():
            file.unlink()
        if old.exists():
            old.rmdir()

    model.train()
    reported, saved, window, losses = clock.seconds, clock.seconds, 0, []
    before = sampler.state()
    while clock.progress < 1:
        before = sampler.state()
        first = clock.progress < settings.first_phase
        mix, bare = (settings.first_mix, settings.first_bare) if first else (settings.mix, settings.bare)
        batches = sampler.next_pool(tuple(mix.get(kind, 0.0) for kind in KINDS), bare)
        for indices, dropped in batches[state["batch"] :]:  # A resumed run goes on inside its pool.
            rate = learning_rate(clock.progress, settings.warmup, settings.final_lr)
            source, target = tensors(examples, indices, dropped)
            with autocast:
                loss = loss_of(model, source, target, pad)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            for optimizer, peak in ((muon, settings.matrix_lr), (adam, settings.vector_lr)):
                for group in optimizer.param_groups:
                    group["lr"] = peak * rate
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            tokens = int((source != pad).sum() + (target != pad).sum())
            losses.append(float(loss.detach()))
            state["step"] += 1
            state["batch"] += 1
            state["tokens"] += tokens
            window += tokens
            if clock.seconds - reported > 20:
                speed = round(window / (clock.seconds - reported))
                report(
                    {"loss": round(sum(losses) / len(losses), 4), "tokens_per_second": speed, "rate": round(rate, 4)}
                )
                reported, window, losses = clock.seconds, 0, []
            if clock.progress >= 1:
                break
            if clock.seconds - saved > settings.checkpoint_minutes * 60:
                report({"valid": validate(), "tokens": state["tokens"]})
                save()
                saved = reported = clock.seconds
                window = 0
        else:
            state["batch"] = 0
    losses_at_end = validate()
    report({"valid": losses_at_end, "tokens": state["tokens"]})
    save()
    model.save_pretrained(out / "model")
    return finish(settings, data, out, state, clock.seconds, losses_at_end, parameters, device, start)


def finish(
    settings: Recipe,
    data: Path,
    out: Path,
    state: dict[str, Any],
    seconds: float,
    valid: dict[str, float],
    parameters: int,
    device: torch.device,
    start: Path | None = None,
) -> dict[str, Any]:
    """Write ``run.json``: the provenance a bundle carries."""
    restored = start / "codehunch.json" if start is not None else None
    stats = json.loads((data / "stats.json").read_text())
    run = {
        "task": "generation",
        "recipe": attrs.asdict(settings),
        "seed": settings.seed,
        "data": {key: stats[key] for key in ("fingerprint", "packages", "held_out", "counts")},
        "steps": state["step"],
        "tokens": state["tokens"],
        "seconds": round(seconds),
        "started_from": json.loads(restored.read_text())["restored_from"] if restored and restored.is_file() else None,
        "parameters": parameters,
        "hardware": f"{device.type}, {torch.get_num_threads()} thread(s), {platform.processor() or platform.machine()}",
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")},
        "metrics": {"valid_loss": valid},
    }
    (out / "run.json").write_text(json.dumps(run, indent=1) + "\n")
    return run


def main(
    data: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder made by codehunch_training.corpus.docstrings.")
    ],
    out: Annotated[Path, typer.Argument(help="Run folder: tokenizer, checkpoints, log, model.")],
    recipe: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Recipe file.")] = DEFAULT_RECIPE,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget; the recipe's own otherwise.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Checkpoint to begin with, as `codehunch bundles restore` writes it. It grows to the recipe's layers.",
        ),
    ] = None,
) -> None:
    """Train the docstring-to-body model by a recipe."""
    try:
        train(recipe, data, out, minutes, resume, start)
    except cattrs.BaseValidationError as error:
        raise typer.BadParameter(f"{recipe}: {'; '.join(cattrs.transform_error(error))}") from error
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
