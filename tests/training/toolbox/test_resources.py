"""Resources: batches by tokens, accumulation, checkpointing, precision, processes and resuming change the cost of a
run, never what it computes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toolbox_helpers import SMALL
from transformers import AutoModelForSequenceClassification

from codehunch_training.batching import epoch_batches, plan_batches
from codehunch_training.recipe import BatchTable, RecipeError
from codehunch_training.run_folder import checkpoints, read_log
from codehunch_training.tasks.specification import pad_batch
from codehunch_training.techniques import Technique

STILL = ("regularization.dropout=0.0", "regularization.attention_dropout=0.0", "regularization.classifier_dropout=0.0")


class Weights(Technique):
    """The weights when training began and ended."""

    def on_model(self, model: Any, task: Any, recipe: Any) -> Any:
        self.model = model
        return model

    @property
    def now(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.model.named_parameters()}


def close(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], tolerance: float = 1e-5) -> bool:
    return all(torch.allclose(value, second[name], atol=tolerance, rtol=1e-4) for name, value in first.items())


def test_batches_keep_to_their_budget_and_waste_little() -> None:
    lengths = [5 + (at * 37) % 300 for at in range(500)]
    groups = epoch_batches(lengths, BatchTable(tokens=1024, pool=500), 0, 0)
    assert sorted(at for group in groups for at in group) == list(range(500))
    padded = [max(lengths[at] for at in group) * len(group) for group in groups]
    assert max(padded) <= 1024
    assert sum(padded) < 1.1 * sum(lengths)
    assert sum(padded) < 0.4 * 512 * len(lengths)  # Padding to 512 would cost that.
    assert epoch_batches(lengths, BatchTable(tokens=1024, pool=500), 0, 1) != groups
    assert epoch_batches(lengths, BatchTable(tokens=1024, pool=500), 0, 0) == groups
    assert max(map(len, epoch_batches(lengths, BatchTable(tokens=1024, size=4, limit=True), 0, 0))) == 4
    assert {len(group) for group in epoch_batches(lengths, BatchTable(tokens=0, size=10), 0, 0)} == {10}


def test_a_row_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    assert sorted(map(len, epoch_batches([5000, 10, 10], BatchTable(tokens=64), 0, 0))) == [1, 2]


@pytest.mark.parametrize(
    ("epochs", "steps", "world", "count"), [(2, 0, 1, 40), (0.5, 0, 1, 10), (9, 7, 1, 14), (9, 7, 2, 28)]
)
def test_plans(epochs: float, steps: int, world: int, count: int) -> None:
    plan = plan_batches([10] * 100, BatchTable(tokens=50, accumulation=2), 0, epochs, steps, world)
    assert len(plan.batches) == count
    assert plan.epoch_ends[-1] == count


def test_padding() -> None:
    batch = pad_batch(
        [{"input_ids": [5, 6], "labels": [1, 2]}, {"input_ids": [7], "labels": [3]}], {"input_ids": 1, "labels": -100}
    )
    assert batch["input_ids"].tolist() == [[5, 6], [7, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch["labels"].tolist() == [[1, 2], [3, -100]]


@pytest.mark.parametrize("task", ["classify", "tokens"])
def test_accumulation_equals_the_large_batch(
    task: str, corpora: Path, codebert: Path, quick: Callable[..., Any]
) -> None:
    """A step over four uneven batches (16, 16, 16 and 12 rows) moves the weights as the batch of all 60 rows does."""
    found = {}
    for size, accumulation in ((60, 1), (16, 4)):
        weights = Weights()
        quick(
            task, codebert, corpora / ("spans" if task == "tokens" else "classes"), *STILL, "schedule.steps=2",
            "batch.tokens=0", f"batch.size={size}", f"batch.accumulation={accumulation}", "data.limit=60",
            "schedule.warmup=0.0", "schedule.kind=constant", "optimizer.name=sgd", "optimizer.learning_rate=0.5",
            "regularization.label_smoothing=0.1", techniques=[weights],
        )  # fmt: skip
        found[size] = weights.now
    assert close(found[60], found[16])


def test_checkpointing_and_attention_compute_the_same(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    found = []
    for changes in (
        (),
        ("hardware.gradient_checkpointing=true",),
        ("hardware.attention=eager",),
        ("hardware.attention=sdpa",),
    ):
        weights = Weights()
        quick("classify", codebert, corpora / "classes", *STILL, "schedule.steps=4", *changes, techniques=[weights])
        found.append(weights.now)
    for other in found[1:]:
        assert close(found[0], other, 1e-4)


def test_bf16_stays_near_fp32(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        run = quick(
            "classify", codebert, corpora / "classes", *STILL, "schedule.steps=6", f"hardware.precision={precision}"
        )
        losses[precision] = [row["loss"] for row in read_log(run.folder) if "loss" in row]
        model = AutoModelForSequenceClassification.from_pretrained(run.folder / "best")
        assert model.dtype == torch.float32
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["bf16"] != losses["fp32"]


def test_fp16_on_a_cpu_is_told(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    with pytest.raises(RecipeError, match="fp16 needs CUDA"):
        quick("classify", codebert, corpora / "classes", "hardware.precision=fp16", "hardware.device=cpu")


@pytest.mark.slow
def test_compiled_training_computes_the_same(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    losses, kept = [], []
    torch._dynamo.utils.counters.clear()
    for compiled in ("false", "true"):
        run = quick(
            "classify", codebert, corpora / "classes", *STILL, "schedule.steps=4", "averaging.kind=ema",
            f"hardware.compile={compiled}",
        )  # fmt: skip
        losses.append([row["loss"] for row in read_log(run.folder) if "loss" in row])
        # What is saved is the plain model, not what the compiler put around it.
        kept.append(dict(AutoModelForSequenceClassification.from_pretrained(run.folder / "best").named_parameters()))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert close(*kept, tolerance=1e-4)


def test_a_compiled_run_leaves_the_next_one_plain(
    corpora: Path, codebert: Path, quick: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What transformers leaves in the environment after a compiled run reaches neither later runs nor subprocesses."""
    from accelerate.state import AcceleratorState

    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR")
    quick("classify", codebert, corpora / "classes", "schedule.steps=1")
    assert AcceleratorState().dynamo_plugin.backend.value == "NO"
    assert not [name for name in os.environ if name.startswith("ACCELERATE_DYNAMO_")]


def test_half_precision_ends_with_its_run(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    from accelerate.state import AcceleratorState

    quick("classify", codebert, corpora / "classes", "schedule.steps=1", "hardware.precision=bf16")
    quick("classify", codebert, corpora / "classes", "schedule.steps=1")
    assert AcceleratorState().mixed_precision == "no"


SCRIPT = """
import json, sys
from pathlib import Path
from codehunch_training.recipe import Recipe, with_overrides
from codehunch_training.training import train
task, base, data, out, *changes = sys.argv[1:]
run = train(task, base, Path(data), with_overrides(Recipe(), changes), Path(out))
print("finished", run.finished, run.summary["steps_done"])
"""


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", SCRIPT, *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **more}


def losses_of(folder: Path) -> list[float]:
    return [row["loss"] for row in read_log(folder) if "loss" in row]


def test_two_processes_give_the_loss_of_one(
    corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path
) -> None:
    """Two gloo processes, as torchrun starts them, against one process that accumulates two batches."""
    shared = (*STILL, "schedule.steps=5", "optimizer.weight_decay=0.0", "seed=3")
    alone = quick("classify", codebert, corpora / "classes", *shared, "batch.accumulation=2")
    out = tmp_path / "two"
    line = command("classify", codebert, corpora / "classes", out, *SMALL, *shared)
    (tmp_path / "script.py").write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone",
         str(tmp_path / "script.py"), *line[5:]],
        env=environment(), capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    assert losses_of(out) == pytest.approx(losses_of(alone.folder), rel=1e-4)
    first, second = (
        AutoModelForSequenceClassification.from_pretrained(folder / "best").state_dict()
        for folder in (alone.folder, out)
    )
    assert close(first, second, 1e-4)


def test_a_killed_run_resumes_to_the_same_curve(
    corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path
) -> None:
    """Killed without a word after some checkpoint, given the same call again: losses and weights are those of a run
    nobody disturbed, dropout included."""
    changes = ("schedule.steps=60", "schedule.save_every=6", "schedule.evaluate_every=20", "batch.tokens=512")
    whole = quick("classify", codebert, corpora / "classes", *changes)
    out = tmp_path / "killed"
    line = command("classify", codebert, corpora / "classes", out, *SMALL, *changes)
    process = subprocess.Popen(line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while not checkpoints(out) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    stopped = int(checkpoints(out)[-1].name.rpartition("-")[2])
    assert 0 < stopped < 60
    again = quick("classify", codebert, corpora / "classes", *changes, out=out)
    assert again.finished
    lines = [row["step"] for row in read_log(out) if "loss" in row]
    assert lines == list(range(1, 61))  # No step twice, none left out.
    seen = {row["step"]: row["loss"] for row in read_log(out) if "loss" in row}
    expected = {row["step"]: row["loss"] for row in read_log(whole.folder) if "loss" in row}
    assert seen == pytest.approx(expected, rel=1e-5)
    first, second = (
        AutoModelForSequenceClassification.from_pretrained(run.folder / "best").state_dict() for run in (whole, again)
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert again.metrics == whole.metrics
    assert again.summary["tokens"] == whole.summary["tokens"]


def test_interrupting_saves(corpora: Path, codebert: Path, quick: Callable[..., Any], tmp_path: Path) -> None:
    """Ctrl-C leaves a checkpoint of the step it came at, and says that the run is not finished."""
    out = tmp_path / "stopped"
    line = command("classify", codebert, corpora / "classes", out, *SMALL, "schedule.steps=2000")
    with subprocess.Popen(
        line, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 300
        while not losses_of(out) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained[-2000:]
    done = int(said.split()[-1])
    assert said.startswith("finished False")
    assert checkpoints(out)[-1].name == f"checkpoint-{done}"
    about = json.loads((out / "run.json").read_text())
    assert (about["finished"], about["stopped"]) == (False, "interrupted")
