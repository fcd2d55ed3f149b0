"""Recipes: what is read, what is refused and how, and that those which ship can be read."""

from __future__ import annotations

import ast
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


EVERY = "test_learning.py::test_every_recipe_learns"
LEARNS = {
    "adapters-bottleneck": "test_adapters.py::test_it_learns_with_the_base_as_it_was",
    "adapters-ia3": "test_adapters.py::test_it_learns_with_the_base_as_it_was",
    "adapters-lora": "test_adapters.py::test_it_learns_with_the_base_as_it_was",
    "adapters-prompt": "test_adapters.py::test_it_learns_with_the_base_as_it_was",
    "averaging": EVERY,
    "causal": "test_causal.py::test_it_learns_to_go_on",
    "classify": EVERY,
    "classify-gpu": EVERY,
    "classify-intermediate": "test_phases.py::test_an_intermediate_task_helps",
    "classify-multilabel": EVERY,
    "classify-regularized": EVERY,
    "clones": "test_search.py::test_it_learns_what_belongs_together",
    "defects-joint": EVERY,
    "defects-two-phase": "test_phases.py::test_both_heads_learn_from_injected_defects_and_then_from_rare_real_ones",
    "devign": EVERY,
    "devign-codebert": EVERY,
    "devign-ngrams": EVERY,
    "distil": "test_compression.py::test_a_distilled_student_is_nearer_its_teacher_than_its_twin",
    "few-shot": "test_adapters.py::test_few_rows_of_each_label",
    "generation-minimum-risk": "test_minimum_risk.py::test_training_on_the_risk_raises_expected_bleu",
    "generation-native": "test_seq2seq.py::test_it_learns_to_write",
    "generation-new-decoder": "test_seq2seq.py::test_it_learns_to_write",
    "generation-repair": "test_seq2seq.py::test_it_learns_to_repair",
    "names": "test_names.py::test_it_names_variables_seen_and_unseen",
    "pretrain-corruption": EVERY,
    "pretrain-denoising": "test_denoising.py::test_it_learns_and_is_a_base",
    "pretrain-mlm": EVERY,
    "pretrain-nsp": EVERY,
    "pretrain-rtd": EVERY,
    "replay": "test_replay.py::test_less_is_forgotten_with_replay",
    "search": "test_search.py::test_it_learns_what_belongs_together",
    "tokens": EVERY,
}
"""The test in which each shipped recipe is trained and its metric beats the trivial baseline."""


def test_every_shipped_recipe_has_a_test_that_it_learns() -> None:
    assert sorted(LEARNS) == shipped_recipes()
    for recipe, test in LEARNS.items():
        file, name = test.split("::")
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        found = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name]
        assert found, test
        body, marks = ast.unparse(found[0]), [ast.unparse(mark) for mark in found[0].decorator_list]
        assert "baseline" in body, test
        assert not any("slow" in mark or "skip" in mark for mark in marks), test
        # Named in the test, in its table of cases, or as the kind of a family.
        family, _, kind = recipe.partition("-")
        assert f'"{recipe}"' in text or (f'"{family}-{{kind}}"' in text and f'"{kind}"' in text), recipe


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
