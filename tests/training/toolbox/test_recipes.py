"""Recipes: what is read, what is refused and how, and that those which ship can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from codehunch_training.bases import BaseError, device_of
from codehunch_training.recipe import (
    Recipe,
    RecipeError,
    field_paths,
    load_recipe,
    parse_value,
    shipped_recipes,
    to_toml,
    with_overrides,
)
from codehunch_training.recipe_checks import check_recipe
from codehunch_training.tasks import TASKS
from codehunch_training.trainer import arguments

WRONG = [
    ("[optimizer]\nlearning_rat = 1", "did you mean `optimizer.learning_rate`"),
    ("learning_rate = 1", "did you mean `optimizer.learning_rate`"),
    ("[optimiser]\nlearning_rate = 1", "unknown field `optimiser`"),
    ("[optimizer]\nlearning_rate = '1e-4'", "optimizer.learning_rate"),
    ("[schedule]\nkind = 'sine'", "expected 'linear' or 'cosine' or 'constant'"),
    ("[batch]\nsize = 1.5", "expected int"),
    ("optimizer = 3", "expected an object"),
    ("[optimizer", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)


OVERRIDES = [
    ("optimizer.learning_rate=1e-4", "optimizer", "learning_rate", 1e-4),
    ("optimizer.learning_rate=1", "optimizer", "learning_rate", 1.0),
    ("schedule.kind=cosine", "schedule", "kind", "cosine"),
    ("data.labels=['a', 'b']", "data", "labels", ("a", "b")),
    ("hardware.compile=true", "hardware", "compile", True),
    ("data.text=1", "", "", None),
    ("optimizer.learning_rte=1", "", "", None),
    ("optimizer=1", "", "", None),
    ("optimizer.learning_rate", "", "", None),
]


@pytest.mark.parametrize(("change", "table", "key", "value"), OVERRIDES)
def test_overrides(change: str, table: str, key: str, value: object) -> None:
    if not table:
        with pytest.raises(RecipeError):
            with_overrides(Recipe(), [change])
        return
    assert getattr(getattr(with_overrides(Recipe(), [change]), table), key) == value


def test_values() -> None:
    assert [parse_value(text) for text in ("1", "1e-4", "true", "plain", "a b", "[1, 2]")] == [
        1, 1e-4, True, "plain", "a b", [1, 2]
    ]  # fmt: skip


def test_written_recipes_read_back_equal(tmp_path: Path) -> None:
    recipe = with_overrides(Recipe(), ["data.labels=['a\"b', 'ü']", "about='x\\ny'", "optimizer.learning_rate=3e-5"])
    path = tmp_path / "r.toml"
    path.write_text(to_toml(recipe))
    assert load_recipe(path) == recipe


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.about
    assert recipe.task in TASKS or not recipe.task


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(RecipeError, match=r"shipped are .*devign"):
        load_recipe("devin")


def test_every_field_can_be_set() -> None:
    assert "optimizer.learning_rate" in field_paths()
    assert "seed" in field_paths()
    assert Recipe().set("seed", 3).seed == 3


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("batch.accumulation=0",), "batch.accumulation = 0: it must be at least 1"),
    (("schedule.warmup=1.5",), "schedule.warmup = 1.5: it must be at least 0 and at most 1"),
    (("optimizer.learning_rate=-1.0",), "optimizer.learning_rate"),
    (("regularization.label_smoothing=1.0",), "at most 0.999"),
    (("schedule.epochs=0", "schedule.steps=0"), "nothing to do"),
    (("hardware.precision=fp16",), "fp16 needs CUDA"),
    (("regularization.freeze_layers=-1", "regularization.unfreeze_every=1.0"), "choose one of the two"),
    (("distillation.hidden_weight=1.0", "hardware.gradient_checkpointing=true"), "computes them twice"),
    (("distillation.hidden_weight=1.0", "hardware.compile=true"), "hardware.compile"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED)
def test_what_does_not_go_together_is_told(changes: tuple[str, ...], told: str) -> None:
    with pytest.raises(RecipeError) as error:
        check_recipe(with_overrides(Recipe(), changes), torch.device("cpu"))
    assert told in str(error.value)


def test_fp16_is_for_cuda_alone() -> None:
    """Which precision is chosen where; what fp16 computes is not measured here."""
    check_recipe(with_overrides(Recipe(), ["hardware.precision=fp16"]), torch.device("cuda"))
    check_recipe(with_overrides(Recipe(), ["hardware.precision=bf16"]), torch.device("cpu"))


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_ask_for_nothing_impossible(name: str) -> None:
    check_recipe(load_recipe(name), torch.device("cuda"))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_trainer_gets_the_precision_asked_for(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr("codehunch_training.trainer.TrainingArguments", lambda **settings: kept.update(settings))
    recipe = with_overrides(Recipe(), [f"hardware.precision={precision}"])
    arguments(recipe, tmp_path, 1, torch.device("cuda"))
    assert (kept["bf16"], kept["fp16"]) == (precision == "bf16", precision == "fp16")
    assert kept["use_cpu"] is False
    arguments(recipe, tmp_path, 1, torch.device("cpu"))
    assert kept["use_cpu"] is True


def test_cuda_where_there_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, device, chosen in ((True, "auto", "cuda"), (True, "cpu", "cpu"), (False, "auto", "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert device_of(with_overrides(Recipe(), [f"hardware.device={device}"])).type == chosen
    with pytest.raises(BaseError, match="there is none"):
        device_of(with_overrides(Recipe(), ["hardware.device=cuda"]))
