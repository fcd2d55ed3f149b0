"""Models that are told how names stand in their file, and the mistakes they learn it from."""

from __future__ import annotations

import gzip
import random
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from tokenizers import Tokenizer

from codehunch.bundles.store import active_bundle
from codehunch.defects.repairs import repairs
from codehunch.defects.rewrites import apply
from codehunch.defects.slips import corrections
from codehunch.defects.spelling import misspelt
from codehunch.defects.surroundings import Standing
from codehunch.defects.units import Unit
from codehunch.inference.classifier import Classifier
from codehunch.inference.encoding import STANDINGS_FROM, LexicalEncoder, as_known
from codehunch.syntax.parsing import parse
from codehunch_training.corpus.around import around_of
from codehunch_training.corpus.harvest import harvest, read_functions, write_functions
from codehunch_training.corpus.injection import Injected, definition, inject
from codehunch_training.corpus.lapses import forget_assignment, forget_binding, forget_call, stray_target
from codehunch_training.corpus.misspelling import misspelling, strange_name
from codehunch_training.corpus.rows import FunctionRow, to_line
from codehunch_training.corpus.vocabulary import learn_vocabulary
from codehunch_training.evaluation.defects import read
from codehunch_training.export.calibration import judge, threshold_for, threshold_over_projects
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.tasks.defect_data import EARLIER, label_index, make_examples
from codehunch_training.tasks.defect_model import TOKEN_LABELS, started
from codehunch_training.tasks.defect_recipe import Recipe
from codehunch_training.tasks.defects import train
from codehunch_training.tasks.doubts import EARNED, doubts

WORDS = "count total size width height depth left right upper lower first last index offset limit start".split()
HELPERS = ("combine", "arrange", "compute", "measure", "collect")
RECIPE = Recipe(
    steps=260,
    batch_tokens=1024,
    learning_rate=4e-3,
    dense_until=0.0,
    hidden_size=48,
    layers=2,
    heads=2,
    intermediate_size=96,
    vocabulary=420,
    window=320,
    stride=32,
    tests=1.0,
    validation_projects=("held",),
    validation_functions=40,
    checkpoint_minutes=10,
)
OLD_LABELS = tuple(label for label in TOKEN_LABELS if label not in EARLIER)


@pytest.mark.parametrize("known", [0, 16, 19, 21])
def test_an_old_model_begins_as_it_was(known: int, tmp_path: Path) -> None:
    """What it knew it still knows: it heeds no standing that is new to it, and no new kind outweighs an old one."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    knew = DefectModel(DefectConfig(300, standings=known, token_labels=list(OLD_LABELS), **sizes)).eval()
    knew.save_pretrained(tmp_path)
    learns = started(tmp_path, len(Standing)).eval()
    assert (learns.config.standings, tuple(learns.config.token_labels)) == (len(Standing), TOKEN_LABELS)
    ids = torch.randint(8, 100, (2, 20))
    same, standing = torch.randint(0, 9, (2, 20)), torch.randint(0, len(Standing), (2, 20))
    refined = torch.tensor([as_known(number, known) if known else 0 for number in range(len(Standing))])
    coarse = refined[standing]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.inference_mode():
        before = knew(**inputs, identifier_ids=same + coarse * STANDINGS_FROM).token_logits
        after = learns(**inputs, identifier_ids=same + standing * STANDINGS_FROM).token_logits
    torch.testing.assert_close(before, after[..., : len(OLD_LABELS)])
    for new, old in EARLIER.items():
        assert (after[..., TOKEN_LABELS.index(new)] < before[..., OLD_LABELS.index(old)]).all()


def test_a_model_that_grows_begins_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    small = DefectModel(DefectConfig(300, standings=4, token_labels=list(TOKEN_LABELS), **sizes)).eval()
    small.save_pretrained(tmp_path)
    large = started(tmp_path, 4, layers=5)
    assert len(large.layers) == large.config.num_hidden_layers == 5
    ids, same = torch.randint(8, 100, (2, 20)), torch.randint(0, 9, (2, 20))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "identifier_ids": same}
    with torch.inference_mode():
        torch.testing.assert_close(small(**inputs).token_logits, large.eval()(**inputs).token_logits)
    for new in (1, 3):  # What is new learns: its outputs at once, and they are all that keeps the rest from it.
        large.train()(**inputs, token_labels=same.clamp(max=1)).loss.backward()
        assert large.layers[new].output.weight.grad.any()
        assert large.layers[new].down.weight.grad.any()
    with pytest.raises(ValueError, match="has 3 encoder layers, the recipe 2"):
        started(tmp_path, 4, layers=2)


def test_an_old_model_learns_new_kinds_by_their_old_names(tmp_path: Path) -> None:
    text = "def f(a, *rest):\n    return g(a, rest)\n"
    encoder = LexicalEncoder(learn_vocabulary([text] * 20, 300), 320, 32)
    for labels, expected in ((OLD_LABELS, "variable-misuse"), (TOKEN_LABELS, "missing-star")):
        (example,) = make_examples(text, {text.index("rest)\n"): "missing-star"}, {}, encoder, label_index(labels))
        assert labels[example.token_labels.max()] == expected
        assert len(example.kinds) == len(labels)


def test_labels_of_another_table_are_refused(tmp_path: Path) -> None:
    DefectModel(DefectConfig(300, token_labels=["clean", "buggy"], num_hidden_layers=1)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="train from nothing instead"):
        started(tmp_path, 0)


Taught = tuple[DefectModel, LexicalEncoder, list[FunctionRow]]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """A model that has learned from files which have lost an import, how it reads, and functions it has not seen."""
    rng = random.Random(0)
    folder = tmp_path_factory.mktemp("taught")
    package = folder / "training"
    package.mkdir()
    for number in range(160):
        uses = "\n\n".join(
            f"def f{at}({a}, {b}):\n    {c} = {name}({a}, {b})\n    return {c}\n"
            for at in range(4)
            for a, b, c in [rng.sample(WORDS, 3)]
            for name in [rng.choice(HELPERS)]
        )
        (package / f"m{number}.py").write_text(f"from helpers import {', '.join(HELPERS)}\n\n{uses}")
    write_functions([("training", package)], folder / "all.jsonl.gz", 5)
    rows = list(read_functions(folder / "all.jsonl.gz"))
    held = [attrs.evolve(row, project="held") for row in rows[:30]]
    with gzip.open(folder / "functions.jsonl.gz", "wt") as sink:
        sink.writelines(f"{to_line(row)}\n" for row in (*rows[30:], *held))
    train(RECIPE, folder / "functions.jsonl.gz", folder / "run")
    model = DefectModel.from_pretrained(folder / "run" / "model").eval()
    tokenizer = Tokenizer.from_file(str(folder / "run" / "tokenizer.json"))
    return model, LexicalEncoder(tokenizer, RECIPE.window, RECIPE.stride, standings=len(Standing)), held


def without_import(row: FunctionRow, rng: random.Random) -> Injected:
    """The function in a file that has lost the import it needs."""
    parsed = parse(row.text)
    node, around = definition(parsed), around_of(row.around)
    assert node is not None
    assert around is not None
    made = forget_binding(parsed, node, around, rng)
    assert made is not None
    assert made.text == row.text
    assert all(row.text[at:].startswith(tuple(HELPERS)) for at in made.labels)
    return made


def test_a_model_hears_how_names_stand(taught: Taught) -> None:
    """The same function is right where its file binds a name and wrong where it does not; only the file tells."""
    model, encoder, held = taught
    rng = random.Random(0)
    wins = 0
    for row in held:
        made = without_import(row, rng)
        wrong = make_examples(row.text, made.labels, {}, encoder, label_index(TOKEN_LABELS), around=made.around)
        right = make_examples(row.text, {}, {}, encoder, label_index(TOKEN_LABELS), around=around_of(row.around))
        (_, one), (_, two) = read(model, [*wrong, *right], encoder.pad)
        place = int(np.flatnonzero(wrong[0].token_labels > 0)[0])
        wins += bool(one[place, 0] < two[place, 0])
    assert wins >= 25


def test_doubts_are_those_that_clean_code_does_not_earn(taught: Taught) -> None:
    model, encoder, held = taught
    rng = random.Random(1)
    found = list(doubts(model, encoder, held, 0.0, pool=7))
    assert [each.row for each in found if each is not None] == held
    clean = [each.suspicion for each in found if each is not None]
    assert all(each is None for each in doubts(model, encoder, held, max(clean) + 0.01))
    # The same functions where nothing binds the name they call: doubted more, but rightly.
    changed = [without_import(row, rng).around for row in held]
    unbound = [
        attrs.evolve(row, around=around.to_json() if around else "") for row, around in zip(held, changed, strict=True)
    ]
    examples = [
        make_examples(row.text, {}, {}, encoder, label_index(TOKEN_LABELS), around=around_of(row.around))
        for row in unbound
    ]
    peaks = [float((1 - each[1:-1, 0]).max()) for _, each in read(model, [e[0] for e in examples], encoder.pad)]
    assert np.mean(peaks) > np.mean(clean)
    level = float(np.median(peaks))
    kept = [each for each in doubts(model, encoder, unbound, level) if each is not None]
    assert len(kept) < len(held) / 4
    assert not {each.standing for each in kept} & EARNED


def test_a_forgotten_assignment_leaves_reads_without_a_value() -> None:
    rng = random.Random(0)

    def forgotten(body: str, names: str = "{}") -> set[tuple[str, tuple[str, ...]]]:
        parsed = parse(f"def f(first):\n    {body}\n")
        node, around = definition(parsed), around_of(f"[null, {names}, {{}}, false]")
        assert node is not None
        assert around is not None
        found = set()
        for _ in range(20):
            made = forget_assignment(parsed, node, around, rng)
            if made is not None:
                wrong = tuple(made.text[at:].partition("\n")[0] for at in sorted(made.labels))
                found.add((made.text.partition("\n")[2].strip(), wrong))
        return found

    counted = "count = 0\n    count += 1\n    print(first)\n    return count"
    assert forgotten(counted) == {("count += 1\n    print(first)\n    return count", ("count += 1", "count"))}
    assert forgotten("print(first); last = first\n    return last") == {("print(first); return last", ("last",))}
    assert forgotten("if first:\n        last = first\n    return last") == set()  # Nothing would be left of the block.
    # The file has an ``a``: nothing shows that it is not the one that is meant.
    assert forgotten("a = first; b = first\n    return b, a", '{"a": 6}') == {("a = first; return b, a", ("b, a",))}
    assert forgotten("first = first or 1\n    return first") == set()  # It still has a value.
    assert forgotten("def g():\n        a = 1\n        return a\n    return g") == set()
    assert forgotten("return first") == set()


def lapses(lapse: Callable[..., Injected | None], text: str, times: int = 60) -> dict[str, set[tuple[str, str]]]:
    """What a function becomes -> what is wrong then, each with its kind."""
    parsed = parse(text)
    node, around, rng = definition(parsed), around_of("[null, {}, {}, false]"), random.Random(0)
    assert node is not None
    made = [lapse(parsed, node, around, rng) for _ in range(times)]
    return {
        each.text: {(each.text[at:].partition(" ")[0].rstrip(), kind) for at, kind in each.labels.items()}
        for each in made
        if each is not None
    }


def test_a_target_goes_astray_where_nothing_reads_it_then() -> None:
    text = "def f(lines):\n    longest = None\n    for line in lines:\n        longest = line\n    return longest\n"
    found = lapses(stray_target, text)
    assert len(found) > 8
    for changed, wrong in found.items():
        (name, kind), *others = wrong
        assert (kind, others) == ("variable-misuse", [])
        assert changed.replace(f"{name} =", "longest =", 1) == text
    twice = "def f(lines):\n    first = lines[0]\n    longest = first\n    longest = len(longest)\n    return longest\n"
    assert twice.replace("longest = len", "first = len") in lapses(stray_target, twice)
    once = "def f(lines):\n    longest = lines[0]\n    return longest\n"
    assert lapses(stray_target, once) == {}  # The read would have no value: another lapse.
    added = "def f(total, lines):\n    for line in lines:\n        total += line\n    return total\n"
    assert any("toatl += line" in changed for changed in lapses(stray_target, added))


def test_what_went_astray_can_be_put_back() -> None:
    """On real functions, where the name that was meant stands elsewhere in the function."""
    rng = random.Random(0)
    tried = mended = 0
    for row in harvest("stdlib", Path(sysconfig.get_path("stdlib")) / "email", shortest=5):
        parsed = parse(row.text)
        node, around = definition(parsed), around_of(row.around)
        assert node is not None
        assert around is not None
        made = stray_target(parsed, node, around, rng)
        if made is not None:
            ((start, kind),) = made.labels.items()
            unit = Unit(made.text, 0, around)
            at = next(i for i, each in enumerate(unit.lexemes) if each.text and each.span.start == start)
            assert unit.standings[at] in (Standing.UNREAD, Standing.UNASSIGNED)
            tried += misspelt(unit.lexemes[at].text, made.originals[start])
            mended += any(apply(made.text, fix.edits) == row.text for fix in repairs(unit, at, kind))
    assert tried > 30
    assert mended >= 0.9 * tried


def test_confidence_is_fitted_on_lapses_too() -> None:
    bundle = active_bundle("defects")
    assert bundle.manifest.defects is not None
    rows = list(harvest("stdlib", Path(sysconfig.get_path("stdlib")) / "json", shortest=5))
    classifier = Classifier(bundle)
    _, faulty = judge(classifier, rows, 0, bundle.manifest.defects.candidate, lapsed=1.0)
    lost = 0
    for unit, text, number in zip(faulty.units, faulty.originals, faulty.rows, strict=True):
        assert text == rows[number].text
        file = around_of(rows[number].around)
        assert file is not None
        assert unit.around is not None
        # Either the text has changed, or its file has lost a name.
        assert (unit.text == text) == (unit.around != file)
        lost += unit.text == text
    assert len(rows) / 3 < lost < len(faulty.units)
    assert faulty.right.sum() > lost / 2
    _, plain = judge(classifier, rows, 0, bundle.manifest.defects.candidate)
    assert not any(unit.text == text for unit, text in zip(plain.units, plain.originals, strict=True))


def test_a_call_that_nobody_makes() -> None:
    text = "def f(file):\n    file.flush()\n    file.close()\n    file.seek(0)\n    return file.name()\n"
    wrong = {"missing-call-parentheses"}
    found = lapses(forget_call, text)
    assert found.keys() == {text.replace("flush()", "flush"), text.replace("close()", "close")}
    assert {kind for each in found.values() for _, kind in each} == wrong


def test_names_that_people_write_by_mistake() -> None:
    rng = random.Random(0)
    slips = {misspelling("message", rng) for _ in range(200)} - {"message"}
    assert len(slips) > 10
    assert all(misspelt("message", slip, 1) for slip in slips)
    found = {strange_name("new_items", rng, True) for _ in range(300)}
    assert {"items", "new", "new_item"} <= found
    assert {strange_name("i", rng, False) for _ in range(50)} == {None}
    later = "def f(first, other):\n    use(first)\n    behind = other\n    return behind, 'behind', 'nothing'\n"
    parsed = parse(later)
    node = definition(parsed)
    assert node is not None
    changed = {made.text for _ in range(400) if (made := inject(parsed, node, 1, rng)) is not None}
    assert later.replace("use(first)", "use(behind)") in changed  # It has no value there.
    assert any(text.count("behind") == 2 and "'nothing'" in text and "'behind'" not in text for text in changed)
    text = "def f(message, other):\n    return message.strip() + other.message + message\n"
    parsed = parse(text)
    node = definition(parsed)
    assert node is not None
    for _ in range(200):
        made = inject(parsed, node, 1, rng)
        assert made is not None
        for at in made.labels:
            assert made.text[at:] != text[at:]


def test_a_key_is_misspelt_where_its_words_show_it() -> None:
    rng = random.Random(0)
    text = "def f(data):\n    return data['message'], data['xyqq'], data['ok']\n"
    parsed = parse(text)
    node = definition(parsed)
    assert node is not None
    changed = [made.text for _ in range(300) if (made := inject(parsed, node, 1, rng)) is not None]
    keys = {key for each in changed for key in re.findall(r"'(\w+)'", each)} - {"message", "xyqq", "ok"}
    assert len(keys) > 5  # Another name than these: all are slips of the one whose words are in use.
    assert all(misspelt("message", key, 1) and corrections(key) for key in keys)


def test_the_budget_holds_in_nearly_all_draws_of_projects() -> None:
    rng = np.random.default_rng(0)
    lines = rng.integers(1000, 9000, 20)
    counts = np.round(rng.gamma(1.0, 2.0, 20) * lines / 1000).astype(int)
    projects = np.repeat(np.arange(20), counts)
    scores = rng.random(len(projects))
    for budget in (0.3, 1.0):
        least = threshold_over_projects(scores, projects, lines, budget)
        assert least > threshold_for(scores, int(lines.sum()), budget)
        shown = np.bincount(projects[scores >= least], minlength=20)
        rates = [1000 * shown[at].sum() / lines[at].sum() for at in rng.integers(0, 20, (2000, 20))]
        assert 0.9 < np.mean(np.array(rates) <= budget) <= 1.0
    assert threshold_over_projects(scores, projects, lines, 1000.0) == scores.min()
    assert threshold_over_projects(np.array([]), np.array([], dtype=int), lines, 1.0) == 0.5
