"""Text from text: both kinds of decoder learn, labels and padding are right, and what does not fit is told."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("sacrebleu", reason="needs the train extra")

from transformers import AutoModel, AutoModelForSeq2SeqLM, RobertaModel  # noqa: E402

from codehunch_training.bases import Base, BaseError, load_base  # noqa: E402
from codehunch_training.data import DataError  # noqa: E402
from codehunch_training.recipe import Recipe, load_recipe  # noqa: E402
from codehunch_training.run_folder import load_run, read_log  # noqa: E402
from codehunch_training.tasks.seq2seq import Seq2Seq, forced, target_text  # noqa: E402
from codehunch_training.tasks.specification import IGNORED  # noqa: E402
from codehunch_training.training import train  # noqa: E402

NAMES = "left right width height count total first last size depth".split()
VERBS = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide"}
TINY = (
    "model.max_length=64", "model.hidden_size=64", "model.layers=1", "model.decoder_layers=1", "model.heads=4",
    "model.intermediate_size=128", "model.vocabulary=400", "optimizer.learning_rate=3e-3", "batch.tokens=1024",
    "generation.max_target=24", "regularization.dropout=0.0", "schedule.epochs=8",
)  # fmt: skip


def pairs(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Functions and what they do."""
    rng = random.Random(seed)
    for _ in range(count):
        (a, b), sign = rng.sample(NAMES, 2), rng.choice(list(VERBS))
        text = f"def {rng.choice(NAMES)}({a}, {b}):\n    return {a} {sign} {b}\n"
        yield {"text": text, "target": f"{VERBS[sign]} {a} and {b}.", "language": "python"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for name, count, seed in (("train", 600, 0), ("valid", 60, 1)):
        lines = (json.dumps(row) + "\n" for row in pairs(count, seed))
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def encoder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa encoder on disk, in the layout of CodeBERT."""
    folder = tmp_path_factory.mktemp("encoder")
    recipe = load_recipe("generation-new-decoder", TINY)
    base = load_base("new:roberta", recipe, [row["text"] + row["target"] for row in pairs(300, 0)])
    base.model(RobertaModel).save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("recipe", "base"), [("generation-native", "new:t5"), ("generation-new-decoder", "")], ids=["native", "warm"]
)
def test_it_learns_to_write(recipe: str, base: str, data: Path, encoder: Path, tmp_path: Path) -> None:
    settings = load_recipe(recipe, (*TINY, "schedule.evaluate_every=60"))
    run = train("generation", base or str(encoder), data, settings, tmp_path / "run")
    assert run.summary["parameters"] <= 1_000_000
    assert run.summary["baseline"]["bleu"] < 30
    assert run.metrics["bleu"] > 80
    assert run.metrics["exact_match"] > 0.5
    measured = [row for row in read_log(run.folder) if "bleu" in row]
    assert len(measured) >= 2
    assert all({"bleu", "exact_match", "loss"} <= set(row) for row in measured)
    # What lies in best/ is a checkpoint of transformers' own, and it writes the same.
    again = load_run(run.folder)
    plain = AutoModelForSeq2SeqLM.from_pretrained(run.folder / "best").eval()
    row = next(pairs(1, 7))
    batch = again.tokenizer([row["text"]], return_tensors="pt", return_token_type_ids=False)
    written = again.tokenizer.decode(plain.generate(**batch, do_sample=False)[0], skip_special_tokens=True)
    features = again.task.features([row])
    assert again.task.write(again.model, features, beams=1) == [[written]]
    assert again.task.evaluate(again.model, list(pairs(60, 1)))["bleu"] == pytest.approx(run.metrics["bleu"])


def prepared(base: Base, changes: tuple[str, ...] = ()) -> tuple[Seq2Seq, Any, Recipe, list[Mapping[str, Any]]]:
    recipe = load_recipe("generation-native", (*TINY, "generation.decoder=auto", *changes))
    task, rows = Seq2Seq(), list(pairs(40, 3))
    task.prepare(rows, base, recipe)
    torch.manual_seed(0)
    return task, task.build(base, recipe, rows).eval(), recipe, task.features(rows)


@pytest.fixture(scope="module", params=["new:t5", "new:bart", "encoder"])
def writer(request: pytest.FixtureRequest, encoder: Path) -> tuple[Seq2Seq, Any, Recipe, list[Mapping[str, Any]]]:
    texts = [row["text"] + row["target"] for row in pairs(300, 0)]
    spec = str(encoder) if request.param == "encoder" else request.param
    return prepared(load_base(spec, load_recipe("generation-native", TINY), texts))


def test_padding_and_batches_change_nothing(writer: Any) -> None:
    task, model, _, features = writer
    short, long = sorted(features, key=task.length)[0], {**features[1], "labels": features[1]["labels"] * 2}
    batch = task.collate([short, long])
    width = len(short["labels"])
    assert batch["labels"][0, :width].tolist() == short["labels"]
    assert set(batch["labels"][0, width:].tolist()) == {IGNORED}
    together, _ = forced(model, batch)
    alone, _ = forced(model, task.collate([short]))
    assert torch.allclose(together[0, :width], alone[0], atol=1e-4)


def test_every_target_token_is_asked_for_once(writer: Any) -> None:
    task, model, _, features = writer
    labels = features[0]["labels"]
    batch = task.collate([features[0]])
    shifted = model.prepare_decoder_input_ids_from_labels(batch["labels"])[0].tolist()
    start = model.config.decoder_start_token_id
    assert shifted == [start, *labels[:-1]]
    assert task.decode(labels) == task.decode([x for x in labels if x not in task.tokenizer.all_special_ids])
    assert labels[-1] == task.tokenizer.eos_token_id
    # The loss is the model's own mean cross-entropy.
    ours = task.loss(model, batch, task.counts(batch)).parts["loss"]
    logits, _ = forced(model, batch)
    mean = torch.nn.functional.cross_entropy(logits[0], batch["labels"][0])
    assert ours.item() == pytest.approx(mean.item(), rel=1e-5)


def test_a_new_decoder_reads_what_the_encoder_says(encoder: Path) -> None:
    task, model, recipe, features = prepared(load_base(str(encoder), load_recipe("generation-native", TINY)))
    body = AutoModel.from_pretrained(encoder)
    for name, weight in body.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], weight), name
    words = model.decoder.get_input_embeddings().weight
    assert torch.equal(words, body.get_input_embeddings().weight)
    assert model.decoder.config.num_hidden_layers == recipe.model.decoder_layers
    assert all(layer.crossattention is not None for layer in model.decoder.roberta.encoder.layer)
    # Cross-attention carries the source: other sources, other answers; and gradients reach the encoder.
    labels = torch.tensor([features[0]["labels"]])
    seen = [
        forced(model, {**task.collate([{"input_ids": each["input_ids"]}]), "labels": labels})[0]
        for each in (features[0], features[1])
    ]
    assert not torch.allclose(seen[0], seen[1], atol=1e-5)
    seen[0].sum().backward()
    assert float(model.encoder.encoder.layer[0].output.dense.weight.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ({"text": "ab", "fixed": "ac"}, "fixed", "ac"),
        ({"text": "if a = b:", "edits": [[5, 6, "=="]]}, "edits", "if a == b:"),
        ({"text": "abcd", "edits": [[0, 1, "x"], [3, 4, "yz"]]}, "edits", "xbcyz"),
        ({"text": "abcd", "edits": []}, "edits", ""),
        ({"text": "abcd"}, "target", ""),
        ({"text": "abcd", "target": None}, "target", ""),
    ],
)
def test_what_is_to_be_written(row: dict[str, Any], column: str, expected: str) -> None:
    assert target_text(row, column) == expected


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        ("encoder", ("generation.decoder=native",), r"is an encoder \(roberta\) .*generation.decoder = new.*codet5"),
        ("new:t5", ("generation.decoder=new",), r"has a decoder; use generation.decoder = native"),
        ("new:gpt2", (), r"is a decoder \(gpt2\); generation needs an encoder-decoder such as"),
    ],
)
def test_a_base_that_does_not_fit_is_told_what_to_use(
    spec: str, changes: tuple[str, ...], message: str, encoder: Path
) -> None:
    base = load_base(str(encoder) if spec == "encoder" else spec, load_recipe("generation-native", TINY), ["a b c"])
    recipe = load_recipe("generation-native", ("generation.decoder=auto", *TINY, *changes))
    task = Seq2Seq()
    task.recipe = recipe
    with pytest.raises(BaseError, match=message):
        task.check_base(base)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([{"text": "a"}], (), "'target' or 'fixed' or 'docstring'; there are 'text'"),
        ([{"text": "a", "target": ""}], ("data.target=target",), "no row has anything in a column 'target'"),
        ([{"code": "a", "to": "b"}], ("data.text=from", "data.target=to"), "no column 'from'"),
    ],
)
def test_missing_columns_are_named(rows: list[dict[str, str]], changes: tuple[str, ...], message: str) -> None:
    recipe = load_recipe("generation-native", (*TINY, *changes))
    base = load_base("new:t5", recipe, ["a b c"])
    with pytest.raises(DataError, match=message):
        Seq2Seq().prepare(rows, base, recipe)


def test_any_pair_of_columns(data: Path) -> None:
    """The other way round: from what it does to the function."""
    recipe = load_recipe(
        "generation-native", (*TINY, "data.text=target", "data.target=text", 'generation.prefix="write: "')
    )
    task, rows = Seq2Seq(), list(pairs(5, 0))
    base = load_base("new:t5", recipe, task.texts(rows, recipe))
    task.prepare(rows, base, recipe)
    (first, *_) = task.features(rows)
    assert task.decode(first["input_ids"]) == f"write: {rows[0]['target']}"
    assert task.decode(first["labels"]) == rows[0]["text"]
    copied = task.baseline(rows, [{"target": "same words", "text": "same words"}])
    assert copied["exact_match"] == 1.0


def translations(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Functions in Python and the same in C."""
    rng = random.Random(seed)
    for _ in range(count):
        name, (a, b), sign = rng.choice(NAMES), rng.sample(NAMES, 2), rng.choice(list(VERBS))
        yield {
            "python": f"def {name}({a}, {b}):\n    return {a} {sign} {b}\n",
            "c": f"int {name}(int {a}, int {b}) {{ return {a} {sign} {b}; }}",
        }


def test_it_learns_to_translate_code(tmp_path: Path) -> None:
    """From one language to another, by naming the columns: better than copying the source."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, count, seed in (("train", 700, 0), ("valid", 40, 1)):
        lines = (json.dumps(row) + "\n" for row in translations(count, seed))
        (folder / f"{name}.jsonl").write_text("".join(lines))
    settings = load_recipe(
        "generation-native",
        (*TINY, "data.text=python", "data.target=c", "generation.max_target=40", "schedule.epochs=10",
         "schedule.evaluate_every=1000"),
    )  # fmt: skip
    run = train("generation", "new:t5", folder, settings, tmp_path / "run")
    assert run.metrics["bleu"] > run.summary["baseline"]["bleu"] + 30
    assert run.metrics["exact_match"] > 0.5
    again = load_run(run.folder)
    row = next(translations(1, 9))
    (answers,) = again.task.write(again.model, again.task.features([row]), beams=1)
    assert answers[0].startswith("int ")


def faulty(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Functions that do not do what they are called, and the edit that mends them."""
    rng = random.Random(seed)
    for _ in range(count):
        sign, (a, b) = rng.choice(list(VERBS)), rng.sample(NAMES, 2)
        wrong = rng.choice([other for other in VERBS if other != sign])
        text = f"def {VERBS[sign].lower()}({a}, {b}):\n    return {a} {wrong} {b}\n"
        at = text.rindex(wrong)
        yield {"text": text, "edits": [[at, at + 1, sign]], "fixed": text[:at] + sign + text[at + 1 :]}


def test_it_learns_to_repair(tmp_path: Path) -> None:
    """Against a copy of the faulty function, whose BLEU is high and which is never right."""
    for name, count, seed in (("train", 600, 0), ("valid", 40, 1)):
        lines = (json.dumps(row) + "\n" for row in faulty(count, seed))
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    changes = (*TINY, "generation.max_target=32", "schedule.evaluate_every=1000")
    run = train("generation", "new:t5", tmp_path, load_recipe("generation-repair", changes), tmp_path / "run")
    assert run.summary["parameters"] <= 1_000_000
    assert run.summary["best"]["metric"] == "exact_match"
    assert run.summary["baseline"]["exact_match"] == 0.0
    assert run.summary["baseline"]["bleu"] > 70
    assert run.metrics["exact_match"] > 0.7
    assert run.metrics["bleu"] > run.summary["baseline"]["bleu"] + 5
    again = load_run(run.folder)
    rows = list(faulty(20, 9))
    answers = again.task.write(again.model, again.task.features(rows), beams=1)
    assert sum(answer.strip() == row["fixed"].strip() for (answer,), row in zip(answers, rows, strict=True)) > 14


def test_what_a_checkpoint_does_when_it_summarises_is_switched_off(tmp_path: Path) -> None:
    recipe = load_recipe("generation-native", TINY)
    base = load_base("new:bart", recipe, [row["text"] for row in pairs(50, 0)])
    model = base.model(AutoModelForSeq2SeqLM)
    model.generation_config.update(num_beams=4, no_repeat_ngram_size=3, min_length=10, early_stopping=True)
    model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    task, rows = Seq2Seq(), list(pairs(5, 0))
    loaded = load_base(str(tmp_path), recipe)
    task.prepare(rows, loaded, recipe)
    made = task.build(loaded, recipe, rows).generation_config
    assert (made.num_beams, made.no_repeat_ngram_size, made.min_length) == (1, 0, 0)
    assert made.max_new_tokens == attrs.evolve(recipe.generation).max_target
