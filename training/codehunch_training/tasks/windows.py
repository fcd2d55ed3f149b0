"""Texts to windows of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from transformers import PreTrainedTokenizerBase

from codehunch_training.data import DataError
from codehunch_training.recipe import Recipe


def encode_text(
    tokenizer: PreTrainedTokenizerBase,
    first: str,
    second: str | None,
    length: int,
    recipe: Recipe,
    offsets: bool = False,
) -> list[dict[str, Any]]:
    """Windows of at most ``length`` tokens, specials included; one, unless ``data.long`` is ``windows``; none where it
    is ``drop`` and the text is longer. With ``offsets``, each also has ``offset_mapping`` in code points.

    Special tokens written in the text are read as ordinary text where the tokenizer can do so.
    Raises DataError where ``data.long`` is ``error`` and the text is longer.
    """
    long = recipe.data.long
    options: dict[str, Any] = {"return_offsets_mapping": offsets, "return_attention_mask": False}
    if tokenizer.is_fast:
        options["split_special_tokens"] = True
    if long == "windows" and tokenizer.is_fast:
        options |= {"return_overflowing_tokens": True, "stride": min(recipe.model.stride, length // 2)}
    where = "only_first" if second is not None and long == "windows" else True
    if long in ("drop", "error"):
        whole = tokenizer(first, second, verbose=False, **options)
        size = len(whole["input_ids"])
        if size > length:
            if long == "error":
                raise DataError(
                    f"a row has {size} tokens, the window {length}: {first[:60]!r}; "
                    "set data.long to truncate, windows or drop"
                )
            return []
        return [dict(whole)]
    found = tokenizer(first, second, truncation=where, max_length=length, verbose=False, **options)
    if "overflow_to_sample_mapping" not in found:
        return [dict(found)]
    names = [name for name in found if name != "overflow_to_sample_mapping"]
    return [{name: found[name][at] for name in names} for at in range(len(found["input_ids"]))]


@attrs.frozen
class Frame:
    """The special tokens a tokenizer puts around one text, or around and between two."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    between: tuple[int, ...]

    def single(self, ids: Sequence[int]) -> list[int]:
        """``<s> ids </s>`` for RoBERTa."""
        return [*self.before, *ids, *self.after]

    def pair(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """``<s> first </s></s> second </s>`` for RoBERTa."""
        return [*self.before, *first, *self.between, *second, *self.after]


def frame_of(tokenizer: PreTrainedTokenizerBase) -> Frame:
    """Asks the tokenizer itself: a generic fast one knows its specials by its tokenizer.json alone."""
    found = tokenizer("a", "a", return_special_tokens_mask=True, verbose=False)
    ids, special = found["input_ids"], found["special_tokens_mask"]
    text = [at for at, mark in enumerate(special) if not mark]
    inside = [at for at in range(text[0], text[-1]) if special[at]]
    return Frame(tuple(ids[: text[0]]), tuple(ids[text[-1] + 1 :]), tuple(ids[at] for at in inside))
