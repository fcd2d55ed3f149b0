"""Near-duplicate code by MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al., "Mining of Massive
Datasets", section 3.4), with the rensa library.

Per function: a signature of 64 32-bit hashes over 4-grams of tokens and its 16 bands in the index. Candidates
that share a band are compared by their signatures, whose error at a similarity of 0.8 is about 0.05.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Sequence

import numpy as np
from rensa import RMinHash, RMinHashLSH

SIGNATURE = 64
BANDS = 16
GRAM = 4
SHORTEST = 12
"""Tokens; shorter functions resemble each other by nature and are compared exactly."""
_SEED = 7
_TOKENS = re.compile(r"\w+|[^\w\s]")
_COMMENTS = {
    "python": re.compile(r"(?m)#[^\n'\"]*$"),
    "": re.compile(r"(?s)//[^\n]*|/\*.*?\*/"),
}


def tokens_of(text: str, language: str = "python") -> list[str]:
    """Words and signs of a text, comments left out."""
    return _TOKENS.findall(_COMMENTS.get(language, _COMMENTS[""]).sub("", text))


def token_spans(text: str, language: str = "python") -> list[tuple[int, int]]:
    """Where the tokens of ``tokens_of`` stand in the text."""
    blanked = _COMMENTS.get(language, _COMMENTS[""]).sub(lambda comment: " " * len(comment[0]), text)
    return [token.span() for token in _TOKENS.finditer(blanked)]


def digest_of(tokens: Sequence[str]) -> bytes:
    """Equal for texts with equal tokens."""
    return hashlib.blake2b("\0".join(tokens).encode("utf-8", "surrogatepass"), digest_size=12).digest()


class NearIndex:
    """Texts with a mark each (their split), and who among them is alike."""

    def __init__(self, threshold: float = 0.8) -> None:
        self.threshold = threshold
        self._index = RMinHashLSH(threshold=threshold, num_perm=SIGNATURE, num_bands=BANDS)
        self._signatures = array("I")
        self._marks = array("B")

    def __len__(self) -> int:
        return len(self._marks)

    def alike(self, tokens: Sequence[str]) -> tuple[RMinHash | None, set[int]]:
        """The text's hash, for ``add``, and the marks of the texts it resembles; short texts resemble none."""
        if len(tokens) < SHORTEST:
            return None, set()
        found = RMinHash(num_perm=SIGNATURE, seed=_SEED)
        found.update([" ".join(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)])
        candidates = self._index.query(found)
        if not candidates:
            return found, set()
        own = np.array(found.digest(), dtype=np.uint32)
        rows = np.frombuffer(self._signatures, dtype=np.uint32).reshape(-1, SIGNATURE)[candidates]
        close = (rows == own).mean(axis=1) >= self.threshold
        return found, {self._marks[key] for key, near in zip(candidates, close, strict=True) if near}

    def add(self, signature: RMinHash | None, mark: int) -> None:
        """Remember a text by the hash ``alike`` gave."""
        if signature is not None:
            self._index.insert(len(self._marks), signature)
            self._signatures.extend(signature.digest())
            self._marks.append(mark)
