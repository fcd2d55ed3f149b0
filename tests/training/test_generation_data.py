"""Docstring pairs, their encoding, and batches of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from codehunch_training.corpus.docstrings import (
    KINDS,
    Duplicates,
    benchmark_grams,
    build,
    examples_of,
    first_sentence,
    prompt_of,
)

pytest.importorskip("tokenizers")
from codehunch.generation.prompt import EOS, MARKERS, PAD, SPECIAL_TOKENS
from codehunch_training.tasks.generation_data import (
    Examples,
    Sampler,
    collate,
    cut,
    encode_rows,
    encode_target,
    read_rows,
    texts_of,
)
from codehunch_training.tasks.generation_tokenizer import train_tokenizer

SOURCE = '''\
import os


def documented(path):
    """List the files of a folder in order."""
    names = os.listdir(path)
    return sorted(names)


def plain(a, b):
    total = a + b
    return total * 2


def trivial(a):
    """Does nothing at all here."""
    pass


def wordless(a):
    """Abc."""
    return a.b.c


class Thing:
    def total(self, rows):
        """Sum up all the rows of the thing."""
        # leave out rows that are too short
        if rows:
            rows = rows[2:]

        return sum(rows)
'''


def rows_of(tmp_path: Path, text: str) -> list[dict[str, object]]:
    path = tmp_path / "module.py"
    path.write_text(text)
    return list(examples_of(path, "module.py", "package", baseline=True))


def test_examples_of_a_file(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, SOURCE)
    found = {(row["kind"], row["function"]): row for row in rows}
    assert set(found) == {
        ("docstring", "documented"),
        ("sentence", "documented"),
        ("signature", "plain"),
        ("docstring", "Thing.total"),
        ("comment", "Thing.total"),
    }
    documented = found["docstring", "documented"]
    assert documented["target"] == "names = os.listdir(path)\nreturn sorted(names)"
    assert documented["nearest"]
    whole = found["sentence", "documented"]
    assert whole["target"] == "def documented(path):\n    names = os.listdir(path)\n    return sorted(names)"
    assert prompt_of(whole).fields == (("sentence", "List the files of a folder in order."),)
    method = found["docstring", "Thing.total"]
    assert method["target"] == "if rows:\n    rows = rows[2:]\n\nreturn sum(rows)"
    comment = found["comment", "Thing.total"]
    assert comment["target"] == "if rows:\n    rows = rows[2:]"
    assert prompt_of(comment).fields[-1] == ("comment", "leave out rows that are too short")


def test_two_spaces_become_four(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "def plain(a):\n  if a:\n    return a + 1\n  return 2 * a\n")
    assert row["target"] == "if a:\n    return a + 1\nreturn 2 * a"


@pytest.mark.parametrize(
    "text",
    [
        "# This file is auto-generated, do not edit.\n" + SOURCE,
        SOURCE + "\ndef broken(:\n",
        "def f(x):\n    '''Return one small thing.'''; return 1\n",
        "def f(x):\n    '''Raise an error always.'''\n    raise NotImplementedError('f')\n",
        "def f(x):\n    '''Print the very long text.'''\n" + "    print('a long line of text')\n" * 60,
    ],
)
def test_files_and_functions_left_out(tmp_path: Path, text: str) -> None:
    assert rows_of(tmp_path, text) == []


def test_no_prompt_holds_its_answer(tmp_path: Path) -> None:
    for row in rows_of(tmp_path, SOURCE):
        asked = "\n".join(text for _, text in prompt_of(row).fields)
        assert all(line.strip() not in asked for line in str(row["target"]).split("\n")[1:] if len(line) > 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sort rows. Then print.", "Sort rows."),
        ("Sort\nrows\n\nMore.", "Sort rows"),
        ("x" * 300, "x" * 240),
    ],
)
def test_first_sentence(text: str, expected: str) -> None:
    assert first_sentence(text) == expected


def test_duplicates() -> None:
    duplicates = Duplicates()
    body = "\n".join(f"value_{i} = compute(rows[{i}], scale=factor)" for i in range(12))
    assert not duplicates.seen(body)
    assert duplicates.seen(body.replace("\n", "\n    # a comment\n"))
    assert duplicates.seen(body + "\nreturn value_3")
    other = "\n".join(f"print(name_{i}, other.{chr(97 + i)})" for i in range(12))
    assert not duplicates.seen(other)
    assert not duplicates.seen("return a")
    assert not duplicates.seen("return b")
    assert duplicates.seen("return  b")


def build_corpus(tmp_path: Path, benchmarks: list[Path], kinds: Sequence[str] = KINDS) -> Path:
    for name in ("alpha", "beta", "_vendor"):
        folder = tmp_path / "packages" / name / name
        folder.mkdir(parents=True)
        (folder / "module.py").write_text(SOURCE.replace("names", f"{name}_names"))
    (tmp_path / "packages" / "alpha" / "alpha" / "test_module.py").write_text(SOURCE)
    (tmp_path / "packages" / "alpha" / "celery").mkdir()
    (tmp_path / "packages" / "alpha" / "celery" / "module.py").write_text(SOURCE.replace("names", "reserved_names"))
    out = tmp_path / "out"
    packages = [tmp_path / "packages" / name for name in ("alpha", "beta")]
    build(packages, out, {"beta"}, benchmarks, limit=100, seed=0, workers=1, kinds=kinds)
    return out


def test_packages_are_split_and_duplicates_stay_held_out(tmp_path: Path) -> None:
    out = build_corpus(tmp_path, [])
    train, valid = list(read_rows(out / "train.jsonl.gz")), list(read_rows(out / "valid.jsonl.gz"))
    assert {row["package"] for row in valid} == {"beta"}
    assert {row["kind"] for row in valid} == set(KINDS)
    # What both packages hold stays with the held-out one.
    assert {row["function"] for row in train} == {"documented"}
    assert all("reserved" not in row["target"] for row in train)
    stats = json.loads((out / "stats.json").read_text())
    assert stats["held_out"] == ["beta"]
    assert len(stats["fingerprint"]) == 64


@pytest.mark.parametrize("kind", ["docstring", "sentence"])
def test_what_trains_can_be_of_one_kind(kind: str, tmp_path: Path) -> None:
    out = build_corpus(tmp_path, [], [kind])
    assert {row["kind"] for row in read_rows(out / "train.jsonl.gz")} == {kind}
    assert {row["kind"] for row in read_rows(out / "valid.jsonl.gz")} == set(KINDS)


def test_benchmark_text_is_left_out(tmp_path: Path) -> None:
    task = tmp_path / "tasks.jsonl.gz"
    solution = "if rows:\n    rows = rows[2:]\nreturn sum(rows)"
    prompt = "def total(self, rows):\n    Sum up all the rows of the thing."
    with gzip.open(task, "wt") as file:
        file.write(json.dumps({"prompt": prompt, "canonical_solution": solution, "test": "x"}) + "\n")
    assert benchmark_grams([task])
    out = build_corpus(tmp_path, [task])
    rows = [*read_rows(out / "train.jsonl.gz"), *read_rows(out / "valid.jsonl.gz")]
    assert not any(row["function"] == "Thing.total" and row["kind"] == "docstring" for row in rows)
    assert any(row["function"] == "documented" for row in rows)


def test_tokens_and_back(tmp_path: Path) -> None:
    out = build_corpus(tmp_path, [])
    texts = list(texts_of(out / "train.jsonl.gz"))
    tokenizer = train_tokenizer(
        ["\n        return rows\n    return rows"] * 9 + texts, 400, tmp_path / "tokenizer.json"
    )
    assert [tokenizer.id_to_token(index) for index in range(len(SPECIAL_TOKENS))] == list(SPECIAL_TOKENS)
    text = "for i in rows:\n    if i:\n        self._x.append(naïve_2 + 17)\n\nreturn\ti"
    ids = encode_target(tokenizer, text)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "\n" + text
    assert ids[-1] == tokenizer.token_to_id(EOS)
    # A line end with its indentation is one token.
    assert len(encode_target(tokenizer, "a\n        return")) == len(encode_target(tokenizer, "a\n    return"))


def synthetic(count: int = 300) -> Examples:
    random = np.random.default_rng(0)
    parts, kinds = [], []
    for index in range(count):
        context = [40] * int(random.integers(0, 30))
        parts += [
            np.array([*context, 7, *[50] * int(random.integers(1, 60)), 1], dtype=np.uint16),
            np.array([60 + index % 9] * int(random.integers(1, 40)) + [1], dtype=np.uint16),
        ]
        kinds.append(index % len(KINDS))
    starts = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    return Examples(np.concatenate(parts), starts.astype(np.int64), np.array(kinds, dtype=np.uint8))


def test_batches_keep_to_their_budget() -> None:
    examples = synthetic()
    source, target = examples.lengths()
    batches = cut(source, target, 512)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(examples)))
    for batch in batches:
        assert len(batch) * (source[batch].max() + target[batch].max()) <= 512
    padded = sum(len(batch) * (source[batch].max() + target[batch].max()) for batch in batches)
    assert (source.sum() + target.sum()) / padded > 0.6


def test_a_sampler_goes_on_where_it_was() -> None:
    examples = synthetic()
    context = examples.context_lengths(7)
    assert {int(examples.pair(i)[0][c]) for i, c in enumerate(context)} == {7}

    def stream(sampler: Sampler) -> list[tuple[list[int], list[int]]]:
        return [(i.tolist(), d.tolist()) for i, d in sampler.next_pool((0.5, 0.2, 0.2, 0.1), 0.5)]

    one = Sampler(examples, 512, seed=3, context=context, pool=100)
    first = stream(one)
    state = one.state()
    second = stream(one)
    other = Sampler(examples, 512, seed=3, context=context, pool=100)
    other.restore(json.loads(json.dumps(state)))
    assert stream(other) == second != first
    drawn = [index for indices, _ in first for index in indices]
    counts = np.bincount(examples.kinds[drawn], minlength=4).tolist()
    assert counts == [50, 20, 20, 10]
    bare = [d for indices, dropped in first for i, d in zip(indices, dropped, strict=True) if context[i]]
    assert 0.3 < np.mean([d > 0 for d in bare]) < 0.7


def test_collate_pads_and_drops_the_surroundings() -> None:
    examples = synthetic(4)
    indices = np.array([0, 2])
    source, target = collate(examples, indices, 0, examples.context_lengths(7)[indices])
    assert source[:, 0].tolist() == [7, 7]
    assert source.shape[0] == target.shape[0] == 2
    assert (target[0] != 0).sum() == len(examples.pair(0)[1])


def test_rows_are_encoded_as_served(tmp_path: Path) -> None:
    from codehunch.generation.prompt import encode_prompt

    out = build_corpus(tmp_path, [])
    tokenizer = train_tokenizer(texts_of(out / "train.jsonl.gz"), 400, tmp_path / "tokenizer.json")
    examples = encode_rows(out / "valid.jsonl.gz", tokenizer, 384, 192)
    rows = list(read_rows(out / "valid.jsonl.gz"))
    assert len(examples) == len(rows)
    for index, row in enumerate(rows):
        assert examples.pair(index)[0].tolist() == encode_prompt(tokenizer, prompt_of(row), 384)
    examples.save(tmp_path / "cache.npz")
    assert Examples.load(tmp_path / "cache.npz").ids.tolist() == examples.ids.tolist()
    assert tokenizer.token_to_id(PAD) == 0
    assert tokenizer.token_to_id(MARKERS["def"]) in examples.ids
