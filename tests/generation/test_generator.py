"""From answers to candidates, with answers given; and the shipped bundle from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.manifest import FileRecord, GenerationSpec, InputSpec, Manifest
from codehunch.bundles.store import default_bundle
from codehunch.generation.generator import Generator, docstring_of
from codehunch.generation.prompt import EOS, PAD, SPECIAL_TOKENS, encode_text
from codehunch.inference.decoding import Answer
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import find_request
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with a tokenizer and no graphs: what the model says is given by each test."""
    folder = tmp_path_factory.mktemp("bundle")
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    alphabet = ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=330, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["return"], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    spec = GenerationSpec("e.onnx", "d.onnx", "p.onnx", 0, 1, 0, 384, 192, {"automatic": 0.4})
    names = ("tokenizer.json", "e.onnx", "d.onnx", "p.onnx")
    manifest = Manifest(
        id="given",
        version="1",
        task="generation",
        languages=("python",),
        created="2026-01-01T00:00:00+00:00",
        license="Apache-2.0",
        encoding=InputSpec("text"),
        files={name: FileRecord("0" * 64, 0) for name in names},
        generation=spec,
    )
    return Bundle(folder, manifest)


class Given(Generator):
    """Says the given bodies, each with a log-probability per token of -0.1, -0.2 ..."""

    def __init__(self, bundle: Bundle, bodies: Sequence[str], finished: bool = True, **options: Any) -> None:
        super().__init__(bundle, **options)
        self._bodies = bodies
        self._finished = finished

    def answers(self, *_: Any, **__: Any) -> tuple[Answer, ...]:
        result = []
        for index, body in enumerate(self._bodies, start=1):
            tokens = tuple(encode_text(self.tokenizer, "\n" + body))
            result.append(Answer(tokens, -0.1 * index * (len(tokens) + self._finished), self._finished))
        return tuple(result)


FUNCTION = (
    "import os\n\n\nclass A:\n\tdef f(self, rows):\n\t\t'''Sum all the rows.'''\n\t\tpass\n\n\tdef g(self): ...\n"
)


def candidates_for(bundle: Bundle, text: str, mark: str, bodies: Sequence[str], **options: Any) -> list[str]:
    request = find_request(parse(text), text.index(mark))
    assert request is not None
    found = Given(bundle, bodies, **options).generate(SourceText(text), request, candidates=5)
    return [text[: each.span.start] + each.text + text[each.span.end :] for each in found]


def test_a_body_lands_in_the_file_as_the_file_is_written(bundle: Bundle) -> None:
    (after,) = candidates_for(bundle, FUNCTION, "pass", ["if rows:\n    return sum(rows)\nreturn 0"])
    assert after == FUNCTION.replace("\t\tpass", "\t\tif rows:\n\t\t\treturn sum(rows)\n\t\treturn 0")


def test_windows_line_ends_stay(bundle: Bundle) -> None:
    text = FUNCTION.replace("\n", "\r\n")
    (after,) = candidates_for(bundle, text, "pass", ["total = 0\nreturn total"])
    assert "\n" not in after.replace("\r\n", "")
    assert "\t\ttotal = 0\r\n\t\treturn total\r\n" in after


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("return sum(rows)", True),
        ("return sum(rows</s>", False),
        ("return unknown(rows)", False),
        ("", False),
        ("return re.sub('a', 'b', rows)", True),
        ("break", False),
        ("return self.rows", True),
    ],
)
def test_what_passes_the_filters(bundle: Bundle, body: str, kept: bool) -> None:
    assert bool(candidates_for(bundle, FUNCTION, "pass", [body])) is kept


def test_equal_candidates_are_shown_once(bundle: Bundle) -> None:
    assert len(candidates_for(bundle, FUNCTION, "pass", ["return 1", "return 1  ", "return 2"])) == 2


def test_an_unfinished_body_ends_with_a_whole_statement(bundle: Bundle) -> None:
    (after,) = candidates_for(bundle, FUNCTION, "pass", ["a = 1\nb = (a,"], finished=False)
    assert "\t\ta = 1\n\n" in after


def test_a_comment_is_not_followed_by_a_repetition(bundle: Bundle) -> None:
    text = "def f(rows):\n    # count the rows of the list\n    \n    return total\n"
    (after,) = candidates_for(bundle, text, "    \n", ["total = len(rows)\nreturn total"])
    assert after == text.replace("    \n", "    total = len(rows)\n", 1)


def test_low_confidence_stays_silent(bundle: Bundle) -> None:
    request = find_request(parse(FUNCTION), FUNCTION.index("pass"))
    assert request is not None
    generator = Given(bundle, [f"return {index}" for index in range(12)])
    assert generator.automatic_threshold == 0.4
    shown = generator.generate(SourceText(FUNCTION), request, 20, least=generator.automatic_threshold)
    assert len(shown) == 9
    assert min(each.confidence for each in shown) >= 0.4
    assert len(generator.generate(SourceText(FUNCTION), request, 20)) == 12


def test_the_judge_ranks(bundle: Bundle) -> None:
    def judge(source: SourceText, span: Span) -> bool:
        return "good" in span.of(source.text)

    request = find_request(parse(FUNCTION), FUNCTION.index("pass"))
    assert request is not None
    generator = Given(bundle, ["return 'bad'", "return 'good'"], judge=judge)
    found = generator.generate(SourceText(FUNCTION), request, 2)
    assert [each.text.strip() for each in found] == ["return 'good'", "return 'bad'"]


SIBLINGS = (
    "class A:\n"
    "    def set_width(self, width):\n"
    "        'Set the width of it.'\n"
    "        self.width = width\n\n"
    "    def set_height(self, height):\n"
    "        'Set the height of it.'\n"
    "        pass\n\n"
    "    def describe(self, sizes):\n"
    "        'Do something else altogether.'\n"
    "        pass\n"
)


@pytest.mark.parametrize(
    ("mark", "candidates", "automatic", "expected"),
    [
        # A clear sibling needs no model, asked for or not.
        ("height of", 1, False, [("self.height = height", "A.set_width")]),
        ("height of", 1, True, [("self.height = height", "A.set_width")]),
        # What somebody has written comes before what the model made up, however sure that is.
        ("height of", 3, False, [("self.height = height", "A.set_width"), ("return 1", ""), ("return 2", "")]),
        # Something that is merely in the same class is no sibling.
        ("else alt", 2, False, [("return 1", ""), ("return 2", "")]),
    ],
)
def test_siblings_come_first_and_say_so(
    bundle: Bundle, mark: str, candidates: int, automatic: bool, expected: list[tuple[str, str]]
) -> None:
    request = find_request(parse(SIBLINGS), SIBLINGS.index(mark))
    assert request is not None
    generator = Given(bundle, ["return 1", "return 2"])
    least = generator.automatic_threshold if automatic else 0.0
    found = generator.generate(SourceText(SIBLINGS), request, candidates, least=least)
    assert [(each.text.strip(), each.origin) for each in found] == expected


def test_a_sibling_that_reads_as_defective_comes_last(bundle: Bundle) -> None:
    request = find_request(parse(SIBLINGS), SIBLINGS.index("height of"))
    assert request is not None
    generator = Given(bundle, ["return 1"], judge=lambda source, span: "return" in span.of(source.text))
    found = generator.generate(SourceText(SIBLINGS), request, 2)
    assert [each.text.strip() for each in found] == ["return 1", "self.height = height"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "def sort_list(items):\n    return sorted(items)",
            'def sort_list(items):\n    """Sort a list."""\n    return sorted(items)\n',
        ),
        (
            "def walk(top):\n    return os.listdir(top)",
            'import os\n\n\ndef walk(top):\n    """Sort a list."""\n    return os.listdir(top)\n',
        ),
        ("def one(a): return a", 'def one(a):\n    """Sort a list."""\n    return a\n'),
        ("def f(a):\n    return missing(a)", None),
        ("def f(a):\n    return (", None),
        ("def list(a):\n    return list(a)", None),
        ("x = 1", None),
        ("def f(a):\n    return a\n\n\ndef g(a):\n    return 1", 'def f(a):\n    """Sort a list."""\n    return a\n'),
    ],
)
def test_a_sentence_becomes_a_function(bundle: Bundle, said: str, expected: str | None) -> None:
    found = Given(bundle, [said]).generate_prompt("sort a list")
    assert [each.text for each in found] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("sort a  list", "Sort a list."),
        ("Is it so?", "Is it so?"),
        ('say """hi"""', "Say '''hi'''."),
        ('quote "this"', 'Quote "this" '),
        ("a \\ b", "A \\\\ b."),
    ],
)
def test_a_sentence_is_a_safe_docstring(sentence: str, expected: str) -> None:
    assert docstring_of(sentence) == expected
    compile(f'"""{docstring_of(sentence)}"""', "docstring", "exec")


def test_a_broken_tokenizer_is_named(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    broken = Generator(Bundle(tmp_path, bundle.manifest))
    request = find_request(parse(FUNCTION), FUNCTION.index("pass"))
    assert request is not None
    with pytest.raises(InferenceError, match="bundles verify"):
        broken.generate(SourceText(FUNCTION), request)


@pytest.fixture(scope="module")
def shipped() -> Generator:
    found = default_bundle("generation")
    assert found is not None
    return Generator(found, threads=1)


DOCUMENTED = '''\
class Basket:
    def __init__(self, items):
        self.items = items

    def count(self):
        """Return the number of items in the basket."""
'''


def test_the_shipped_bundle_writes_a_body(shipped: Generator) -> None:
    request = find_request(parse(DOCUMENTED), len(DOCUMENTED))
    assert request is not None
    found = shipped.generate(SourceText(DOCUMENTED), request, candidates=3)
    assert found
    for candidate in found:
        after = DOCUMENTED[: candidate.span.start] + candidate.text + DOCUMENTED[candidate.span.end :]
        compile(after, "after", "exec")
        assert not any(token in candidate.text for token in (PAD, EOS, "<extra_"))
        assert 0 < candidate.confidence < 1
    assert found == shipped.generate(SourceText(DOCUMENTED), request, candidates=3)
    assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)


def test_the_shipped_bundle_writes_a_function(shipped: Generator) -> None:
    for candidate in shipped.generate_prompt("Sort a list of integers", 3):
        compile(candidate.text, "whole", "exec")
        assert '"""Sort a list of integers."""' in candidate.text


def test_the_shipped_bundle_keeps_to_its_deadline_and_hears_a_cancel(shipped: Generator) -> None:
    request = find_request(parse(DOCUMENTED), len(DOCUMENTED))
    assert request is not None
    steps = []

    def count() -> bool:
        steps.append(1)
        return False

    shipped.generate(SourceText(DOCUMENTED), request, cancelled=count)
    whole = len(steps)
    steps.clear()
    shipped.generate(SourceText(DOCUMENTED), request, deadline=0.0, cancelled=count)
    assert len(steps) < whole / 2
    with pytest.raises(Cancelled):
        shipped.generate(SourceText(DOCUMENTED), request, cancelled=lambda: True)


def test_the_shipped_manifest_is_honest(shipped: Generator) -> None:
    manifest = shipped._bundle.manifest
    held_out = manifest.metrics["held_out"]
    assert {"beam", "greedy", "baseline_empty_body", "baseline_nearest_function", "docstring_removed"} <= set(held_out)
    assert manifest.parity["onnx_int8"]["forced_tokens"] > 0.9
    assert manifest.provenance["data"]["fingerprint"]
    assert shipped._bundle.size < 20_000_000
    shipped._bundle.verify()
