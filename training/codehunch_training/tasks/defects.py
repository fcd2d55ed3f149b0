"""Train the default defect model: one loop, readable top to bottom.

Two stretches share one budget: dense corruption (many defects a function, a label on every token, a
rich signal) and then the annealing to one defect or none, the mixture a person's code has. The
budget is wall time, or a number of steps: the schedule knows how much of it is spent, so a run ends on
time on any machine, and a killed run goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import platform
import random
import shutil
import signal
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from codehunch.bundles.bundle import sha256_of
from codehunch.inference.encoding import LexicalEncoder
from codehunch_training.corpus.around import source_of
from codehunch_training.corpus.harvest import read_functions
from codehunch_training.corpus.rows import FunctionRow
from codehunch_training.corpus.sources import is_test
from codehunch_training.corpus.vocabulary import learn_vocabulary
from codehunch_training.evaluation.defects import localisation
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.tasks.defect_data import Known, Mixture, batches, label_index, read_histories, stream
from codehunch_training.tasks.defect_model import TOKEN_LABELS, optimizers, started
from codehunch_training.tasks.defect_recipe import Recipe, mixture_at, rate_at


class Run:
    """A training run in a folder: model, optimiser, clock; everything a checkpoint holds."""

    def __init__(
        self,
        recipe: Recipe,
        functions: Path,
        out: Path,
        histories: Path | None = None,
        start: Path | None = None,
        doubts: Path | None = None,
    ) -> None:
        self.recipe, self.out, self.start = recipe, out, start
        self.histories: list[tuple[Known, ...]] = []
        if histories is not None:
            self.histories = read_histories(histories, TOKEN_LABELS, recipe.held_out)
        self.doubts = [
            source_of(row)
            for row in (read_functions(doubts) if doubts is not None else ())
            if row.project not in recipe.held_out
        ]
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        self.training, self.validation = split(functions, recipe)
        self.tokenizer = self._tokenizer()
        self.encoder = LexicalEncoder(self.tokenizer, recipe.window, recipe.stride, recipe.told)
        self.index = label_index(TOKEN_LABELS)
        self.model = self._model()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)
        if recipe.compile:
            for layer in self.model.layers:
                layer.compile(dynamic=True)
        self.optimizers = optimizers(self.model, recipe)
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.share_done = torch.zeros(1, dtype=torch.float64).share_memory_()
        self.stop = False

    def _model(self) -> DefectModel:
        recipe = self.recipe
        if self.start is not None:
            return started(self.start, recipe.told, layers=recipe.layers)
        return DefectModel(
            DefectConfig(
                vocab_size=self.tokenizer.get_vocab_size(),
                hidden_size=recipe.hidden_size,
                num_hidden_layers=recipe.layers,
                num_attention_heads=recipe.heads,
                intermediate_size=recipe.intermediate_size,
                token_labels=list(TOKEN_LABELS),
                standings=recipe.told,
            )
        )

    def _tokenizer(self) -> Tokenizer:
        path = self.out / "tokenizer.json"
        if not path.exists() and self.start is not None:
            shutil.copyfile(self.start / "tokenizer.json", path)
        if not path.exists():
            sample = random.Random(self.recipe.seed).sample(self.training, min(30_000, len(self.training)))
            learn_vocabulary((row.text for row in sample), self.recipe.vocabulary).save(str(path))
        return Tokenizer.from_file(str(path))

    @property
    def done(self) -> float:
        if self.recipe.steps:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.seconds / (self.recipe.minutes * 60))

    def save(self) -> None:
        """Write the checkpoint beside the old one, then swap: a kill in between loses nothing."""
        fresh = self.out / "checkpoint.tmp"
        state = {"model": self.model.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers]}
        torch.save(state | {"step": self.step, "tokens": self.tokens, "seconds": self.seconds}, fresh)
        fresh.replace(self.out / "checkpoint.pt")

    def resume(self) -> bool:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        return True

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        workers = self.recipe.workers
        made = Batches(self)
        if not workers:
            return made.of(0, 1)
        pinned = self.device.type == "cuda"
        return iter(DataLoader(made, batch_size=None, num_workers=workers, prefetch_factor=4, pin_memory=pinned))

    def train(self) -> None:
        """Train to the end of the budget, or until a signal asks to stop; always leaves a checkpoint."""
        recipe, saved, shown = self.recipe, self.seconds, self.seconds
        losses: list[Tensor] = []
        self.model.train()
        watch = time.process_time if recipe.clock == "processor" else time.monotonic
        clock = watch()
        for batch in self._batches():
            if self.done >= 1.0 or self.stop:
                break
            self.share_done[0] = self.done
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate_at(self.done, recipe)
            kept = int(batch["attention_mask"].sum())
            batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = self.model(**batch).loss
            # Every step where it is free; a GPU would wait for each reading.
            if (self.device.type == "cpu" or self.step % 20 == 0) and not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss.item()} at step {self.step}; lower learning_rate in the recipe"
                )
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
            self.step += 1
            self.tokens += kept
            now = watch()
            self.seconds, clock = self.seconds + now - clock, now
            if self.seconds - shown > 30:
                self._log({"loss": float(torch.stack(losses).mean()), "tokens_per_second": self.tokens / self.seconds})
                losses, shown = [], self.seconds
            if self.seconds - saved > recipe.checkpoint_minutes * 60:
                self.save()
                self._log(self.evaluate(200))
                saved, clock = self.seconds, watch()
        self.save()

    def evaluate(self, limit: int) -> dict[str, Any]:
        """Localisation on injected single defects in the held-out projects."""
        self.model.eval()
        found = localisation(
            self.model, self.encoder, [source_of(row) for row in self.validation[:limit]], TOKEN_LABELS
        )
        self.model.train()
        return found

    def _log(self, row: dict[str, Any]) -> None:
        row = {"step": self.step, "minutes": round(self.seconds / 60, 2), "done": round(self.done, 3)} | row
        line = json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
        with (self.out / "log.jsonl").open("a") as sink:
            sink.write(line + "\n")
        print(line, flush=True)


class Batches(IterableDataset[dict[str, Tensor]]):
    """Endless batches of a run; every worker process reads a share of the functions of its own."""

    def __init__(self, run: Run) -> None:
        self.sources = [source_of(row) for row in run.training]
        self.encoder, self.index, self.histories, self.doubts = run.encoder, run.index, run.histories, run.doubts
        self.recipe, self.step, self.done = run.recipe, run.step, run.share_done

    def of(self, worker: int, workers: int) -> Iterator[dict[str, Tensor]]:
        # The step in the seed: a resumed run does not read again what it has read.
        rng = random.Random(f"{self.recipe.seed}:{self.step}" + (f":{worker}" if workers > 1 else ""))
        sources = self.sources[worker::workers]
        examples = stream(sources, self.encoder, self.index, self._mixture, rng, self.histories, self.doubts)
        return batches(examples, self.recipe.batch_tokens, self.encoder.pad, rng)

    def _mixture(self) -> Mixture:
        return mixture_at(float(self.done[0]), self.recipe)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = get_worker_info()
        return self.of(0, 1) if info is None else self.of(info.id, info.num_workers)


def split(functions: Path, recipe: Recipe) -> tuple[list[FunctionRow], list[FunctionRow]]:
    """Training rows, and a seeded sample of the validation projects' rows."""
    rows = list(read_functions(functions))
    held = recipe.held_out
    training = with_share_of_tests([row for row in rows if row.project not in held], recipe.tests, recipe.seed)
    validation = [row for row in rows if row.project in recipe.validation_projects]
    random.Random(recipe.seed).shuffle(validation)
    if not training or not validation:
        raise ValueError(
            f"{functions}: needs rows of the validation projects {sorted(recipe.validation_projects)} and of others"
        )
    return training, validation[: recipe.validation_functions]


def with_share_of_tests(rows: list[FunctionRow], share: float, seed: int) -> list[FunctionRow]:
    """The rows in their order, with as many tests left, chosen by chance, as make up ``share`` at most."""
    tests = [at for at, row in enumerate(rows) if is_test(PurePosixPath(row.path))]
    most = int(share * (len(rows) - len(tests)) / (1 - share)) if share < 1 else len(tests)
    dropped = set(random.Random(seed).sample(tests, max(0, len(tests) - most)))
    return [row for at, row in enumerate(rows) if at not in dropped]


def train(
    recipe: Recipe,
    functions: Path,
    out: Path,
    histories: Path | None = None,
    start: Path | None = None,
    doubts: Path | None = None,
) -> dict[str, Any]:
    """Run or resume; returns the final metrics and writes ``run.json`` and the model beside the checkpoint.

    ``start``: a folder with a model and its tokenizer to begin from (vocabulary and sizes are then its own; it
    may have fewer layers than the recipe, and grows).
    ``doubts``: clean functions that a model warned about, as ``tasks.doubts`` finds them.
    """
    run = Run(recipe, functions, out, histories, start, doubts)
    resumed = run.resume()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: setattr(run, "stop", True))
    run.train()
    metrics = run.evaluate(recipe.validation_functions)
    run.model.save_pretrained(out / "model", safe_serialization=True)
    summary = {
        "recipe": attrs.asdict(recipe),
        "resumed": resumed,
        "started_from": sha256_of(start / "model.safetensors") if start is not None else None,
        "finished": run.done >= 1.0,
        "seed": recipe.seed,
        "data": {path.name: sha256_of(path) for path in (functions, histories, doubts) if path is not None},
        "functions": len(run.training),
        "projects": len({row.project for row in run.training}),
        "mined_groups": len(run.histories),
        "hard_negatives": len(run.doubts),
        "steps": run.step,
        "tokens": run.tokens,
        "minutes": round(run.seconds / 60, 1),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "hardware": f"{platform.processor() or platform.machine()}, {recipe.threads} thread(s), {run.device.type}",
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy", "tree-sitter")},
        "metrics": metrics,
    }
    (out / "run.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary
