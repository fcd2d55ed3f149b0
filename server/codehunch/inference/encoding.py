"""The one way from a function's text to model input. Training, evaluation and serving all call it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codehunch.syntax.lexemes import Lexeme, LexemeKind

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
NEWLINE, INDENT, DEDENT = "<nl>", "<in>", "<de>"
SPECIAL_TOKENS = (BOS, PAD, EOS, UNK, MASK, NEWLINE, INDENT, DEDENT)
"""In this order: ids 0 to 3 and the mask are RoBERTa's, the layout marks follow."""

_MARKS = {LexemeKind.NEWLINE: NEWLINE, LexemeKind.INDENT: INDENT, LexemeKind.DEDENT: DEDENT}
_IDENTIFIER_KINDS = (LexemeKind.NAME, LexemeKind.ATTRIBUTE, LexemeKind.KEYWORD_NAME)
_HEAD_TOKENS, _TAIL_TOKENS = 6, 3
"""A lexeme of more tokens (a long string) keeps its first six and last three."""
_HEADER_TOKENS = 64
"""Tokens of the function's opening that every later window repeats."""
STANDINGS_FROM = 4096
"""Identifiers are numbered below it; functions have a few hundred at most."""
COARSER = {16: 1, 17: 1, 18: 1, 19: 0, 20: 0, 21: 20, 22: 19, 23: 15, 24: 18, 25: 0}
"""Every later standing and the earlier one that it says more exactly."""
_CACHE_SIZE = 20_000
"""Lexemes whose tokens are remembered, several large files' worth. Names never end: without a bound near what is in
use, memory grows for days."""


def as_known(standing: int, standings: int) -> int:
    """What a model that knows so many standings is told in the place of one that may have come after it."""
    while standing >= standings:
        standing = COARSER[standing]
    return standing


@attrs.frozen(eq=False)
class Window:
    """Model input for one stretch of a function; all arrays have shape [tokens]."""

    input_ids: NDArray[np.int64]
    identifier_ids: NDArray[np.int64]
    """Equal numbers above 0 mark tokens of the same identifier; 0 marks everything else. A model that knows the file
    finds how the name stands there in the same number, times ``STANDINGS_FROM``."""
    lexemes: NDArray[np.int64]
    """Index of the lexeme whose first token stands here, -1 elsewhere. Only these tokens carry labels."""
    core: tuple[int, int]
    """Lexeme range this window answers for; its other lexemes are context another window owns."""

    def __len__(self) -> int:
        return len(self.input_ids)


class LexicalEncoder:
    """Encodes lexemes with a byte-level BPE that never merges across them.

    Tokens of one lexeme stay together, so a token label is a label of exactly that lexeme. Special
    tokens written in the source are encoded as ordinary text.
    """

    def __init__(self, tokenizer: Tokenizer, window: int = 512, stride: int = 128, standings: int = 0) -> None:
        """``standings``: how many ways for a name to stand in its file the model knows; without any it is not told."""
        if not 2 * _HEADER_TOKENS + stride < window:
            raise ValueError(f"window {window} is too small for stride {stride} and {_HEADER_TOKENS} header tokens")
        tokenizer.encode_special_tokens = True
        self.window, self.stride, self.standings = window, stride, standings
        self._tokenizer = tokenizer
        self._cache: dict[str, tuple[int, ...]] = {}
        self.bos, self.eos, self.pad, self.mask = (self._id(token) for token in (BOS, EOS, PAD, MASK))
        self._mark_ids = {kind: (self._id(token),) for kind, token in _MARKS.items()}

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no {token} token")
        return int(found)

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of one lexeme's text."""
        ids = self._cache.get(text)
        if ids is None:
            shown = text if len(text) <= 240 else text[:160] + text[-80:]
            found = self._tokenizer.encode(shown, add_special_tokens=False).ids
            if len(found) > _HEAD_TOKENS + _TAIL_TOKENS:
                found = found[:_HEAD_TOKENS] + found[-_TAIL_TOKENS:]
            ids = tuple(found)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[text] = ids
        return ids

    def encode(self, lexemes: Sequence[Lexeme], standings: Sequence[int] = ()) -> tuple[Window, ...]:
        """One window where the function fits, overlapping ones where it does not.

        ``standings`` has a number for every lexeme; empty where nothing is known, or the model does not want them.
        """
        pieces: list[tuple[int, ...]] = []
        names: dict[str, int] = {}
        identities: list[int] = []
        for lexeme in lexemes:
            pieces.append(self._mark_ids.get(lexeme.kind) or self.token_ids(lexeme.text))
            identities.append(names.setdefault(lexeme.text, len(names) + 1) if lexeme.kind in _IDENTIFIER_KINDS else 0)
        if standings and self.standings:
            known = (as_known(each, self.standings) for each in standings)
            pairs = zip(identities, known, strict=True)
            identities = [identity % STANDINGS_FROM + standing * STANDINGS_FROM for identity, standing in pairs]
        lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        if total + 2 <= self.window:
            return (self._window(pieces, identities, range(len(pieces)), (0, len(pieces))),)
        lines = np.array([at + 1 for at, lexeme in enumerate(lexemes) if lexeme.kind is LexemeKind.NEWLINE], np.int64)
        return tuple(self._windows(pieces, identities, ends, lines))

    def _windows(
        self,
        pieces: list[tuple[int, ...]],
        identities: list[int],
        ends: NDArray[np.int64],
        lines: NDArray[np.int64],
    ) -> list[Window]:
        """``ends`` [lexemes] are the tokens up to and with each lexeme, ``lines`` the lexemes up to each line's end."""
        header = int(np.searchsorted(ends, _HEADER_TOKENS, side="right"))
        header_tokens = int(ends[header - 1]) if header else 0
        windows: list[Window] = []
        start, answered, count = 0, 0, len(pieces)
        while answered < count:
            room = self.window - 2 - (header_tokens if start else 0)
            before = int(ends[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(ends, before + room, side="right")))
            last = end >= count
            if not last:
                # To a line's end, where one is near: then windows that follow an edit stay the same, token by token.
                line = int(lines[at - 1]) if (at := int(np.searchsorted(lines, end, side="right"))) else 0
                end = line if line and int(ends[end - 1] - ends[line - 1]) < self.stride // 2 else end
            # The stretch near the window's end lacks its right context: the next window answers for it.
            settled = (
                count if last else max(answered + 1, int(np.searchsorted(ends, int(ends[end - 1]) - self.stride // 2)))
            )
            chosen = [*range(header), *range(start, end)] if start else list(range(end))
            windows.append(self._window(pieces, identities, chosen, (answered, settled)))
            if last:
                break
            start = max(start + 1, header, int(np.searchsorted(ends, int(ends[settled - 1]) - self.stride // 2)))
            answered = settled
        return windows

    def _window(
        self, pieces: list[tuple[int, ...]], identities: list[int], chosen: Sequence[int], core: tuple[int, int]
    ) -> Window:
        ids, same, owner = [self.bos], [0], [-1]
        for index in chosen:
            piece = pieces[index]
            if not piece:
                continue
            ids.extend(piece)
            same.extend([identities[index]] * len(piece))
            owner.append(index)
            owner.extend([-1] * (len(piece) - 1))
        return Window(
            np.array([*ids, self.eos], dtype=np.int64),
            np.array([*same, 0], dtype=np.int64),
            np.array([*owner, -1], dtype=np.int64),
            core,
        )
