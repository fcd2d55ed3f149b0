"""Recipes: what is read, what is refused and how, and that those which ship can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

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
from codehunch_training.tasks import TASKS

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
