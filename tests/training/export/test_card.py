"""Model cards say what the manifest says, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from codehunch.bundles.bundle import Bundle, load_bundle
from codehunch.bundles.manifest import Task
from codehunch.bundles.store import default_bundle
from codehunch_training.export.card import CARD_NAME, render_card, write_card


def shipped(task: Task) -> Bundle:
    bundle = default_bundle(task)
    assert bundle is not None
    return bundle


@pytest.mark.parametrize("task", ["defects", "generation"])
def test_the_cards_that_ship_are_those_of_their_manifests(task: Task) -> None:
    bundle = shipped(task)
    assert (bundle.path / CARD_NAME).read_text(encoding="utf-8") == render_card(bundle.manifest)


def test_a_card_is_part_of_its_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(shipped("generation").path, folder)
    card = (folder / CARD_NAME).read_text(encoding="utf-8")
    (folder / CARD_NAME).write_text("x" * len(card.encode()), encoding="utf-8")  # Loading looks at sizes only.
    assert write_card(folder) == load_bundle(folder)
    load_bundle(folder).verify()
    assert "| nearest function |" in (folder / CARD_NAME).read_text(encoding="utf-8")
