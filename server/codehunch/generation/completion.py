"""Requests for models that other people trained: plain code before the place and after it, no marked fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from tokenizers import Tokenizer

from codehunch.bundles.manifest import GenerationSpec
from codehunch.generation.filters import strip_control
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import encode_text
from codehunch.syntax.bodies import BodyRequest, indentation, is_blank, width
from codehunch.syntax.parsing import ParsedSource

_AFTER = 0.25
"""Share of the prompt that the code after the place may take; the code before it says more."""


@attrs.frozen
class Completion:
    """What a model is asked: to write what stands between two texts."""

    before: str
    after: str
    indent: str
    """Indentation of the lines asked for; the first one's is in ``before`` already."""
    until_blank: bool = False
    """Whether a blank line ends the answer, as after a comment."""
    lead: str = ""
    """The end of ``before`` that belongs to the answer."""


def completion_of(parsed: ParsedSource, request: BodyRequest) -> Completion:
    """The request in its file. Nothing inside ``request.replace`` is read."""
    text = parsed.text
    return Completion(
        text[: request.replace.start] + request.lead + request.indent,
        request.trail + text[request.replace.end :],
        request.indent,
        request.kind == "comment",
    )


def sentence_completion(text: str) -> Completion:
    """An English sentence as the comment above a function that is begun."""
    sentence = " ".join(text.split())
    return Completion(f"# {sentence}\ndef ", "", "", lead="def ")


def encode_completion(tokenizer: Tokenizer, spec: GenerationSpec, asked: Completion) -> list[int]:
    """Token ids, at most ``spec.max_prompt``: the nearest code before and after the place, with the model's own
    tokens around it. Control tokens spelled in the code are read as text."""
    opening, closing = frame(tokenizer)
    if spec.layout == "decoder-only":
        closing = []
    ids = [_id(tokenizer, token) for token in spec.prompt_tokens]
    before = encode_text(tokenizer, spec.prefix + asked.before)
    after = encode_text(tokenizer, asked.after) if spec.prompt in ("infill", "middle") else []
    room = max(8, spec.max_prompt - len(opening) - len(closing) - len(ids))
    after = after[: max(int(room * _AFTER), room - len(before))]
    before = before[-(room - len(after)) :]
    if spec.prompt == "middle":
        prefix, suffix, middle = ids
        return [*opening, prefix, *before, suffix, *after, middle]
    if spec.prompt == "infill":
        return [*opening, *before, ids[0], *after, *closing]
    return [*opening, *before, *closing]


def frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer itself puts before and after a text."""
    tokenizer.encode_special_tokens = True
    plain: list[int] = tokenizer.encode("x", add_special_tokens=False).ids
    whole: list[int] = tokenizer.encode("x").ids
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start], whole[start + len(plain) :]
    return [], []


def finisher(decode: Callable[[Sequence[int]], str], asked: Completion) -> Callable[[Sequence[int]], bool]:
    """Whether an answer has left the block it was to write: most models would go on with the rest of the file."""

    def finished(tokens: Sequence[int]) -> bool:
        text = decode(tokens)
        return len(own_lines(text, asked)) < text.count("\n") + 1 and not is_blank(text.rpartition("\n")[2])

    return finished


def own_lines(text: str, asked: Completion) -> list[str]:
    """The lines of an answer up to the first that lies further out than the block; the first line always counts."""
    lines = text.split("\n")
    for row, line in enumerate(lines[1:], 1):
        if is_blank(line):
            if asked.until_blank and not is_blank(lines[0]):
                return lines[:row]
            continue
        if width(indentation(line)) < width(asked.indent):
            return lines[:row]
    return lines


def completion_body(text: str, asked: Completion, unit: str) -> str:
    """An answer as a canonical block."""
    lines = own_lines(strip_control(text).replace("\r\n", "\n"), asked)
    first = lines[0].lstrip(" \t")
    return to_canonical("\n".join([asked.indent + first if first else "", *lines[1:]]), unit)


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no {token} token: the bundle's manifest does not belong to it")
    return int(found)
