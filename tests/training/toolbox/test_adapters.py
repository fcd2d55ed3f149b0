"""LoRA, IA3, prompt tuning and bottleneck adapters: they learn, the base stays bit for bit, and they survive disk."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("peft", reason="needs the train extra")
pytest.importorskip("adapters", reason="needs the train extra")

from safetensors.torch import load_file  # noqa: E402
from toolbox_helpers import SMALL, labelled, spanned, twins, write  # noqa: E402
from transformers import AutoModelForSequenceClassification, RobertaModel, T5ForConditionalGeneration  # noqa: E402

from codehunch_training.bases import BaseError, load_base  # noqa: E402
from codehunch_training.models.encoder import DefectConfig, DefectModel  # noqa: E402
from codehunch_training.recipe import Recipe, RecipeError, load_recipe  # noqa: E402
from codehunch_training.run_folder import load_run  # noqa: E402
from codehunch_training.tasks.classify import Classify  # noqa: E402
from codehunch_training.techniques import Technique  # noqa: E402
from codehunch_training.techniques.adapters import Adapters, is_fresh  # noqa: E402
from codehunch_training.training import train  # noqa: E402

WORDS = "left right width height count total first last size depth".split()
TINY = (
    "model.max_length=48", "model.hidden_size=64", "model.layers=2", "model.decoder_layers=1", "model.heads=4",
    "model.intermediate_size=128", "model.vocabulary=320", "batch.tokens=768", "regularization.dropout=0.0",
    "schedule.evaluate_every=1000", "generation.max_target=12",
)  # fmt: skip
KINDS = ("lora", "ia3", "prompt", "bottleneck")
CHANGES = {
    "lora": ("optimizer.learning_rate=1e-2",),
    "ia3": ("optimizer.learning_rate=2e-2", "schedule.epochs=8"),
    "prompt": ("optimizer.learning_rate=2e-2", "adapters.tokens=4"),
    "bottleneck": ("optimizer.learning_rate=1e-2", "adapters.reduction=8.0", "schedule.epochs=10"),
}


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Whether a function adds or not, which one word in the middle says."""
    rng, made = random.Random(seed), []
    for at in range(count):
        a, b, c = rng.sample(WORDS, 3)
        sign = "+" if at % 2 else "-"
        made.append(
            {"text": f"def {a}({b}, {c}):\n    return {b} {sign} {c}\n", "label": at % 2, "target": f"{sign} {b}"}
        )
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split, count, seed in (("train", 240, 0), ("valid", 40, 1)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count, seed)))
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A RoBERTa and a T5 on disk."""
    folder, found = tmp_path_factory.mktemp("bases"), {}
    for name, auto in (("roberta", RobertaModel), ("t5", T5ForConditionalGeneration)):
        base = load_base(f"new:{name}", load_recipe("adapters-lora", TINY), [row["text"] for row in rows(100, 0)])
        if name == "roberta":
            # Random features that differ: with the usual small weights a body from nothing says the same of all texts.
            base.config.initializer_range = 0.3
        torch.manual_seed(0)
        base.model(auto).save_pretrained(folder / name)
        base.tokenizer.save_pretrained(folder / name)
        found[name] = folder / name
    return found


class Watch(Technique):
    """Keeps the model being trained."""

    model: Any = None

    def on_model(self, model: Any, task: Any, recipe: Recipe) -> Any:
        self.model = model
        return model


def base_weights(model: Any) -> dict[str, Any]:
    """The base's weights by their own names, whatever was put around them."""
    found = {}
    for name, value in model.state_dict().items():
        bare = name.removeprefix("base_model.").replace(".base_layer.", ".").removeprefix("roberta.")
        found[bare] = value
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_with_the_base_as_it_was(kind: str, data: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    settings = load_recipe(f"adapters-{kind}", (*TINY, *CHANGES[kind]))
    watch = Watch()
    run = train("classify", str(bases["roberta"]), data, settings, tmp_path / "run", techniques=[watch])
    assert run.summary["baseline"]["accuracy"] == 0.5
    assert run.metrics["accuracy"] > 0.8
    assert run.summary["trained"] < 0.3 * run.summary["parameters"]
    # Bit for bit: every weight of the base is what it was on disk, and none of them was allowed to move.
    before, after = RobertaModel.from_pretrained(bases["roberta"]).state_dict(), base_weights(watch.model)
    compared = [name for name in before if name in after]
    assert len(compared) > 0.8 * len(before)
    assert all(torch.equal(before[name], after[name]) for name in compared)
    moved = {name for name, parameter in watch.model.named_parameters() if parameter.requires_grad}
    assert all("lora" in n or "ia3" in n or "prompt" in n or "adapters" in n or "classifier" in n for n in moved)
    # From disk it answers the same, and best/ is a plain checkpoint.
    again = load_run(run.folder)
    known = rows(40, 1)
    assert again.task.evaluate(again.model, known) == pytest.approx(run.metrics, abs=1e-4)
    plain = AutoModelForSequenceClassification.from_pretrained(run.folder / "best")
    stored = load_file(run.folder / "best" / "model.safetensors")
    assert set(stored) == set(plain.state_dict())
    if kind in ("lora", "ia3"):
        assert again.task.evaluate(plain, known)["accuracy"] == pytest.approx(run.metrics["accuracy"])
        changed = base_weights(plain)
        assert any(not torch.equal(before[name], changed[name]) for name in compared)
    else:
        assert all(torch.equal(before[name], base_weights(plain)[name]) for name in compared)
        with pytest.raises(BaseError, match="adapter beside it"):
            load_base(str(run.folder / "best"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_the_same(kind: str, data: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    """Half a run and the rest end where the whole run ends."""
    changes = (*TINY, *CHANGES[kind], "schedule.steps=8", "schedule.save_every=4", "schedule.evaluate_every=8")

    class Stop(Technique):
        def after_step(self, model: Any, step: int) -> None:
            if step == 4:
                raise KeyboardInterrupt

    settings, base = load_recipe(f"adapters-{kind}", changes), str(bases["roberta"])
    whole = train("classify", base, data, settings, tmp_path / "whole", techniques=[Technique()])
    with pytest.raises(KeyboardInterrupt):
        train("classify", base, data, settings, tmp_path / "run", techniques=[Stop()])
    rest = train("classify", base, data, settings, tmp_path / "run", techniques=[Technique()])
    assert rest.metrics["log_loss"] == pytest.approx(whole.metrics["log_loss"], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_generation_with_few_weights(kind: str, data: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    settings = load_recipe(f"adapters-{kind}", (*TINY, *CHANGES[kind], "schedule.steps=10", "schedule.epochs=1"))
    run = train("generation", str(bases["t5"]), data, settings, tmp_path / "run")
    assert run.summary["trained"] < 0.1 * run.summary["parameters"]
    again = load_run(run.folder)
    assert again.task.evaluate(again.model, rows(40, 1))["loss"] == pytest.approx(run.metrics["loss"], rel=1e-3)


@pytest.mark.parametrize(
    ("recipe", "task", "base", "kind"),
    [
        ("tokens", "tokens", "new:roberta", "bottleneck"),
        ("defects-joint", "defects", "new:modern", "lora"),
        ("pretrain-mlm", "pretrain", "new:modern", "ia3"),
        ("clones", "search", "new:roberta", "prompt"),
        ("causal", "causal", "new:gpt2", "prompt"),
        ("names", "names", "new:roberta", "bottleneck"),
    ],
)
def test_every_task_trains_and_loads_with_them(recipe: str, task: str, base: str, kind: str, tmp_path: Path) -> None:
    made = {"tokens": spanned, "defects": twins}.get(task, labelled)
    for part, size in (("train", 24), ("valid", 12)):
        rows = [{**row, "group": str(at // 2)} for at, row in enumerate(made(size, 1))]
        write(tmp_path / "data", f"{part}.jsonl", rows)
    changes = (
        *SMALL,
        f"adapters.kind={kind}",
        "schedule.steps=2",
        "schedule.evaluate_every=100",
        "generation.max_target=12",
    )
    run = train(task, base, tmp_path / "data", load_recipe(recipe, changes), tmp_path / "run")
    assert run.summary["trained"] < run.summary["parameters"] / 2
    again = load_run(run.folder)
    known = [json.loads(line) for line in (tmp_path / "data" / "valid.jsonl").read_text().splitlines()]
    metric = run.summary["best"]["metric"]
    assert again.task.evaluate(again.model, known)[metric] == pytest.approx(run.metrics[metric], abs=1e-4)


@pytest.mark.parametrize(
    ("recipe", "task", "base", "kind", "message"),
    [
        ("tokens", "tokens", "new:roberta", "prompt", "prompt tuning fits classify, generation"),
        ("classify", "classify", "new:modern", "bottleneck", "changes the weights of modernbert; use adapters.kind"),
    ],
)
def test_what_a_kind_cannot_do_is_told(
    recipe: str, task: str, base: str, kind: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path / "data", "train.jsonl", (spanned if task == "tokens" else labelled)(12, 1))
    settings = load_recipe(recipe, (*SMALL, f"adapters.kind={kind}"))
    with pytest.raises(RecipeError, match=message):
        train(task, base, tmp_path / "data", settings, tmp_path / "run")


def test_a_warm_started_decoder_is_trained_whole(data: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    watch = Watch()
    settings = load_recipe("adapters-lora", (*TINY, "schedule.steps=3", "generation.decoder=new"))
    train("generation", str(bases["roberta"]), data, settings, tmp_path / "run", techniques=[watch])
    for name, parameter in watch.model.named_parameters():
        assert parameter.requires_grad == (name.startswith("decoder.") or "lora" in name), name
        assert is_fresh(name, watch.model) == name.startswith("decoder.")
    before = RobertaModel.from_pretrained(bases["roberta"]).state_dict()
    after = {name.removeprefix("encoder."): value for name, value in base_weights(watch.model).items()}
    assert all(torch.equal(before[name], after[name]) for name in before if name in after)


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("adapters-lora", ("adapters.targets=['nothing']",), "adapters.targets: .*nothing"),
        ("adapters-lora", ("regularization.freeze_layers=1",), "adapters freeze the base by themselves"),
        ("adapters-lora", ("adapters.kind='lorra'",), "expected 'none' or 'lora' or 'ia3'"),
    ],
)
def test_what_does_not_fit_is_told(
    recipe: str, changes: tuple[str, ...], message: str, data: Path, bases: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        train("classify", str(bases["roberta"]), data, load_recipe(recipe, (*TINY, *changes)), tmp_path / "run")


def test_bottlenecks_need_a_body_the_library_knows() -> None:
    recipe = load_recipe("adapters-bottleneck", TINY)
    model = DefectModel(DefectConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, intermediate_size=16))
    with pytest.raises(RecipeError, match=r"does not know codehunch-defects; use adapters\.kind = lora"):
        Adapters(recipe).on_model(model, Classify(), recipe)


def test_few_rows_of_each_label(data: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    settings = load_recipe(
        "few-shot", (*TINY, "data.per_class=8", "optimizer.learning_rate=1e-2", "schedule.evaluate_every=8")
    )
    run = train("classify", str(bases["roberta"]), data, settings, tmp_path / "run")
    assert run.summary["data"]["train"] == run.summary["data"]["examples"] == 16
    assert run.metrics["accuracy"] > run.summary["baseline"]["accuracy"] + 0.1
