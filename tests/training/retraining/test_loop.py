"""The loop: the best weights, a budget, checkpoints, several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

pytest.importorskip("torch", reason="needs the train extra")

import torch
from retraining_tools import TINY

from codehunch.bundles import store
from codehunch.bundles.bundle import load_bundle
from codehunch_training.retraining.cluster import Cluster, join
from codehunch_training.retraining.loop import CHECKPOINT, Trained, fine_tune, measure_speed, rate_at
from codehunch_training.retraining.options import RetrainError, Tuning, parse_budget, read_recipe


class Line:
    """Learns y = 2 x; ``wrong`` teaches something else than what is validated."""

    def __init__(self, wrong: bool = False, endless: bool = True) -> None:
        torch.manual_seed(0)
        self.model: torch.nn.Module = torch.nn.Linear(1, 1)
        self.factor = -2.0 if wrong else 2.0
        self.seeds: list[str] = []
        self.endless = endless

    def batches(self, seed: str) -> Iterator[dict[str, torch.Tensor]]:
        self.seeds.append(seed)
        while self.endless:
            x = torch.linspace(-1, 1, 8)[:, None]
            yield {"x": x, "y": self.factor * x}

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.nn.functional.mse_loss(self.model(batch["x"]), batch["y"])

    def validation(self) -> list[dict[str, torch.Tensor]]:
        x = torch.linspace(-1, 1, 8)[:, None]
        return [{"x": x, "y": 2.0 * x}]


TUNING = Tuning(learning_rate=0.2, most_steps=40, validations=2, weight_decay=0.0, checkpoint_seconds=0.0)


def trained(learner: Line, folder: Path, tuning: Tuning = TUNING, **more: object) -> Trained:
    return fine_tune(learner, tuning, 60.0, folder, Cluster(), **more)  # type: ignore[arg-type]


def test_it_learns_and_keeps_the_best(tmp_path: Path) -> None:
    learner = Line()
    found = trained(learner, tmp_path)
    assert (found.finished, found.steps, found.best_step) == (True, 40, 40)
    assert [step for step, _, _ in found.losses] == [0, 14, 27, 40]
    assert learner.model.weight.item() == pytest.approx(2.0, abs=0.3)


def test_what_only_got_worse_ends_as_it_began(tmp_path: Path) -> None:
    learner = Line(wrong=True)
    before = learner.model.weight.item()
    assert trained(learner, tmp_path).best_step == 0
    assert learner.model.weight.item() == before


def test_a_stopped_training_goes_on_with_its_optimiser(tmp_path: Path) -> None:
    whole = Line()
    trained(whole, tmp_path / "whole")
    parts, asked = Line(), []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 18

    assert not trained(parts, tmp_path / "parts", stop=stop).finished
    assert (tmp_path / "parts" / CHECKPOINT).is_file()
    fresh = Line()
    found = trained(fresh, tmp_path / "parts")
    assert (found.finished, found.steps) == (True, 40)
    assert fresh.seeds == ["0:0:17"]  # It does not read again what it has read.
    assert fresh.model.weight.item() == pytest.approx(whole.model.weight.item(), abs=1e-6)


def test_the_budget_is_kept(tmp_path: Path) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    found = fine_tune(Line(), attrs.evolve(TUNING, most_steps=0), 10.0, tmp_path, Cluster(), clock=clock)
    assert found.finished
    assert 10.0 <= found.seconds <= 12.0


@pytest.mark.parametrize(("cost", "looks"), [(0.01, 4), (1.0, 3), (3.0, 2)])
def test_looks_that_cost_much_are_fewer_and_within_the_budget(tmp_path: Path, cost: float, looks: int) -> None:
    """Ten seconds of steps of 0.1 s; two looks between the first and the last are wanted."""
    now = [0.0]

    class Slow(Line):
        def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            now[0] += 0.1
            return super().loss(batch)

        def validation(self) -> list[dict[str, torch.Tensor]]:
            now[0] += cost
            return super().validation()

    tuning = attrs.evolve(TUNING, most_steps=0)
    found = fine_tune(Slow(), tuning, 10.0, tmp_path, Cluster(), clock=lambda: now[0])
    assert len(found.losses) == looks
    assert found.seconds == pytest.approx(10.0, abs=0.5)
    assert found.seconds == pytest.approx(now[0], abs=0.01)  # No time is spent unseen.
    assert found.steps >= 30


def test_a_loss_that_is_no_number_and_no_data(tmp_path: Path) -> None:
    learner = Line()
    learner.factor = float("nan")
    with pytest.raises(RetrainError, match="lower learning_rate"):
        trained(learner, tmp_path / "a")
    with pytest.raises(RetrainError, match="nothing to train on"):
        trained(Line(endless=False), tmp_path / "b")


def test_the_rate_rises_and_falls() -> None:
    rates = [rate_at(done / 100, TUNING) for done in range(101)]
    assert max(rates) == pytest.approx(TUNING.learning_rate, rel=0.01)
    assert rates.index(max(rates)) == 5
    assert rates[0] < rates[-1] < 0.03 * TUNING.learning_rate or rates[-1] < 0.03 * TUNING.learning_rate


def test_measuring_learns_nothing() -> None:
    learner = Line()
    before = learner.model.weight.item()
    speed = measure_speed(learner, torch.device("cpu"))
    assert speed.seconds > 0
    assert learner.model.weight.item() == before
    assert learner.model.weight.grad is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("90s", 90), ("1h30m", 5400), ("2h", 7200), ("10", 600), ("1.5m", 90)]
)
def test_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "soon", "-5m", "5s", "1m30", "30 m x"])
def test_wrong_budgets(text: str) -> None:
    with pytest.raises(RetrainError, match="--budget"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("later = 0.2\nlatter = 1", "latter"), ("later = 'x'", "later"), ("later =", "Invalid"), (None, "No such file")],
)
def test_wrong_recipes(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "recipe.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RetrainError, match=message):
        read_recipe(path)


def _two(rank: int, folder: str) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="29517")
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    cluster = Cluster(rank, 2)
    torch.manual_seed(rank)
    model = torch.nn.Linear(2, 1)
    cluster.copy_weights(model)
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])[rank : rank + 1]
    model(x).square().mean().backward()
    cluster.average_gradients(model)
    shared = cluster.share({"from": "first"} if rank == 0 else None)
    told = cluster.agree(0.25 if rank == 0 else 0.75, rank == 1)
    torch.save([model.weight.detach(), model.weight.grad, shared, told], f"{folder}/{rank}.pt")
    cluster.leave()


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_two, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in (0, 1))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert first[2:] == second[2:] == [{"from": "first"}, (0.25, False)]
    torch.manual_seed(0)
    alone = torch.nn.Linear(2, 1)
    alone(torch.tensor([[1.0, 2.0], [3.0, -1.0]])).square().mean().backward()
    assert torch.allclose(alone.weight.grad, first[1])


@pytest.mark.parametrize(
    ("gpus", "environment", "expected"),
    [
        (0, {}, (0, 1, "cpu", "")),
        (2, {}, (0, 1, "cuda", "")),
        (0, {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}, (1, 2, "cpu", "gloo")),
        (2, {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}, (1, 2, "cuda:1", "nccl")),
        (1, {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "0"}, (3, 4, "cuda:0", "nccl")),
        (1, {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}, (0, 2, "cpu", "gloo")),
    ],
    ids=["processor", "GPU", "two processors", "two GPUs", "a GPU on each of four machines", "one GPU for two"],
)
def test_a_gpu_is_taken_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, gpus: int, environment: dict[str, str], expected: tuple[int, int, str, str]
) -> None:
    """Which device and which messages are chosen; what the driver and the other processes answer is made up."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = [""]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend, timeout: asked.append(backend))
    cluster = join()
    assert (cluster.rank, cluster.size, str(cluster.device), asked[-1]) == expected


@pytest.mark.slow
def test_the_command_under_torchrun(repository: Path, home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "general_functions = 6\ninjections = 1\nmost_judged = 24\nleast_calibration_lines = 60\n"
        f"[defects]\nbatch_tokens = 768\nmost_steps = {TINY.most_steps}\nvalidations = 1\n"
    )
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "codehunch",
    ]
    command += ["retrain", "--repo", str(repository), "--recipe", str(recipe), "--budget", "10m"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "run")],
        capture_output=True, text=True, timeout=900,
        env={**os.environ, store.HOME_VARIABLE: str(home), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report:") == 1
    assert "Traceback" not in done.stderr
    provenance = load_bundle(tmp_path / "run" / "defects" / "bundle").manifest.provenance
    assert "2 process(es)" in provenance["hardware"]
    assert provenance["steps"] == TINY.most_steps
