"""Bodies from nothing: their configs, and a byte-level BPE learned from the corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BartConfig,
    GPT2Config,
    ModernBertConfig,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaTokenizerFast,
    T5Config,
)

from codehunch_training.models.ngrams import NgramsConfig
from codehunch_training.recipe import Recipe

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""In this order, as RoBERTa has them."""
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
"""Stand for hidden spans in span denoising; ``<extra_id_0>`` comes first, as in CodeT5."""

BODIES = ("roberta", "modern", "t5", "bart", "gpt2", "ngrams")


def new_tokenizer(texts: Iterable[str], size: int, collapse: bool = False) -> PreTrainedTokenizerBase:
    """A byte-level BPE of ``size`` entries learned from ``texts``; with ``collapse``, runs of whitespace are one space
    to it. Raises ValueError where there is no text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if collapse:
        tokenizer.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True, lstrip=token == "<mask>") for token in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    read = 0

    def counted() -> Iterable[str]:
        nonlocal read
        for text in texts:
            read += bool(text.strip())
            yield text

    tokenizer.train_from_iterator(counted(), trainer)
    if not read:
        raise ValueError("there is no text to learn a vocabulary from")
    return wrapped(tokenizer)


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerBase:
    """A tokenizer with RoBERTa's specials as transformers uses it."""
    ids = [(token, tokenizer.token_to_id(token)) for token in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(ids[0], ids[1], trim_offsets=True, add_prefix_space=False)
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIALS, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", **names)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer of RoBERTa's layout: tokenizer.json, or vocab.json with merges.txt. Raises ValueError."""
    if (folder / "tokenizer.json").is_file():
        return wrapped(Tokenizer.from_file(str(folder / "tokenizer.json")))
    if not (folder / "vocab.json").is_file() or not (folder / "merges.txt").is_file():
        raise ValueError(f"{folder} holds no tokenizer.json, nor vocab.json with merges.txt")
    return RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))


def new_config(body: str, recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    """The config of a body in the recipe's sizes.

    ``roberta``: norms after the sublayers, absolute positions (Liu et al. 2019). ``modern``: norms before them,
    rotary positions, gated feed-forward, local and global attention (Warner et al. 2024, ModernBERT). ``ngrams``: no
    layers at all, see ``models/ngrams.py``.
    """
    model, regular = recipe.model, recipe.regularization
    hidden_dropout = 0.1 if regular.dropout < 0 else regular.dropout
    attention_dropout = 0.1 if regular.attention_dropout < 0 else regular.attention_dropout
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    size, layers, heads, feed = model.hidden_size, model.layers, model.heads, model.intermediate_size
    if body == "roberta":
        positions = model.max_length + int(tokenizer.pad_token_id) + 1
        return RobertaConfig(
            **common, hidden_size=size, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=feed,
            max_position_embeddings=positions, hidden_dropout_prob=hidden_dropout,
            attention_probs_dropout_prob=attention_dropout, type_vocab_size=1, layer_norm_eps=1e-5,
        )  # fmt: skip
    if body == "modern":
        # Small models are trained with little dropout; ModernBERT's own default is none.
        return ModernBertConfig(
            **common, cls_token_id=tokenizer.cls_token_id, sep_token_id=tokenizer.sep_token_id, hidden_size=size,
            num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=feed,
            max_position_embeddings=model.max_length, reference_compile=False,
            mlp_dropout=max(0.0, regular.dropout), embedding_dropout=max(0.0, regular.dropout),
            attention_dropout=max(0.0, regular.attention_dropout),
        )  # fmt: skip
    if body == "ngrams":
        return NgramsConfig(
            **common, buckets=model.buckets, order=model.order, max_position_embeddings=model.max_length,
            hidden_dropout_prob=max(0.0, regular.dropout),
        )  # fmt: skip
    if body == "t5":
        return T5Config(
            **common, d_model=size, d_kv=size // heads, d_ff=feed, num_layers=layers, num_heads=heads,
            num_decoder_layers=model.decoder_layers, dropout_rate=hidden_dropout, feed_forward_proj="gated-gelu",
            decoder_start_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    if body == "bart":
        return BartConfig(
            **common, d_model=size, encoder_layers=layers, decoder_layers=model.decoder_layers,
            encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=feed, decoder_ffn_dim=feed,
            max_position_embeddings=model.max_length, dropout=hidden_dropout, attention_dropout=attention_dropout,
            decoder_start_token_id=tokenizer.eos_token_id, forced_eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
    return GPT2Config(
        **common, n_embd=size, n_layer=layers, n_head=heads, n_inner=feed, n_positions=model.max_length,
        resid_pdrop=hidden_dropout, embd_pdrop=hidden_dropout, attn_pdrop=attention_dropout,
    )  # fmt: skip
