"""How fast ``codehunch train`` reads, beside transformers' own Trainer on the same rows and the same model.

    python benchmarks/training.py [DATA] [--rows 256] [--device auto]

DATA is any table or corpus with a column of code; without it, functions of Python's standard library are read. Every
contender trains one epoch over the same rows, truncated to 512 tokens, from the same weights, and counts real tokens
(padding is none). The first is what most scripts do: Trainer with every row padded to 512. The second is Trainer at its
best without code of one's own: padded to the longest of the batch, rows grouped by length. On a CPU, times are CPU
seconds of this process on one thread, so that other work on the machine does not count; on a GPU, seconds.
"""

from __future__ import annotations

import argparse
import random
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import parse
from codehunch_training.bases import Base, device_of, load_base
from codehunch_training.data import read_rows, text_column
from codehunch_training.recipe import Recipe, with_overrides
from codehunch_training.techniques import Technique
from codehunch_training.training import train

LENGTH = 512
BATCH = 16
"""Rows of a padded batch; ours has as many tokens at most: 16 x 512."""
Row = dict[str, Any]


def library_functions(count: int) -> list[Row]:
    """Functions of the standard library, in an order of chance."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.glob("*.py") if path.stat().st_size < 200_000)
    random.Random(0).shuffle(files)
    found: list[Row] = []
    for path in files:
        parsed = parse(path.read_text(encoding="utf-8", errors="replace"))
        for function in find_functions(parsed):
            text = function.span.of(parsed.text)
            found.append({"text": text, "label": int("return" in text)})
        if len(found) > 4 * count:
            break
    return random.Random(0).sample(found, min(count, len(found)))


class Clock:
    """Time from the first step's begin to the last step's end."""

    def __init__(self, cuda: bool) -> None:
        self.cuda, self.began, self.ended = cuda, 0.0, 0.0

    def now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def start(self) -> None:
        self.began = self.began or self.now()

    def stop(self) -> None:
        self.ended = self.now()

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Timed(Technique):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def before_step(self, model: PreTrainedModel, step: int, epoch: float) -> None:
        self.clock.start()

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        self.clock.stop()


class TimedCallback(TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.clock.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.clock.stop()


def plain(base: Base, rows: Sequence[Row], recipe: Recipe, fixed: bool, folder: Path, cuda: bool) -> float:
    """transformers' Trainer on the same rows; seconds of one epoch."""
    tokenizer = base.tokenizer
    encoded: list[Mapping[str, Any]] = []
    for row in rows:
        padding = "max_length" if fixed else False
        made = tokenizer(row["text"], truncation=True, max_length=LENGTH, padding=padding)
        encoded.append({**made, "labels": int(row["label"])})
    set_seed(0)
    model = base.model(AutoModelForSequenceClassification, num_labels=2)
    clock = Clock(cuda)
    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=BATCH, num_train_epochs=1, use_cpu=not cuda,
        group_by_length=not fixed, learning_rate=recipe.optimizer.learning_rate, report_to=[], save_strategy="no",
        logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=cuda, bf16=recipe.hardware.precision == "bf16",
    )  # fmt: skip
    trainer = Trainer(
        model,
        arguments,
        train_dataset=encoded,  # type: ignore[arg-type]
        data_collator=DataCollatorWithPadding(tokenizer) if not fixed else None,
        callbacks=[TimedCallback(clock)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.seconds


def ours(base: Path, data: Path, recipe: Recipe, folder: Path, cuda: bool) -> tuple[float, int]:
    """``codehunch train`` on the same rows; seconds of one epoch, and the tokens read."""
    clock = Clock(cuda)
    run = train("classify", f"new:roberta:{base}", data, recipe, folder, techniques=[Timed(clock)])
    return clock.seconds, int(run.summary["tokens"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--text", default="", help="Column of the code.")
    parser.add_argument("--size", type=int, default=256, help="Hidden size; a layer for each 64.")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    chosen = parser.parse_args()
    recipe = with_overrides(
        Recipe(),
        [
            f"data.text={chosen.text}" if chosen.text else "data.text=text", "data.label=label",
            f"model.max_length={LENGTH}", f"model.hidden_size={chosen.size}", f"model.layers={chosen.size // 64}",
            f"model.intermediate_size={4 * chosen.size}", f"model.heads={chosen.size // 64}", "schedule.epochs=1",
            f"batch.tokens={BATCH * LENGTH}", f"hardware.device={chosen.device}", "schedule.evaluate_every=1000000",
            f"hardware.precision={chosen.precision}", "hardware.threads=1",
        ],
    )  # fmt: skip
    cuda = device_of(recipe).type == "cuda"
    torch.set_num_threads(1)
    if chosen.data is None:
        rows = library_functions(chosen.rows)
    else:
        found = read_rows(chosen.data, with_overrides(Recipe(), [f"data.text={chosen.text}"] if chosen.text else []))
        column = text_column(found, recipe.data) if chosen.text else text_column(found, Recipe().data)
        texts = random.Random(0).sample([str(row[column]) for row in found], min(chosen.rows, len(found)))
        rows = [{"text": text, "label": number % 2} for number, text in enumerate(texts)]
        recipe = with_overrides(recipe, ["data.text=text"])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        compare(rows, recipe, root, cuda)


def compare(rows: list[Row], recipe: Recipe, root: Path, cuda: bool) -> None:
    """Print the table; the first row is what the others are measured against."""
    import json

    (root / "data").mkdir()
    # One row more to measure on: the toolbox always keeps some apart.
    for name, part in (("train", rows), ("valid", rows[:2])):
        (root / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    base = load_base("new:roberta", recipe, [row["text"] for row in rows])
    base.tokenizer.save_pretrained(root / "tokenizer")
    seconds, tokens = ours(root / "tokenizer", root / "data", recipe, root / "run", cuda)
    results = [
        (f"Trainer, padded to {LENGTH}", plain(base, rows, recipe, True, root / "fixed", cuda)),
        ("Trainer, grouped by length", plain(base, rows, recipe, False, root / "grouped", cuda)),
        ("codehunch train", seconds),
    ]
    unit = "seconds" if cuda else "CPU s"
    print(f"{len(rows)} rows of {tokens / len(rows):.0f} tokens on average, {tokens:,} in all; one epoch, "
          f"{'CUDA' if cuda else 'one CPU thread'}")  # fmt: skip
    print(f"{'':28} {unit:>9} {'tokens/s':>10} {'ratio':>7}")
    for name, each in results:
        print(f"{name:28} {each:9.2f} {tokens / each:10,.0f} {results[0][1] / each:6.1f}x")


if __name__ == "__main__":
    main()
