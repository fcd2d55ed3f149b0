"""The generation model's own byte-level BPE. A line end and the indentation after it are one token."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from codehunch.generation.prompt import SPECIAL_TOKENS

PIECES = r"\n+ *|[ .]?_*\p{L}+|_+|[ ]?\p{N}| ?[^\s\p{L}\p{N}_]+|\s+"
"""What merges may not cross: line end + indentation; a word with its space, dot or underscore; a digit; punctuation."""


def train_tokenizer(texts: Iterable[str], size: int, out: Path) -> Tokenizer:
    """Train on ``texts`` and save ``tokenizer.json``; ids of the special tokens come first, in their order."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(PIECES), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=4,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.encode_special_tokens = True
    out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out))
    return tokenizer
