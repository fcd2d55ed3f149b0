"""A byte-level BPE learned from lexemes: merges never cross a lexeme, layout costs one token a mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from codehunch.inference.encoding import SPECIAL_TOKENS, UNK
from codehunch.syntax.functions import function_nodes
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse

_PIECES = Regex(r"\w+|[^\w\s]+|\s+")


def learn_vocabulary(texts: Iterable[str], size: int = 10_000) -> Tokenizer:
    """A tokenizer of ``size`` entries whose first ids are ``SPECIAL_TOKENS`` in their order."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_words(texts), trainer)
    return tokenizer


def _words(texts: Iterable[str]) -> Iterator[list[str]]:
    for text in texts:
        parsed = parse(text)
        for _, node in function_nodes(parsed):
            yield [lexeme.text[:160] for lexeme in lexemes_of(parsed, node) if lexeme.text]
            break
