"""A tiny generation model from sources to bundle: train, stop, resume, export, measure, serve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from safetensors.torch import load_file  # noqa: E402

from codehunch.bundles.bundle import Bundle, load_bundle  # noqa: E402
from codehunch.generation.generator import Generator  # noqa: E402
from codehunch.generation.prompt import EOS, sentence_prompt  # noqa: E402
from codehunch.inference.seq2seq import Seq2Seq  # noqa: E402
from codehunch.syntax.parsing import parse  # noqa: E402
from codehunch.syntax.requests import body_requests  # noqa: E402
from codehunch_training.corpus.docstrings import build  # noqa: E402
from codehunch_training.evaluation.generation import (  # noqa: E402
    edit_distance,
    edit_similarity,
    evaluate,
    scores,
    surprise,
    threshold,
)
from codehunch_training.export.generation import PARTS, WEIGHTS, agreement, export  # noqa: E402
from codehunch_training.export.restore import restore  # noqa: E402
from codehunch_training.tasks.generation import learning_rate, train  # noqa: E402
from codehunch_training.tasks.generation_model import DEFAULT_RECIPE, grown, read_recipe  # noqa: E402
from codehunch_training.tasks.generation_optim import orthogonal  # noqa: E402

RECIPE = """
vocabulary = 500
d_model = 32
d_kv = 8
d_ff = 48
heads = 4
encoder_layers = 1
decoder_layers = 2
max_prompt = 128
max_new = 80
batch_tokens = 512
threads = 1
precision = "fp32"
valid_examples = 8
first_bare = 0.5
[first_mix]
signature = 1.0
docstring = 1.0
[mix]
docstring = 1.0
comment = 0.5
"""
VERBS = ("add", "keep", "drop", "sort", "join", "split", "count", "merge", "print", "store", "load", "scale")


def sources(package: str) -> str:
    parts = ["import os\n"]
    for index, verb in enumerate(VERBS):
        parts.append(
            f'def {verb}_{package}(rows, {verb}er):\n    """Apply the {verb} step to all {package} rows."""\n'
            f"    # begin with the {verb} value of rows\n    value = {verb}er({index}, rows)\n\n"
            f"    return [{package}.{verb}(row, value) for row in rows if row != {index * 7}]\n"
        )
        parts.append(
            f"def plain_{verb}(one, {package}):\n    {verb} = one.{package}\n    return {verb} + {package}[{index}]\n"
        )
    return "\n\n".join(parts)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Bundle]:
    folder = tmp_path_factory.mktemp("generation")
    for package in ("alpha", "beta", "gamma"):
        (folder / package).mkdir()
        (folder / package / "module.py").write_text(sources(package))
    data, run = folder / "data", folder / "run"
    packages = [folder / name for name in ("alpha", "beta", "gamma")]
    build(packages, data, {"gamma"}, [], limit=1000, seed=0, workers=1)
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE)
    first = train(recipe, data, run, minutes=0.02)
    second = train(recipe, data, run, minutes=0.04, resume=True)
    assert second["steps"] > first["steps"] > 0
    assert second["tokens"] > first["tokens"]
    bundle = export(run, data, folder / "bundle", "tiny-generation", prompts=4, numbered="0.9.1")
    return data, run, bundle


def test_the_run_says_how_it_came_about(made: tuple[Path, Path, Bundle]) -> None:
    data, run, bundle = made
    facts = json.loads((run / "run.json").read_text())
    assert facts["data"]["fingerprint"] == json.loads((data / "stats.json").read_text())["fingerprint"]
    assert facts["versions"]["torch"]
    assert facts["metrics"]["valid_loss"]["docstring"] > 0
    assert bundle.manifest.version == "0.9.1"
    assert bundle.manifest.provenance["recipe"]["vocabulary"] == 500
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["seconds"] >= 2.4
    assert not (run / "checkpoint.new").exists()


def test_the_bundle_is_whole_and_agrees(made: tuple[Path, Path, Bundle]) -> None:
    bundle = load_bundle(made[2].path)
    bundle.verify()
    assert set(bundle.manifest.files) == {*PARTS.values(), WEIGHTS, "tokenizer.json", "MODEL_CARD.md"}
    parity = bundle.manifest.parity
    assert parity["onnx_fp32"]["tokens"] == 1.0
    assert parity["onnx_fp32"]["largest_probability_difference"] < 1e-3
    assert parity["onnx_int8"]["forced_tokens"] > 0.5
    # Graphs without weights: those lie once in the shared file.
    parameters = bundle.manifest.provenance["parameters"]
    assert bundle.manifest.files[WEIGHTS].size < 3.2 * parameters


def test_the_bundle_serves(made: tuple[Path, Path, Bundle]) -> None:
    generator = Generator(made[2], threads=1)
    parsed = parse("import os\n\n\ndef add_alpha(rows, adder):\n    '''Apply the add step to all alpha rows.'''\n")
    (request,) = body_requests(parsed)
    for candidate in generator.generate(parsed.source, request, candidates=3):
        assert 0 < candidate.confidence <= 1
        after = parsed.text[: candidate.span.start] + candidate.text + parsed.text[candidate.span.end :]
        compile(after, "after", "exec")
    assert generator.generate(parsed.source, request, least=1.01) == ()
    for candidate in generator.generate_prompt("Apply the add step", 2):
        compile(candidate.text, "whole", "exec")


def test_a_model_that_grows_begins_as_it_was(made: tuple[Path, Path, Bundle], tmp_path: Path) -> None:
    data, run, bundle = made
    restore(bundle, tmp_path / "start")
    before = json.loads((run / "run.json").read_text())["metrics"]["valid_loss"]
    state = load_file(tmp_path / "start" / "model.safetensors")
    larger = RECIPE.replace("encoder_layers = 1", "encoder_layers = 2").replace(
        "decoder_layers = 2", "decoder_layers = 5"
    )
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(larger)
    facts = train(recipe, data, tmp_path / "run", minutes=1e-6, start=tmp_path / "start")
    assert facts["metrics"]["valid_loss"] == pytest.approx(before, abs=0.05)
    assert facts["parameters"] > json.loads((run / "run.json").read_text())["parameters"]
    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    for side, places in (("encoder", [0]), ("decoder", [0, 3])):  # Where the old layers stand now.
        for number, place in enumerate(places):
            for name in (name for name in state if name.startswith(f"{side}.block.{number}.")):
                assert torch.equal(state[name], after[name.replace(f"block.{number}.", f"block.{place}.", 1)]), name
    assert not after["decoder.block.1.layer.1.EncDecAttention.o.weight"].any()
    with pytest.raises(ValueError, match="has 2 decoder layers, the recipe 1"):
        grown(state, 1, 1)
    with pytest.raises(ValueError, match="has 0 encoder layers"):
        grown({}, 1, 1)


def test_training_goes_on_from_a_restored_bundle(made: tuple[Path, Path, Bundle], tmp_path: Path) -> None:
    data, run, bundle = made
    restore(bundle, tmp_path / "start")
    # An older model: its fields had other names, and one of today's was a sentinel.
    stored = json.loads((tmp_path / "start" / "tokenizer.json").read_text())
    for index, token in enumerate(stored["added_tokens"]):
        del stored["model"]["vocab"][token["content"]]
        token["content"] = f"<old_{index}>"
        stored["model"]["vocab"][token["content"]] = token["id"]
    (tmp_path / "start" / "tokenizer.json").write_text(json.dumps(stored))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    facts = train(recipe, data, tmp_path / "run", minutes=1e-6, start=tmp_path / "start")
    assert facts["steps"] == 0
    assert facts["started_from"]["id"] == "tiny-generation"
    before = json.loads((run / "run.json").read_text())["metrics"]["valid_loss"]
    # Its weights are those of the int8 graphs.
    assert facts["metrics"]["valid_loss"] == pytest.approx(before, abs=0.05)
    texts = [Tokenizer.from_file(str(each / "tokenizer.json")).to_str() for each in (run, tmp_path / "run")]
    assert texts[0] == texts[1]


def test_the_evaluation_has_its_baselines(made: tuple[Path, Path, Bundle]) -> None:
    measured = evaluate(made[2].path, made[0], count=6, seed=0, say=lambda line: None)
    held_out = measured["held_out"]
    assert held_out["packages"] == ["gamma"]
    assert held_out["baseline_empty_body"]["parses"] == 1.0
    assert held_out["baseline_nearest_function"]["edit_similarity"] > 0.5
    assert set(held_out["docstring_removed"]) == set(held_out["beam"])
    assert 0 <= measured["automatic"]["threshold"] <= 1
    costs = held_out["nats_per_token"]
    assert {"docstring", "docstring_removed", "docstring_shuffled_nothing_else"} <= set(costs)
    assert all(0 < each < 12 for each in costs.values())


def test_surprise_is_what_the_decoder_thinks(made: tuple[Path, Path, Bundle]) -> None:
    generator = Generator(made[2])
    prompt = sentence_prompt("Return the sum of two numbers.")
    answer = generator.answers(prompt, generator.decoding(1))[0]
    assert isinstance(generator.model, Seq2Seq)
    end = [generator.tokenizer.token_to_id(EOS)] if answer.finished else []
    cost = surprise(generator.model, generator.encode(prompt), [*answer.tokens, *end])
    assert cost == pytest.approx(-answer.log_probability, rel=1e-3)


@pytest.mark.parametrize("name", ["generation-default", "generation-gpu"])
def test_the_shipped_recipes_are_read(name: str) -> None:
    recipe = read_recipe(DEFAULT_RECIPE.with_stem(name))
    assert recipe.d_model == recipe.heads * recipe.d_kv
    assert sum(recipe.mix.values()) == pytest.approx(1)
    assert sum(recipe.first_mix.values()) == pytest.approx(1)


def test_a_misspelt_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("vocabluary = 3\n")
    with pytest.raises(Exception, match=r"(?s)Recipe"):
        read_recipe(path)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.01), (0.05, 0.5), (0.1, 1.0), (0.55, 0.51), (1.0, 0.02)])
def test_learning_rate(progress: float, expected: float) -> None:
    assert learning_rate(progress, 0.1, 0.02) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 24)])
def test_a_step_of_muon_is_nearly_orthogonal(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    singular = torch.linalg.svdvals(orthogonal(torch.randn(shape), steps=5))
    assert singular.min() > 0.4
    assert singular.max() < 1.4


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("abc", "abc", 0), ("a" * 200, "a" * 199 + "b", 1)],
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == distance
    assert edit_similarity(one, other) == pytest.approx(1 - distance / max(len(one), len(other), 1))


@pytest.mark.parametrize(
    ("expected", "found", "tokens", "sequences"),
    [
        ([[1, 2]], [[1, 2]], 1.0, 1.0),
        ([[1, 2, 3, 4]], [[1, 2, 9, 4]], 0.5, 0.0),
        ([[1], [2, 2]], [[1], [2]], 0.6667, 0.5),
        ([[]], [[]], 1.0, 1.0),
    ],
)
def test_agreement(expected: list[list[int]], found: list[list[int]], tokens: float, sequences: float) -> None:
    assert agreement(expected, found) == {"tokens": tokens, "sequences": sequences}


@pytest.mark.parametrize(
    ("confidences", "similarities", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 1, 0, 0, 0], (0.4, 1.0)),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 1, 0, 0, -1], (0.5, 0.8333)),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0, 0, 0, 0, 0, 0], (0.9, 0.1667)),
    ],
)
def test_threshold(confidences: list[float], similarities: list[float], expected: tuple[float, float]) -> None:
    assert threshold(confidences, similarities) == expected


def test_scores_of_the_truth() -> None:
    row = {"target": "return a + b", "prompt": [["def", "def f(a, b):"]]}
    perfect = scores(["return a + b"], [row])
    assert perfect == {"exact_match": 1.0, "bleu": 100.0, "edit_similarity": 1.0, "parses": 1.0}
    assert scores(["return ("], [row])["parses"] == 0.0
