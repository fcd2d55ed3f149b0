"""A run's folder, its command, and what the core of training imports."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import codehunch_training
from codehunch.cli.app import run as command
from codehunch_training.data import read_data
from codehunch_training.recipe import Recipe, load_recipe
from codehunch_training.run_folder import read_log

PACKAGE = Path(codehunch_training.__file__ or "").parent


def test_a_run_says_how_it_came_about(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=4", "schedule.evaluate_every=2", "seed=7")
    about = json.loads((run.folder / "run.json").read_text())
    assert about["seed"] == 7
    assert about["data"]["fingerprint"] == read_data(corpora / "pair", Recipe()).fingerprint
    assert (about["data"]["train"], about["data"]["valid"]) == (240, 60)
    assert {"torch", "transformers", "tokenizers", "numpy", "codehunch"} <= set(about["versions"])
    assert about["hardware"]["cores"] == os.cpu_count()
    assert set(about["metrics"]) == set(about["baseline"])
    assert (about["finished"], about["steps"], about["steps_done"]) == (True, 4, 4)
    if (PACKAGE.parent.parent / ".git").exists():
        assert len(about["revision"].rstrip("+")) == 40
    assert load_recipe(run.folder / "recipe.toml").seed == 7
    rows = read_log(run.folder)
    assert [row["step"] for row in rows if "accuracy" in row] == [2, 4]
    assert {"loss", "learning_rate", "tokens", "tokens_per_second", "seconds", "epoch"} <= set(rows[0])
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(
        ["best", "best.json", "checkpoints", "log.jsonl", "recipe.toml", "run.json", "tensorboard"]
    )
    assert list((run.folder / "tensorboard").glob("events.*"))


def test_tensorboard_holds_the_curves(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=3")
    board = events.EventAccumulator(str(run.folder / "tensorboard"))
    board.Reload()
    assert {"train/loss", "train/learning_rate", "valid/accuracy"} <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2, 3]


def test_the_same_seed_gives_the_same_run(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    curves = []
    for seed in (1, 1, 2):
        run = quick("classify", codebert, corpora / "pair", "schedule.steps=5", f"seed={seed}")
        curves.append([row["loss"] for row in read_log(run.folder) if "loss" in row])
    assert curves[0] == curves[1] != curves[2]


def test_a_budget_of_minutes_ends_a_run_with_its_best(corpora: Path, codebert: Path, quick: Callable[..., Any]) -> None:
    run = quick("classify", codebert, corpora / "pair", "schedule.steps=100000", "schedule.minutes=0.02")
    assert run.finished
    assert run.summary["stopped"] == "0.02 minutes are over"
    assert run.summary["steps_done"] < 100000
    assert run.metrics


# The command

SMALL = (
    *(
        "--set",
        "model.hidden_size=32",
        "--set",
        "model.layers=1",
        "--set",
        "model.heads=2",
        "--set",
        "batch.tokens=512",
    ),
    *("--set", "model.vocabulary=400", "--set", "model.max_length=192", "--set", "optimizer.learning_rate=5e-3"),
)


def test_the_command_trains_and_tells(corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "train",
        "classify",
        "--base",
        "new:roberta",
        "--data",
        str(corpora / "pair"),
        "--out",
        str(tmp_path / "run"),
    ]
    line += [*SMALL, "--set", "schedule.epochs=8", "--set", "regularization.dropout=0.0"]
    assert command(line) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["best", "baseline"]
    assert out.splitlines()[-1] == str(tmp_path / "run")
    assert "accuracy" in out
    assert err.splitlines()[0].startswith("step ")
    # Given again, nothing is trained; --fresh begins anew.
    assert command(line) == 0
    again = capsys.readouterr()
    assert "step " not in again.err.replace("at step", "")
    assert again.out == out


def test_a_terminal_sees_loss_rate_and_time_left(
    corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    outer, inner = pty.openpty()
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    parts: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # The other end was closed.
            while part := os.read(outer, 4096):
                parts.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    line = ["train", "classify", "--base", "new:roberta", "--data", str(corpora / "pair"), *SMALL]
    with os.fdopen(inner, "w", buffering=1) as terminal, monkeypatch.context() as within:
        within.setattr(sys, "stderr", terminal)
        command([*line, "--out", str(tmp_path / "run"), "--set", "schedule.steps=4"])
    reader.join(10)
    os.close(outer)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode())
    told = re.findall(r"(\d)/4 loss (\d+\.\d{4})  ([\d,]+) tokens/s  (\d+:\d\d) left", shown)
    assert told, shown
    assert told[-1][0] == "4"
    assert told[-1][3] == "0:00"
    # The loss on the screen is the loss in the log.
    losses = {f"{row['loss']:.4f}" for row in read_log(tmp_path / "run") if "loss" in row}
    assert {loss for _, loss, _, _ in told} <= losses
    assert "step 4: accuracy" in shown


def test_a_model_no_better_than_guessing_is_told(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "train",
        "classify",
        "--base",
        "new:roberta",
        "--data",
        str(corpora / "pair"),
        "--out",
        str(tmp_path / "run"),
    ]
    assert command([*line, *SMALL, "--set", "optimizer.learning_rate=0.0", "--set", "schedule.steps=1"]) == 1
    assert "does not beat the trivial baseline on accuracy" in capsys.readouterr().err


WRONG = [
    (["train", "classifi"], "unknown task 'classifi'; choose from classify"),
    (["train", "classify"], "--data"),
    (["train", "classify", "--data", "x"], "--base"),
    (["train", "classify", "--data", "x", "--recipe", "nonesuch"], "no recipe of that name; shipped are"),
    (
        ["train", "classify", "--data", "x", "--base", "new:roberta", "--set", "optimizer.learning_rte=1"],
        "did you mean",
    ),
    (["train", "classify", "--data", "/nowhere", "--base", "new:roberta"], "/nowhere does not exist"),
    (
        ["train", "generation", "--data", "{pair}", "--base", "{codebert}", "--set", "generation.decoder=native"],
        "new:t5",
    ),
]


@pytest.mark.parametrize(("line", "told"), WRONG)
def test_wrong_use_is_one_line(
    line: list[str], told: str, corpora: Path, codebert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [word.format(pair=corpora / "pair", codebert=codebert) for word in line]
    assert command([*filled, "--out", str(tmp_path / "run")] if len(line) > 2 else filled) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_the_list_names_every_task_and_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["train", "list"]) == 0
    out = capsys.readouterr().out
    for name in (
        "classify",
        "tokens",
        "defects",
        "pretrain",
        "generation",
        "causal",
        "search",
        "devign",
        "pretrain-mlm",
    ):
        assert any(line.strip().split()[0] == name for line in out.splitlines()), name


# The core

ALLOWED = {
    "torch", "transformers", "tokenizers", "numpy", "safetensors", "huggingface_hub",
    # What the light install brings, and what transformers' Trainer itself needs.
    "attrs", "attr", "cattrs", "codehunch", "codehunch_training", "accelerate", "tree_sitter",
}  # fmt: skip
CORE = [
    "training", "trainer", "recipe", "recipe_tables", "bases", "new_bases", "data", "batching", "losses", "metrics",
    "run_folder", "errors", "tasks/classify", "tasks/tokens", "tasks/joint_defects", "tasks/pretrain", "tasks/masking",
    "tasks/windows", "tasks/specification", "techniques/freezing", "techniques/rdrop", "techniques/optimizer",
    "techniques/layers", "models/joint", "models/structure", "models/pretraining", "models/encoder",
    "models/embedding", "models/encoder_decoder", "models/ngrams", "compression/tables", "phases", "recipe_checks",
    "tasks/seq2seq", "tasks/causal", "tasks/search", "tasks/names", "tasks/denoising", "tasks/span_corruption",
    "tasks/writing", "techniques/replay", "techniques/__init__", "tasks/__init__",
]  # fmt: skip


@pytest.mark.parametrize("name", CORE)
def test_the_core_imports_nothing_else(name: str) -> None:
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for imported in names:
            root = imported.partition(".")[0]
            assert root in ALLOWED or root in sys.stdlib_module_names, f"{name} imports {imported}"


BARE = """
import sys

FORBIDDEN = set("datasets peft pandas sklearn optuna tensorboard pyarrow rensa sacrebleu onnx onnxruntime optimum "
                "scipy evaluate adapters rich typer pygls lsprotocol ray detect_secrets matplotlib".split())

class Bare:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in FORBIDDEN else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
from pathlib import Path
from codehunch_training.recipe import load_recipe
from codehunch_training.training import train
data, out, *changes = sys.argv[1:]
recipes = {"classify-regularized": "pair", "tokens": "spans", "defects-joint": "twins", "pretrain-corruption": "plain"}
for name, corpus in recipes.items():
    recipe = load_recipe(name, changes)
    run = train(recipe.task, "new:roberta", Path(data) / corpus, recipe, Path(out) / name)
    assert run.finished and run.metrics
print("trained on a bare machine")
"""


def test_a_prepared_corpus_trains_on_a_bare_machine(corpora: Path, tmp_path: Path) -> None:
    """Four tasks from nothing, with every optional package hidden."""
    changes = ["model.hidden_size=16", "model.heads=2", "model.layers=1", "model.vocabulary=300"]
    changes += ["model.max_length=192", "schedule.steps=2", "hardware.threads=1"]
    line = [sys.executable, "-W", "ignore", "-c", BARE, str(corpora), str(tmp_path), *changes]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(line, capture_output=True, text=True, timeout=400, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.endswith("trained on a bare machine\n")
