"""Prompts of plain code for models other people trained, and what is kept of their answers."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from codehunch.bundles.manifest import GenerationSpec
from codehunch.generation.completion import (
    Completion,
    completion_body,
    completion_of,
    encode_completion,
    finisher,
    frame,
    sentence_completion,
)
from codehunch.syntax.parsing import parse
from codehunch.syntax.requests import body_requests

SOURCE = 'import os\n\n\ndef half(value):\n    """Half of a value."""\n\n\ndef later():\n    return os.name\n'
FIM = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")


def tokenizer(*specials: str, opening: str = "", closing: str = "") -> Tokenizer:
    """A vocabulary of bytes, with special tokens and a post-processor."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens(["<s>", "</s>", *specials])
    if opening or closing:
        template = " ".join(part for part in (opening, "$A", closing) if part)
        ids = [(token, made.token_to_id(token)) for token in (opening, closing) if token]
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return made


def spec(layout: str, prompt: str, tokens: tuple[str, ...] = (), limit: int = 400, prefix: str = "") -> GenerationSpec:
    encoder = "" if layout == "decoder-only" else "e.onnx"
    return GenerationSpec(
        encoder,
        "d.onnx",
        encoder,
        0,
        1,
        1,
        limit,
        64,
        {},
        layout,
        prompt,
        tokens,
        prefix,  # type: ignore[arg-type]
    )


def read(made: Tokenizer, ids: list[int]) -> str:
    """Ids as text, special tokens shown."""
    from tokenizers import decoders

    made.decoder = decoders.ByteLevel()
    return "".join(made.id_to_token(i) if made.id_to_token(i).startswith("<") and len(made.id_to_token(i)) > 1
                   else made.decode([i], skip_special_tokens=False) for i in ids)  # fmt: skip


def asked(source: str = SOURCE) -> Completion:
    parsed = parse(source)
    return completion_of(parsed, body_requests(parsed)[0])


def test_the_place_in_its_file() -> None:
    found = asked()
    assert found.before.endswith('    """Half of a value."""\n    ')
    assert "def later" in found.after
    assert found.indent == "    "


@pytest.mark.parametrize(
    ("made", "chosen", "expected"),
    [
        (tokenizer(), spec("decoder-only", "text"), "{before}"),
        (tokenizer(opening="<s>", closing="</s>"), spec("decoder-only", "text"), "<s>{before}"),
        (tokenizer(*FIM), spec("decoder-only", "middle", FIM), "<fim_prefix>{before}<fim_suffix>{after}<fim_middle>"),
        (
            tokenizer("<extra_id_0>", opening="<s>", closing="</s>"),
            spec("encoder-decoder", "infill", ("<extra_id_0>",)),
            "<s>{before}<extra_id_0>{after}</s>",
        ),
        (tokenizer(closing="</s>"), spec("encoder-decoder", "text", prefix="python: "), "python: {before}</s>"),
    ],
)
def test_layouts_of_the_prompt(made: Tokenizer, chosen: GenerationSpec, expected: str) -> None:
    place = asked()
    assert read(made, encode_completion(made, chosen, place)) == expected.format(before=place.before, after=place.after)


@pytest.mark.parametrize("limit", [12, 20, 40, 80])
def test_a_long_file_is_cut_around_the_place(limit: int) -> None:
    long = "x = 1\n" * 300 + SOURCE + "y = 2\n" * 300
    made, place = tokenizer(*FIM), asked(long)
    ids = encode_completion(made, spec("decoder-only", "middle", FIM, limit), place)
    assert len(ids) <= limit
    shown = read(made, ids)
    before, _, after = shown.removeprefix(FIM[0]).removesuffix(FIM[2]).partition(FIM[1])
    assert place.before.endswith(before)
    assert place.after.startswith(after)


def test_control_tokens_in_the_code_stay_text() -> None:
    made = tokenizer(*FIM)
    place = Completion("a = '<fim_middle>'\n", "", "")
    ids = encode_completion(made, spec("decoder-only", "middle", FIM), place)
    assert ids.count(made.token_to_id("<fim_middle>")) == 1


@pytest.mark.parametrize(
    ("made", "expected"),
    [(tokenizer(), (0, 0)), (tokenizer(opening="<s>"), (1, 0)), (tokenizer(opening="<s>", closing="</s>"), (1, 1))],
)
def test_frame(made: Tokenizer, expected: tuple[int, int]) -> None:
    assert tuple(map(len, frame(made))) == expected


@pytest.mark.parametrize(
    ("text", "indent", "until_blank", "body", "done"),
    [
        ("return value / 2", "    ", False, "return value / 2", False),
        ("return value / 2\n", "    ", False, "return value / 2", False),
        ("return value / 2\n\n\ndef", "    ", False, "return value / 2", True),
        ("if value:\n        return 1\n    return 2\nx", "    ", False, "if value:\n    return 1\nreturn 2", True),
        ("total = 0\n\n    total += 1", "    ", False, "total = 0\n\ntotal += 1", False),
        ("a = 1\nb = 2\n\nc = 3", "", True, "a = 1\nb = 2", True),
        ("if a:\n\t\treturn 1\n\treturn 2\nb", "\t", False, "if a:\n    return 1\nreturn 2", True),
    ],
)
def test_what_is_kept_of_an_answer(text: str, indent: str, until_blank: bool, body: str, done: bool) -> None:
    place = Completion("", "", indent, until_blank)
    assert completion_body(text, place, "\t" if indent == "\t" else "    ") == body
    assert finisher(lambda tokens: text, place)([1]) is done


def test_a_sentence_begins_a_function() -> None:
    assert sentence_completion("Add two\n numbers").before == "# Add two numbers\ndef "
