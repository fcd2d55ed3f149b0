"""The one function that turns a request into what the model reads. Training and serving both call it.

A prompt is a tuple of marked fields. Markers are special tokens of the tokenizer; field texts never become special
tokens, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs
from tokenizers import Tokenizer

from codehunch.generation.context import FileContext, words
from codehunch.generation.layout import to_canonical
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.functions import Function
from codehunch.syntax.spans import Span

Marker = Literal["imports", "class", "siblings", "before", "def", "doc", "comment", "sentence", "similar"]

PAD, EOS, MASK = "<pad>", "</s>", "<mask>"
SENTINELS = tuple(f"<extra_{index}>" for index in range(31))
FIELD_BUDGETS: dict[Marker, int] = {
    "imports": 32,
    "class": 56,
    "siblings": 40,
    "before": 128,
    "def": 80,
    "doc": 128,
    "comment": 64,
    "sentence": 96,
    "similar": 224,
}
"""Most tokens of each field, its marker not counted. ``before`` keeps its end, the others their beginning. New fields
come last, so that the ids of the others stay."""
MARKERS: dict[Marker, str] = {marker: f"<{marker}>" for marker in FIELD_BUDGETS}
SPECIAL_TOKENS = (PAD, EOS, MASK, *MARKERS.values(), *SENTINELS)
"""In the order of their ids, from 0 on."""

LINES_BEFORE = 12
"""Lines above a comment that are read."""
_MAX_NAMES = 16
_MAX_SIBLINGS = 10
_MAX_SIMILAR = 3


@attrs.frozen
class Prompt:
    """What the model is asked, as text: ``(marker, text)`` in the order the encoder reads them."""

    fields: tuple[tuple[Marker, str], ...]

    def without(self, *markers: Marker) -> Prompt:
        """The same prompt with some fields left out (ablations, training without docstrings)."""
        return Prompt(tuple(field for field in self.fields if field[0] not in markers))


def build_prompt(
    context: FileContext, request: BodyRequest, similar: Sequence[str] = (), examples: Iterable[str] = ()
) -> Prompt:
    """A request in its file as a prompt. Nothing inside ``request.replace`` is read: in training it is the answer.

    ``similar`` are signatures of functions of other files that look like what is asked, the likest first. ``examples``
    are those that look like it most, whole and with their names made to fit.
    """
    function = request.function
    fields: list[tuple[Marker, str]] = []
    header = _one_line(function.header.of(context.parsed.text)) if function is not None else ""
    wanted = words(header + " " + request.description)
    names = _ranked(context.imports, wanted)[:_MAX_NAMES]
    if names:
        fields.append(("imports", ", ".join(names)))
    if function is not None:
        fields.extend(_surroundings(context, function, request.replace, wanted, similar))
    if request.kind == "docstring":
        if shown := "\n\n".join(each.strip("\n") for each in examples):
            fields.append(("similar", shown))
        fields.append(("def", header))
        fields.append(("doc", request.description.strip()))
    else:
        if header:
            fields.append(("def", header))
        before = _before(context, request)
        if before:
            fields.append(("before", before))
        fields.append(("comment", request.description.strip()))
    return Prompt(tuple(fields))


def sentence_prompt(text: str) -> Prompt:
    """An English sentence that asks for a whole function."""
    return Prompt((("sentence", _one_line(text)),))


def encode_prompt(tokenizer: Tokenizer, prompt: Prompt, limit: int) -> list[int]:
    """Token ids, at most ``limit``, the end-of-sequence id included. Every field is cut to its own budget first;
    if the whole is still too long, fields are dropped from the front: what is asked stands at the end."""
    parts: list[list[int]] = []
    for marker, text in prompt.fields:
        if marker == "similar" and tokenizer.token_to_id(MARKERS[marker]) is None:
            continue  # A model from before there was this field.
        ids = encode_text(tokenizer, text)
        budget = FIELD_BUDGETS[marker]
        kept = ids[-budget:] if marker == "before" else ids[:budget]
        parts.append([_id(tokenizer, MARKERS[marker]), *kept])
    while len(parts) > 1 and sum(map(len, parts)) + 1 > limit:
        del parts[0]
    kept_ids = [token for part in parts for token in part][: limit - 1]
    return [*kept_ids, _id(tokenizer, EOS)]


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a plain text. A text that spells a marker is read as that text, not as the marker."""
    tokenizer.encode_special_tokens = True
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no {token} token: it does not belong to a generation model")
    return int(found)


def _surroundings(
    context: FileContext, function: Function, hidden: Span, wanted: frozenset[str], similar: Sequence[str]
) -> list[tuple[Marker, str]]:
    fields: list[tuple[Marker, str]] = []
    owner = function.enclosing_class
    if owner is not None and owner in context.classes:
        attributes = _ranked(context.attributes(owner, hidden), wanted)[:_MAX_NAMES]
        header = context.classes[owner].header
        fields.append(("class", f"{header}: {', '.join(attributes)}" if attributes else header))
    prefix = function.qualified_name.rpartition(".")[0]
    level = [each for each in context.functions if each[0].qualified_name.rpartition(".")[0] == prefix]
    place = next((i for i, (other, _) in enumerate(level) if other.span.start == function.span.start), 0)
    # Counted in functions, not characters: a distance over the place itself would tell how long the answer is.
    siblings = [(abs(i - place), signature) for i, (_, signature) in enumerate(level) if i != place]
    siblings.sort(key=lambda item: (not (wanted & words(item[1].partition("(")[0])), item[0]))
    # Functions of other files come last: the budget of the field is for the file's own first.
    named = dict.fromkeys([*(signature for _, signature in siblings[:_MAX_SIBLINGS]), *similar[:_MAX_SIMILAR]])
    if named:
        fields.append(("siblings", ", ".join(named)))
    return fields


def _before(context: FileContext, request: BodyRequest) -> str:
    """The lines above the comment that asks, inside the function if there is one."""
    floor = 0
    if request.function is not None:
        floor = request.function.docstring.end if request.function.docstring else request.function.header.end
    above = context.parsed.text[floor : request.replace.start].split("\n")[:-1]
    while above and above[-1].lstrip().startswith("#"):
        above.pop()
    return to_canonical("\n".join(above[-LINES_BEFORE:]), context.unit)


def _ranked(names: tuple[str, ...], wanted: frozenset[str]) -> list[str]:
    """Names that share a word with the request first, else in file order."""
    return sorted(names, key=lambda name: not (wanted & words(name)))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
