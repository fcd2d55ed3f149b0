"""An encoder-decoder warm-started from an encoder: the encoder's weights, and a new decoder that attends to it.

What CodeBERT was made a generator with (Feng et al. 2020, section 4.4; Rothe et al. 2020, "BERT2Rnd"). The result
is transformers' own ``EncoderDecoderModel``, saved and loaded as any checkpoint.
"""

from __future__ import annotations

import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertLMHeadModel,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForCausalLM,
)

from codehunch_training.bases import Base, BaseError
from codehunch_training.recipe import Recipe


def warm_started(base: Base, recipe: Recipe) -> EncoderDecoderModel:
    """The base as encoder, beside a decoder of ``model.decoder_layers`` with random weights.

    The decoder is as wide as the encoder and begins with its token embeddings: the two read one vocabulary.
    """
    encoder = base.model(AutoModel)
    words = encoder.get_input_embeddings().weight
    config = decoder_config(base, recipe, vocabulary=words.shape[0], size=words.shape[1])
    decoder = (BertLMHeadModel if config.model_type == "bert" else RobertaForCausalLM)(config)
    with torch.no_grad():
        decoder.get_input_embeddings().weight.copy_(words)
    # Nothing reads the pooler, and a parameter without gradient stops several processes from agreeing.
    for parameter in getattr(encoder, "pooler", None).parameters() if getattr(encoder, "pooler", None) else ():
        parameter.requires_grad = False
    both = EncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
    model = EncoderDecoderModel(config=both, encoder=encoder, decoder=decoder)
    start, end, pad = special_ids(base.tokenizer)
    for target in (model.config, model.generation_config):
        target.decoder_start_token_id, target.bos_token_id = start, start
        target.eos_token_id, target.pad_token_id = end, pad
    model.config.vocab_size = words.shape[0]
    return model


def decoder_config(base: Base, recipe: Recipe, vocabulary: int, size: int) -> RobertaConfig | BertConfig:
    """A decoder's config in the style of its encoder: BERT's for BERT, RoBERTa's for every other."""
    encoder, regular = base.config, recipe.regularization
    bert = base.kind == "bert"
    start, end, pad = special_ids(base.tokenizer)
    kind = BertConfig if bert else RobertaConfig
    dropout = {"hidden_dropout_prob": regular.dropout, "attention_probs_dropout_prob": regular.attention_dropout}
    return kind(
        vocab_size=vocabulary,
        hidden_size=size,
        num_hidden_layers=recipe.model.decoder_layers,
        num_attention_heads=encoder.num_attention_heads,
        intermediate_size=getattr(encoder, "intermediate_size", 4 * size),
        max_position_embeddings=recipe.generation.max_target + (0 if bert else pad + 1),
        type_vocab_size=1,
        is_decoder=True,
        add_cross_attention=True,
        tie_word_embeddings=True,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=pad,
        **{name: value for name, value in dropout.items() if value >= 0},
    )


def special_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int, int]:
    """Ids that begin and end a target, and that pad it: ``[CLS]`` and ``[SEP]`` where a tokenizer has no others."""
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    if start is None or end is None or tokenizer.pad_token_id is None:
        raise BaseError("the tokenizer has no token to begin, to end or to pad a text with")
    return int(start), int(end), int(tokenizer.pad_token_id)
