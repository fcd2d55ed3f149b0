"""Checkpoints in the layouts people bring: added, gated, installed, and then served by the commands."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from export_layouts import make  # noqa: E402
from transformers import PreTrainedModel  # noqa: E402

from codehunch.bundles import store  # noqa: E402
from codehunch.bundles.bundle import Bundle  # noqa: E402
from codehunch.cli.app import run  # noqa: E402
from codehunch.generation.completion import completion_of, encode_completion  # noqa: E402
from codehunch.generation.prompt import encode_text  # noqa: E402
from codehunch.syntax.parsing import parse  # noqa: E402
from codehunch.syntax.requests import body_requests  # noqa: E402
from codehunch_training.bases import load_base  # noqa: E402
from codehunch_training.export.add import _generation  # noqa: E402
from codehunch_training.export.bundling import Options, generation_spec  # noqa: E402

SOURCE = 'def half(value):\n    """Half of a value."""\n'
BODY = "return value / 2"
GENERATION = {
    "codet5": ("encoder-decoder", "infill"),
    "plbart": ("encoder-decoder", "text"),
    "gpt2": ("decoder-only", "text"),
    "qwen2": ("decoder-only", "middle"),
    "llama": ("decoder-only", "text"),
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of its own, and no network: a folder must be enough."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))

    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def taught(folder: Path) -> Path:
    """The checkpoint after it has learned one body by heart, asked for as the server will ask."""
    subject = _generation(load_base(str(folder)), Options(), "auto")
    spec, tokenizer, model = generation_spec(subject), subject.tokenizer, subject.model
    parsed = parse(SOURCE)
    prompt = encode_completion(tokenizer, spec, completion_of(parsed, body_requests(parsed)[0]))
    answer = [*encode_text(tokenizer, BODY), spec.eos_token_id]
    learn(model, prompt, answer, subject.kind == "encoder-decoder")
    model.save_pretrained(folder)
    return folder


def learn(model: PreTrainedModel, prompt: list[int], answer: list[int], encodes: bool) -> None:
    if encodes:
        batch = {"input_ids": torch.tensor([prompt]), "labels": torch.tensor([answer])}
        given = torch.tensor([[model.config.decoder_start_token_id, *answer[:-1]]])
        batch["decoder_input_ids"] = given  # PLBART shifts labels by its own rule.
    else:
        ids = torch.tensor([[*prompt, *answer]])
        batch = {"input_ids": ids, "labels": torch.tensor([[-100] * len(prompt) + answer])}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.eval()  # No dropout: it is to be known by heart.
    for _ in range(200):
        loss = model(**batch).loss
        if loss.item() < 0.01:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.05


def added(folder: Path, task: str, *more: str) -> Bundle:
    assert run(["bundles", "add", str(folder), "--task", task, *more]) == 0
    bundle = store.active_bundle("defects" if task == "defects" else "generation")
    assert bundle.manifest.id == folder.name
    bundle.verify()
    return bundle


@pytest.mark.parametrize("layout", sorted(GENERATION))
def test_a_model_that_writes_is_added_and_serves(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = added(taught(make(layout, tmp_path / layout)), "generation")
    spec = bundle.manifest.generation
    assert spec is not None
    assert (spec.layout, spec.prompt) == GENERATION[layout]
    assert bundle.manifest.parity["onnx_fp32"]["equal_sequences"] == 1.0
    assert bundle.manifest.parity["onnx_int8"]["agreement"] >= 0.95
    file = tmp_path / "half.py"
    file.write_text(SOURCE)
    capsys.readouterr()
    assert run(["generate", str(file), "--line", "1"]) == 0
    assert f"    {BODY}\n" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["codebert", "codebert-tokens"])
def test_a_model_that_judges_is_added_and_serves(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = added(make(layout, tmp_path / layout), "defects", "--id", layout)
    spec = bundle.manifest.defects
    assert spec is not None
    assert spec.sequence_labels == ("clean", "defective")
    assert spec.thresholds["low"] >= spec.thresholds["medium"] >= spec.thresholds["high"]
    assert max(spec.alarms_per_kloc.values()) <= 3.0
    card = (bundle.path / "MODEL_CARD.md").read_text()
    assert "warnings per 1,000 clean lines" in card
    assert "Python's standard library" in card
    capsys.readouterr()
    assert run(["check", str(Path(__file__).parents[3] / "examples"), "--format", "json"]) in (0, 1)
    assert isinstance(json.loads(capsys.readouterr().out), dict | list)


def test_half_precision(tmp_path: Path) -> None:
    bundle = added(make("codebert", tmp_path / "codebert"), "defects", "--fp16")
    assert bundle.manifest.quantization["method"] == "fp16"
    assert bundle.manifest.parity["onnx_fp16"]["agreement"] == 1.0


@pytest.mark.parametrize(
    ("layout", "task", "more", "code", "said"),
    [
        ("codebert-base", "defects", (), 2, "has no head that judges code"),
        ("codebert", "generation", (), 2, "is an encoder and writes nothing"),
        ("gpt2", "defects", (), 2, "has no head that judges code"),
        ("gpt2", "generation", ("--prompt", "middle"), 2, "no tokens for --prompt middle"),
        ("codebert", "defects", ("--bound", "difference=1e-9"), 1, "a probability differs by"),
        ("codebert", "defects", ("--bound", "beauty=1"), 2, "no such bound"),
        ("codebert", "defects", ("--int8", "--fp16"), 2, "choose one of --int8, --fp16"),
        ("codebert", "poetry", (), 2, "no task 'poetry'"),
    ],
)
def test_what_cannot_be_added(
    layout: str,
    task: str,
    more: tuple[str, ...],
    code: int,
    said: str,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"shared-{layout}"
    if not folder.exists():
        make(layout, folder)
    assert run(["bundles", "add", str(folder), "--task", task, *more]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert not any(not entry.embedded for entry in store.list_bundles())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("weights", "its weights cannot be read"),
        ("config", "config.json"),
        ("absent", "no such folder"),
    ],
)
def test_a_damaged_checkpoint(damage: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "checkpoint"
    if damage != "absent":
        make("codebert", folder)
    if damage == "weights":
        (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    elif damage == "config":
        (folder / "config.json").write_text("{")
    assert run(["bundles", "add", str(folder), "--task", "defects"]) == 2
    assert said in capsys.readouterr().err
