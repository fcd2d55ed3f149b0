"""Minimum-risk training: the risk is what can be worked out by hand, and training on it raises expected BLEU."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("sacrebleu", reason="needs the train extra")

from codehunch_training.recipe import load_recipe  # noqa: E402
from codehunch_training.run_folder import load_run, read_log  # noqa: E402
from codehunch_training.techniques.minimum_risk import (  # noqa: E402
    IGNORED,
    expected_risk,
    minimum_risk,
    sample_candidates,
    sentence_bleu,
    sequence_log_probabilities,
)
from codehunch_training.training import train  # noqa: E402

NAMES = "left right width height".split()
WAYS = ("Add {a} and {b}.", "{a} is what {b} does to it", "how {b} with {a} go", "one of {b} or {a} then")
TINY = (
    "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.decoder_layers=1", "model.heads=4",
    "model.intermediate_size=128", "model.vocabulary=400", "optimizer.learning_rate=5e-3", "batch.tokens=1024",
    "generation.max_target=16", "regularization.dropout=0.0", "schedule.evaluate_every=1000",
    "generation.evaluation_rows=1",
)  # fmt: skip


def rows(count: int, seed: int, ways: int = 4) -> list[dict[str, str]]:
    """A function may be told in four ways, and cross-entropy learns to say each now and then."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        a, b = rng.sample(NAMES, 2)
        way = rng.choice(WAYS[:ways])
        made.append({"text": f"def f({a}, {b}):\n    return {a} + {b}\n", "target": way.format(a=a, b=b)})
    return made


def test_the_risk_of_a_distribution() -> None:
    scores = torch.log(torch.tensor([[0.6, 0.2, 0.2]]))
    risks = torch.tensor([[0.0, 1.0, 0.5]])
    everything = torch.ones(1, 3, dtype=torch.bool)
    assert expected_risk(scores, risks, everything, 1.0).item() == pytest.approx(0.2 + 0.1)
    # Normalised over the sample; sharpness 0 treats all alike; what was seen before does not count.
    assert expected_risk(scores - 5, risks, everything, 1.0).item() == pytest.approx(0.3)
    assert expected_risk(scores, risks, everything, 0.0).item() == pytest.approx(0.5)
    assert expected_risk(scores, risks, torch.tensor([[True, True, False]]), 1.0).item() == pytest.approx(0.25)


def test_the_gradient_moves_probability_to_what_is_good() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    expected_risk(scores, torch.tensor([[0.1, 0.9, 0.5]]), torch.ones(1, 3, dtype=torch.bool), 1.0).sum().backward()
    assert scores.grad is not None
    best, worst, middle = scores.grad[0].tolist()
    assert best < 0 < worst
    assert middle == pytest.approx(0, abs=1e-6)


def test_the_probability_of_a_sequence() -> None:
    logits = torch.log(torch.tensor([[[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]]]))
    assert sequence_log_probabilities(logits, torch.tensor([[0, 1, IGNORED]])).item() == pytest.approx(math.log(0.63))


@pytest.mark.parametrize(
    ("candidate", "reference", "low", "high"),
    [
        ("return left + right", "return left + right", 1.0, 1.0),
        ("return left", "return left", 1.0, 1.0),
        ("return left - right", "return left + right", 0.2, 0.8),
        ("nothing of it", "return left + right", 0.0, 0.1),
        ("", "return left + right", 0.0, 0.0),
    ],
)
def test_sentence_bleu(candidate: str, reference: str, low: float, high: float) -> None:
    assert low - 1e-6 <= sentence_bleu(candidate, reference) <= high + 1e-6


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that says each of the four ways as often as its training rows do."""
    folder = tmp_path_factory.mktemp("risk")
    data = folder / "data"
    for place, ways in ((data, 4), (folder / "wanted", 1)):
        place.mkdir()
        for split, count, seed in (("train", 400, 0), ("valid", 30, 1)):
            made = rows(count, seed, ways)
            (place / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    train("generation", "new:t5", data, load_recipe("generation-native", (*TINY, "schedule.steps=100")), folder / "run")
    return folder


def expected_bleu(run: Any) -> float:
    """Mean sentence BLEU of sampled answers: what the model says if asked, not what it says at best."""
    torch.manual_seed(3)
    task, made = run.task, rows(40, 1, ways=1)
    batch = task.collate([{"input_ids": each["input_ids"]} for each in task.features(made)])
    answers = sample_candidates(run.model, batch, 8, 16)
    texts = [task.decode([token for token in row if token != IGNORED]) for row in answers.tolist()]
    return sum(sentence_bleu(text, made[at // 8]["target"]) for at, text in enumerate(texts)) / len(texts)


def test_training_on_the_risk_raises_expected_bleu(begun: Path) -> None:
    """No token of a reference is ever forced: what is wanted is found among the model's own samples by their BLEU."""
    settings = load_recipe(
        "generation-minimum-risk",
        (*TINY, "generation.risk_weight=1.0", "generation.risk_alpha=1.0", "generation.risk_reference=false",
         "optimizer.learning_rate=1e-3", "batch.tokens=256", "schedule.steps=25"),
    )  # fmt: skip
    run = train("generation", str(begun / "run" / "best"), begun / "wanted", settings, begun / "risk")
    found = expected_bleu(load_run(run.folder))
    assert found > expected_bleu(load_run(begun / "run")) + 0.1
    baseline = [sentence_bleu(row["text"], row["target"]) for row in rows(40, 1, ways=1)]  # A copy of the source.
    assert found > sum(baseline) / len(baseline) + 0.1


def test_it_stands_beside_cross_entropy(begun: Path) -> None:
    settings = load_recipe("generation-minimum-risk", (*TINY, "schedule.steps=3", "generation.risk_weight=0.5"))
    run = train("generation", str(begun / "run" / "best"), begun / "data", settings, begun / "both")
    (row, *_) = read_log(run.folder)
    assert row["loss"] == pytest.approx(row["loss_cross_entropy"] + row["loss_risk"], rel=1e-4)
    assert row["loss_cross_entropy"] > 0
    assert 0 < row["loss_risk"] < 0.5


def test_candidates_end_once_and_equal_ones_count_once(begun: Path) -> None:
    run = load_run(begun / "run")
    task, features = run.task, run.task.features(rows(4, 1))
    batch = task.collate(features)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    torch.manual_seed(0)
    sampled = sample_candidates(run.model, inputs, 5, 16)
    end = task.tokenizer.eos_token_id
    assert sampled.shape[0] == 20
    for row in sampled.tolist():
        kept = [token for token in row if token != IGNORED]
        assert row == kept + [IGNORED] * (len(row) - len(kept))
        assert end not in kept[:-1]
    references = [row["target"] for row in rows(4, 1)]
    constant = minimum_risk(run.model, inputs, references, task.decode, candidates=4, score=lambda *_: 0.25)
    assert constant.loss.item() == pytest.approx(0.75)
    assert constant.expected_bleu == pytest.approx(0.25)
    assert 1 <= constant.distinct <= 4
    # With the reference among them there is always something right to move to.
    gold = minimum_risk(run.model, inputs, references, task.decode, gold=batch["labels"], candidates=1, alpha=0.0)
    assert gold.expected_bleu >= 0.5 - 1e-6
