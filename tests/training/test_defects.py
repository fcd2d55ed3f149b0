"""The defect task end to end on a made corpus: it learns, resumes, exports, and the bundle serves."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from codehunch.defects.detector import CheckOptions, Detector
from codehunch.defects.surroundings import Standing
from codehunch.inference.encoding import LexicalEncoder, as_known
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch.syntax.text import SourceText
from codehunch_training.corpus.around import source_of
from codehunch_training.corpus.harvest import read_functions, write_functions
from codehunch_training.corpus.injection import definition, inject, misuse
from codehunch_training.corpus.rows import FunctionRow, to_line
from codehunch_training.corpus.vocabulary import learn_vocabulary
from codehunch_training.export.calibration import THRESHOLD_STEP, threshold_for
from codehunch_training.export.defects import export, recalibrated
from codehunch_training.export.defects import measured as measured_again
from codehunch_training.models.encoder import IGNORED, DefectConfig, DefectModel, occurrences
from codehunch_training.tasks.default_defects import DEFAULT_RECIPE, app, average, doubt, read_recipe
from codehunch_training.tasks.defect_data import Mixture, collate, corrupt, label_index, make_examples, stream
from codehunch_training.tasks.defect_model import TOKEN_LABELS
from codehunch_training.tasks.defect_recipe import MASKED_ALONE, Recipe, mixture_at, rate_at
from codehunch_training.tasks.defects import Batches, Run, train, with_share_of_tests

WORDS = [
    "count",
    "total",
    "size",
    "width",
    "height",
    "depth",
    "left",
    "right",
    "upper",
    "lower",
    "first",
    "last",
    "index",
    "offset",
    "limit",
    "start",
]


def made_function(rng: random.Random) -> str:
    """A function whose every use follows one convention, so that a break of it can be learned."""
    a, b, c = rng.sample(WORDS, 3)
    return (
        f"def {a}_of({a}, {b}, {c}=None):\n"
        f"    if {c} is None:\n        {c} = {b}\n"
        f"    if {a} < 0 or {b} < 0:\n        raise ValueError(f'{{{a}}} {{{b}}}')\n"
        f"    for step in range({a}):\n        {c} += step\n"
        f"    return {c}\n"
    )


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    rng = random.Random(0)
    for project, count in (("training", 400), ("held", 60), ("measured", 60)):
        (folder / project).mkdir()
        (folder / project / "module.py").write_text("\n\n".join(made_function(rng) for _ in range(count)))
    out = folder / "functions.jsonl.gz"
    write_functions([(name, folder / name) for name in ("training", "held", "measured")], out)
    return out


TINY = Recipe(
    steps=150,
    batch_tokens=1024,
    learning_rate=4e-3,
    hidden_size=48,
    layers=2,
    heads=2,
    intermediate_size=96,
    vocabulary=420,
    window=320,
    stride=32,
    validation_projects=("held", "measured"),
    validation_functions=40,
    checkpoint_minutes=10,
)


@pytest.fixture(scope="module")
def run(functions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(TINY, functions, out)
    return out


def test_training_learns(run: Path, functions: Path) -> None:
    summary = json.loads((run / "run.json").read_text())
    assert summary["finished"]
    encoder = LexicalEncoder(Run(TINY, functions, run).tokenizer, TINY.window, TINY.stride)
    index = label_index(TOKEN_LABELS)
    texts = [row.text for row in read_functions(functions) if row.project == "held"]
    rng = random.Random(1)
    changed = [corrupt(text, Mixture(clean=0.0, dense=1.0), rng) for text in texts]
    examples = [e for c in changed if c for e in make_examples(c.text, c.labels, {}, encoder, index)]
    batch = collate(examples, encoder.pad)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "identifier_ids")}

    def loss(model: DefectModel) -> float:
        with torch.inference_mode():
            logits = model.eval()(**inputs).token_logits
        return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["token_labels"].flatten()))

    labels = batch["token_labels"][batch["token_labels"] != IGNORED]
    share = np.bincount(labels.numpy(), minlength=len(TOKEN_LABELS)) / len(labels)
    trivial = -float((share[share > 0] * np.log(share[share > 0])).sum())
    assert loss(DefectModel.from_pretrained(run / "model")) < trivial


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:Constant folding:UserWarning")
def test_export_serves_what_was_trained(run: Path, functions: Path, tmp_path: Path) -> None:
    rows = list(read_functions(functions))
    held = [row for row in rows if row.project == "held"]
    measured = [row for row in rows if row.project == "measured"]
    bundle = export(run, tmp_path / "bundle", held, measured, "0.0.1", left_out=("never",))
    assert "- left out: never" in (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    spec = bundle.manifest.defects
    assert spec is not None
    assert bundle.manifest.parity["largest_difference_fp32"] < 1e-3
    assert bundle.manifest.parity["agreement_int8"] >= 0.95
    assert spec.thresholds["low"] >= spec.thresholds["medium"] >= spec.thresholds["high"]
    assert all(spec.alarms_per_kloc[name] <= budget for name, budget in (("low", 0.3), ("medium", 1.0), ("high", 3.0)))
    steps = [threshold / THRESHOLD_STEP for threshold in spec.thresholds.values()]
    assert steps == pytest.approx([round(step) for step in steps])
    assert recalibrated(bundle.path, held, measured).manifest.defects == spec
    before = bundle.manifest.metrics["held_out"]
    card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    again = measured_again(bundle.path, measured)
    assert (again.manifest.metrics["held_out"], again.manifest.defects) == (before, spec)
    assert (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8") == card
    again.verify()
    assert_consistent(before, len(measured), card)
    source = SourceText("\n\n".join(row.text for row in measured))
    found = [Detector(bundle).check(source, options=CheckOptions(level)) for level in ("low", "medium", "high")]
    assert len(found[0]) <= len(found[1]) <= len(found[2])


def assert_consistent(held: dict[str, Any], functions: int, card: str) -> None:
    """The parts of a report count the same things."""
    for level, row in held["levels"].items():
        assert row["injected_found_exact_token"] <= row["injected_found_line"], level
        assert row["intervals"] == {}, "one project has no interval"
    kinds = held["by_kind"]["high"]
    found, injected = (sum(row[name] for row in kinds.values()) for name in ("token", "injected"))
    assert found / injected == pytest.approx(held["levels"]["high"]["injected_found_exact_token"], abs=1e-4)
    assert all(row["fix"] <= row["token"] <= row["line"] <= row["injected"] for row in kinds.values())
    every = held["at_false_alarms"]["every kind"]
    assert every["functions"] == injected
    drawn = held["at_false_alarms"]["variable-misuse, any for any"]
    assert 0 < drawn["functions"] <= functions
    assert drawn["joint"] <= drawn["located"]
    points = [every[key] for key in ("at_0.01", "at_0.05", "at_0.1")]
    assert [point["false_alarms"] <= rate for point, rate in zip(points, (0.01, 0.05, 0.1), strict=True)] == [True] * 3
    assert points == sorted(points, key=lambda point: point["located"])
    assert all(point["joint"] <= point["located"] <= min(point["flagged"], every["located"]) for point in points)
    assert sum(row["functions"] for row in held["slices"] if row["about"] == "size") == functions
    for about in {row["about"] for row in held["slices"]}:
        alarms = sum(row["alarms_high"] for row in held["slices"] if row["about"] == about)
        lines = sum(row["lines"] for row in held["slices"] if row["about"] == about)
        assert 1000 * alarms / lines == pytest.approx(held["levels"]["high"]["clean_alarms_per_kloc"], abs=1e-3)
    assert all(
        0 <= row["right"] <= 1 and row["from"] <= row["confidence"] <= row["to"] for row in held["calibration"]["bins"]
    )
    assert {row["names"] for row in held["names"]} >= {"as written", "German"}
    for heading in ("Where it fails", "Alarms on clean code", "Does the confidence mean what it says?"):
        assert f"## {heading}" in card


def test_hard_negatives_are_read_as_they_are(functions: Path, tmp_path: Path) -> None:
    rows = list(read_functions(functions))
    doubts = tmp_path / "doubts.jsonl.gz"
    with gzip.open(doubts, "wt", encoding="utf-8") as sink:
        sink.writelines(f"{to_line(row)}\n" for row in (*rows[:20], *rows[-20:]))
    recipe = attrs.evolve(TINY, steps=3, dense_until=0.0, doubted=1.0)
    summary = train(recipe, functions, tmp_path / "run", doubts=doubts)
    assert summary["hard_negatives"] == sum(row.project == "training" for row in (*rows[:20], *rows[-20:]))
    assert doubts.name in summary["data"]
    run = Run(recipe, functions, tmp_path / "run", doubts=doubts)
    mixture = Mixture(clean=0.0, dense=1.0, doubted=1.0)
    sources = [source_of(row) for row in run.training]
    made = stream(sources, run.encoder, run.index, lambda: mixture, random.Random(0), doubts=run.doubts)
    read = list(islice(made, 60))
    clean = [not (example.token_labels > 0).any() for example in read]
    assert clean[::2] == [True] * 30
    assert sum(clean[1::2]) < 5


def test_hard_negatives_of_no_model_or_no_functions(run: Path, functions: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "doubts.jsonl.gz", tmp_path / "model"
    with pytest.raises(typer.BadParameter, match=r"no tokenizer\.json"):
        doubt(tmp_path, functions, out)
    shutil.copytree(run / "model", model)
    shutil.copyfile(run / "tokenizer.json", model / "tokenizer.json")
    (tmp_path / "functions.jsonl.gz").write_text("no archive")
    for wrong in ("functions.jsonl.gz", "nowhere.jsonl.gz"):
        with pytest.raises(typer.BadParameter, match="is not what"):
            doubt(model, tmp_path / wrong, out)
    assert not out.exists()
    doubt(model, functions, out, at_least=0.0, limit=9)
    assert len(list(read_functions(out))) == 9
    assert not out.with_name(f"{out.name}.part").exists()


def test_harvest_draws_files_and_tells_of_packages(tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        for number in range(5):
            file = tmp_path / name / "src" / f"m{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"def {name}{number}(a):\n    return a.{name}_{number} + {number}\n")
    info = tmp_path / "alpha" / "alpha-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Name: alpha\nVersion: 1.2\nClassifier: License :: OSI Approved :: MIT License\n\nHi"
    )
    (tmp_path / "gamma").mkdir()
    out, table = tmp_path / "f.jsonl.gz", tmp_path / "packages.csv"
    trees = [str(tmp_path / name) for name in ("gamma", "beta", "alpha")]
    result = CliRunner().invoke(app, ["harvest", str(out), *trees, "--files", "3", "--table", str(table)])
    assert result.exit_code == 0, result.output
    rows = list(read_functions(out))
    assert sorted(row.project for row in rows) == ["alpha"] * 3 + ["beta"] * 3
    again = CliRunner().invoke(app, ["harvest", str(out), *trees, "--files", "3"])
    assert again.exit_code == 0, again.output
    assert list(read_functions(out)) == rows
    assert table.read_text().splitlines()[1:] == ["alpha,1.2,MIT License,3", "beta,,,3"]


COMMANDS = [
    ["harvest", "{out}/f.jsonl.gz", "{out}/nowhere"],
    ["train", "{broken}", "{out}/run"],
    ["train", "{broken}", "{out}/run", "--start", "{out}/nowhere"],
    ["train", "{broken}", "{out}/run", "--recipe", "{broken}"],
    ["export", "{out}", "{broken}", "{out}/bundle", "--version", "1"],
    ["recalibrate", "{out}", "{broken}"],
    ["measure", "{out}/nowhere", "{broken}"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_wrong_paths_are_named(command: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_text("no archive")
    argv = [part.format(out=tmp_path, broken=broken) for part in command]
    result = CliRunner().invoke(app, argv, terminal_width=400, env={"COLUMNS": "400"})
    assert result.exit_code == 2, result.output
    assert str(tmp_path) in result.output
    assert "Traceback" not in result.output


def test_a_stopped_run_goes_on(functions: Path, tmp_path: Path) -> None:
    first = Run(attrs.evolve(TINY, steps=6), functions, tmp_path)
    first.train()
    second = Run(attrs.evolve(TINY, steps=12), functions, tmp_path)
    assert second.resume()
    assert (second.step, second.tokens) == (first.step, first.tokens)
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    second.train()
    assert second.step > first.step


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # Of two workers on one core.
def test_worker_processes_share_the_functions(functions: Path, tmp_path: Path) -> None:
    run = Run(attrs.evolve(TINY, steps=8, workers=2), functions, tmp_path)
    made = Batches(run)
    assert not set(made.sources[0::2]) & set(made.sources[1::2])
    run.train()
    assert run.step == 8


def test_a_run_begins_from_a_model(run: Path, functions: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    shutil.copytree(run / "model", start)
    shutil.copyfile(run / "tokenizer.json", start / "tokenizer.json")
    fresh = Run(attrs.evolve(TINY, hidden_size=96), functions, tmp_path / "next", start=start)
    first = DefectModel.from_pretrained(start)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), fresh.model.parameters(), strict=True))
    assert fresh.tokenizer.to_str() == Run(TINY, functions, run).tokenizer.to_str()


def test_the_average_of_two_runs(run: Path, functions: Path, tmp_path: Path) -> None:
    start, other, out = tmp_path / "start", tmp_path / "other", tmp_path / "average"
    shutil.copytree(run / "model", start)
    shutil.copyfile(run / "tokenizer.json", start / "tokenizer.json")
    train(attrs.evolve(TINY, steps=4, seed=1), functions, other, start=start)
    average(out, [run, other])
    weights = [load_file(folder / "model" / "model.safetensors") for folder in (run, other, out)]
    for name, mean in weights[2].items():
        assert torch.allclose(mean, (weights[0][name] + weights[1][name]) / 2, atol=1e-6), name
    summary = json.loads((out / "run.json").read_text())
    assert [each.split(":")[0] for each in summary["averaged"]] == ["seed 0", "seed 1, steps 4"]
    average(tmp_path / "again", [run, run, out])  # With the run it went on from, and weighed.
    again = load_file(tmp_path / "again" / "model" / "model.safetensors")
    for name, mean in again.items():
        assert torch.allclose(mean, (2 * weights[0][name] + weights[2][name]) / 3, atol=1e-6), name
    lines = json.loads((tmp_path / "again" / "run.json").read_text())["averaged"]
    assert lines[:2] == [summary["averaged"][0]] * 2
    assert lines[2] == f"the average of [{'; '.join(summary['averaged'])}]"
    older = DefectModel.from_pretrained(run / "model")
    known = len(Standing) - 2  # From before the last two.
    older.config.standings = known
    older.standings = torch.nn.Embedding.from_pretrained(older.standings.weight[:known])
    shutil.copytree(run, tmp_path / "older")
    older.save_pretrained(tmp_path / "older" / "model")
    average(tmp_path / "grown", [run, tmp_path / "older"])
    table = load_file(tmp_path / "grown" / "model" / "model.safetensors")["standings.weight"]
    newest = weights[0]["standings.weight"]
    assert torch.allclose(table[:known], newest[:known])
    coarser = [as_known(number, known) for number in range(known, len(Standing))]
    assert torch.allclose(table[known:], (newest[known:] + newest[coarser]) / 2)
    with pytest.raises(typer.BadParameter, match="two finished runs"):
        average(tmp_path / "none", [run])
    with pytest.raises(typer.BadParameter, match="no finished run"):
        average(tmp_path / "none", [run, tmp_path / "nowhere"])
    (other / "tokenizer.json").write_text("{}")
    with pytest.raises(typer.BadParameter, match="different tokenizers"):
        average(tmp_path / "none", [run, other])


def test_labels_stand_on_the_changed_lexemes(functions: Path) -> None:
    rng, texts = random.Random(2), [row.text for row in read_functions(functions)][:80]
    encoder = LexicalEncoder(learn_vocabulary(texts, 420), 320, 32)
    index = label_index(TOKEN_LABELS)
    seen = 0
    for text in texts:
        parsed = parse(text)
        node = definition(parsed)
        assert node is not None
        injected = inject(parsed, node, 1, rng)
        if injected is None:
            continue
        (example,) = make_examples(injected.text, injected.labels, injected.originals, encoder, index)
        lexemes = lexemes_of(injected.parsed, injected.node)
        marked = {lexemes[i].span.start for i in example.window.lexemes[example.token_labels > 0]}
        assert marked == set(injected.labels)
        assert example.kinds[0] == 0
        seen += 1
    assert seen > 60


def test_published_misuse_is_drawn_evenly() -> None:
    names = [f"name_{number}" for number in range(20)]
    body = "".join(f"    {name} = read()\n" for name in names)
    parsed = parse(f"def f(first):\n{body}    return first + name_0\n")
    node = definition(parsed)
    assert node is not None
    rng = random.Random(3)
    drawn = [made for _ in range(300) if (made := misuse(parsed, node, rng))]
    assert {tuple(made.originals.values()) for made in drawn} == {("first",), ("name_0",)}
    assert {tuple(made.labels.values()) for made in drawn} == {("variable-misuse",)}
    ends = Counter(made.text.rsplit("return ", 1)[1] for made in drawn)
    wanted = {f"{name} + name_0\n" for name in names} | {f"first + {name}\n" for name in [*names[1:], "first"]}
    assert set(ends) == wanted
    assert max(ends.values()) < 25  # Evenly, 7.5 of each: the nearest is no likelier than the farthest.
    alone = parse("def f(first):\n    return first\n")
    assert misuse(alone, alone.tree.root_node.named_children[0], rng) is None


def test_masked_lexemes_are_hidden_and_asked_for(functions: Path) -> None:
    text = next(read_functions(functions)).text
    encoder = LexicalEncoder(learn_vocabulary([text], 400), 320, 32)
    (plain,) = make_examples(text, {}, {}, encoder, label_index(TOKEN_LABELS))
    (example,) = make_examples(text, {}, {}, encoder, label_index(TOKEN_LABELS), 0.5, random.Random(0))
    hidden = example.window.input_ids == encoder.mask
    assert hidden.sum() > 5
    assert (example.window.identifier_ids[hidden] == 0).all()
    asked = example.originals != IGNORED
    assert (example.originals[asked] == plain.window.input_ids[asked]).all()
    assert (example.token_labels[asked] == IGNORED).all()


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    model = DefectModel(DefectConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)).eval()
    ids, same = torch.randint(5, 50, (1, 12)), torch.randint(0, 4, (1, 12))
    padded = torch.nn.functional.pad(ids, (0, 5), value=1), torch.nn.functional.pad(same, (0, 5))
    with torch.inference_mode():
        short = model(ids, torch.ones_like(ids), same).token_logits
        mask = torch.nn.functional.pad(torch.ones_like(ids), (0, 5))
        long = model(padded[0], mask, padded[1]).token_logits[:, :12]
    assert torch.allclose(short, long, atol=1e-5)


def test_occurrences_are_counted_by_use_not_by_token() -> None:
    #                     name (two tokens), other, name again, nothing, other twice more
    ids = torch.tensor([[0, 3, 3, 0, 5, 0, 3, 3, 0, 5, 0, 5]])
    uses, ranks = occurrences(ids)
    assert uses.tolist() == [[0, 2, 2, 0, 3, 0, 2, 2, 0, 3, 0, 3]]
    assert ranks.tolist() == [[0, 1, 1, 0, 1, 0, 2, 2, 0, 2, 0, 3]]


def test_the_identifier_bias_begins_at_nothing_and_can_matter() -> None:
    torch.manual_seed(0)
    model = DefectModel(DefectConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)).eval()
    for table in (model.identifiers, model.uses, model.ranks):
        table.weight.data.zero_()
    ids = torch.randint(5, 50, (1, 12))
    with torch.inference_mode():
        one, other = (model(ids, torch.ones_like(ids), same).token_logits for same in (ids * 0, ids * 0 + 1))
        assert torch.equal(one, other)
        model.layers[0].same_identifier.data.fill_(2.0)
        mixed = torch.tensor([[1, 0] * 6])
        assert not torch.allclose(one, model(ids, torch.ones_like(ids), mixed).token_logits)


@pytest.mark.parametrize(
    ("scores", "lines", "budget", "reported"), [([0.9, 0.8, 0.1], 1000, 1.0, 1), ([], 1000, 1.0, 0)]
)
def test_threshold_keeps_the_budget(scores: list[float], lines: int, budget: float, reported: int) -> None:
    found = threshold_for(np.array(scores), lines, budget)
    assert sum(score >= found for score in scores) == reported


@pytest.mark.parametrize(
    ("done", "changes", "expected"),
    [
        (0.1, {}, Mixture(clean=0.1, dense=0.9, masked=0.12)),
        (0.1, {"masked": 0.0}, Mixture(clean=0.1, dense=0.9)),
        (0.1, {"pretrain_until": 0.3}, Mixture(clean=1.0, dense=0.0, masked=MASKED_ALONE)),
        (0.3, {"pretrain_until": 0.3}, Mixture(clean=0.1, dense=0.9, masked=0.12)),
        (0.9, {"mined": 0.5, "doubted": 0.1}, Mixture(clean=0.3, dense=0.15, mined=0.5, doubted=0.1)),
    ],
)
def test_stretches_of_a_run(done: float, changes: dict[str, float], expected: Mixture) -> None:
    assert mixture_at(done, attrs.evolve(TINY, **changes)) == expected


def test_a_run_can_be_timed_by_the_processor(functions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.process_time()
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # The wall clock stands still.
    run = Run(attrs.evolve(TINY, steps=0, minutes=0.004, clock="processor"), functions, tmp_path)
    run.train()
    assert run.done == 1.0
    assert 0.24 <= run.seconds <= time.process_time() - started


def test_the_schedule_rises_and_falls() -> None:
    rates = [rate_at(done / 100, TINY) for done in range(101)]
    assert rates[0] < rates[3] == max(rates)
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] == pytest.approx(0.02 * TINY.learning_rate)


@pytest.mark.parametrize(("share", "left"), [(0.0, 0), (0.2, 2), (0.5, 8), (1.0, 30)])
def test_share_of_tests(share: float, left: int) -> None:
    paths = ["a/core.py"] * 8 + ["a/tests/helper.py"] * 20 + ["a/test_core.py"] * 10
    rows = [FunctionRow(project="a", path=path, name=str(at), text="") for at, path in enumerate(paths)]
    kept = with_share_of_tests(rows, share, seed=0)
    assert [row.path for row in kept[:8]] == ["a/core.py"] * 8
    assert len(kept) == 8 + left


def test_recipe_file(tmp_path: Path) -> None:
    for name in ("defects-default", "defects-gpu"):
        assert read_recipe(DEFAULT_RECIPE.with_stem(name)).layers >= 1
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("layer = 3\n")
    with pytest.raises(ValueError, match=r"wrong\.toml.*layer"):
        read_recipe(wrong)
