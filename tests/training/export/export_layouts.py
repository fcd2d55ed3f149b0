"""Tiny checkpoints with random weights in the layouts people bring, each with its family's own tokenizer files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PLBartConfig,
    PLBartForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from codehunch_training.export.subject import standard_library

ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
FIM = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
SPREAD = 0.25
"""Standard deviation of the weights: far enough from zero that decisions are no ties."""


def bpe(specials: list[str], size: int = 600) -> Tokenizer:
    """A byte-level BPE learned from functions of the standard library."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(standard_library(40), trainer)
    return made


def roberta_files(folder: Path, extra: list[str]) -> int:
    """vocab.json and merges.txt, as CodeBERT and CodeT5 have them; returns the size of the vocabulary."""
    tree = json.loads(bpe(ROBERTA_SPECIALS).to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(tree["vocab"]))
    merges = (" ".join(pair) if isinstance(pair, list) else pair for pair in tree["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    RobertaTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), additional_special_tokens=extra
    ).save_pretrained(folder)
    # The hub's CodeBERT has no tokenizer.json: it is made from the two files.
    if not extra:
        (folder / "tokenizer.json").unlink()
    return len(tree["vocab"]) + len(extra)


def fast_files(folder: Path, specials: list[str], opening: str = "", **names: Any) -> int:
    """tokenizer.json, as newer checkpoints have it."""
    made = bpe(specials)
    if opening:
        template = processors.TemplateProcessing(
            single=f"{opening} $A", special_tokens=[(opening, made.token_to_id(opening))]
        )
        made.post_processor = template
    PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(folder)
    return made.get_vocab_size()


def encoder(size: int, **more: Any) -> RobertaConfig:
    return RobertaConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=258, type_vocab_size=1, initializer_range=SPREAD, **more,
    )  # fmt: skip


def codebert(folder: Path) -> PreTrainedModel:
    return RobertaForSequenceClassification(encoder(roberta_files(folder, []), num_labels=2))


def codebert_tokens(folder: Path) -> PreTrainedModel:
    names = {0: "clean", 1: "defective"}
    return RobertaForTokenClassification(encoder(roberta_files(folder, []), id2label=names, num_labels=2))


def codebert_base(folder: Path) -> PreTrainedModel:
    return RobertaForMaskedLM(encoder(roberta_files(folder, [])))


def codet5(folder: Path) -> PreTrainedModel:
    size = roberta_files(folder, [f"<extra_id_{number}>" for number in range(4)])
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=size, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=2, num_heads=4,
            n_positions=256, pad_token_id=1, eos_token_id=2, decoder_start_token_id=1, initializer_factor=1.0,
        )
    )  # fmt: skip


def plbart(folder: Path) -> PreTrainedModel:
    specials = ["<s>", "<pad>", "</s>", "<unk>", "__python__", "__en_XX__", "<mask>"]
    size = fast_files(folder, specials, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>")
    return PLBartForConditionalGeneration(
        PLBartConfig(
            vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=256,
            init_std=SPREAD, decoder_start_token_id=4, scale_embedding=True,
        )
    )  # fmt: skip


def gpt2(folder: Path) -> PreTrainedModel:
    size = fast_files(folder, ["<|endoftext|>"], eos_token="<|endoftext|>", bos_token="<|endoftext|>")
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=0, eos_token_id=0,
            initializer_range=SPREAD,
        )
    )  # fmt: skip


def qwen2(folder: Path) -> PreTrainedModel:
    size = fast_files(folder, ["<|endoftext|>", *FIM], eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    return Qwen2ForCausalLM(Qwen2Config(**grouped(size)))


def llama(folder: Path) -> PreTrainedModel:
    size = fast_files(folder, ["<unk>", "<s>", "</s>"], "<s>", bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    return LlamaForCausalLM(LlamaConfig(**grouped(size) | {"bos_token_id": 1, "eos_token_id": 2}))


def grouped(size: int) -> dict[str, Any]:
    return {
        "vocab_size": size, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 256, "initializer_range": SPREAD,
        "bos_token_id": 0, "eos_token_id": 0,
    }  # fmt: skip


LAYOUTS: dict[str, Callable[[Path], PreTrainedModel]] = {
    "codebert": codebert, "codebert-tokens": codebert_tokens, "codebert-base": codebert_base, "codet5": codet5,
    "plbart": plbart, "gpt2": gpt2, "qwen2": qwen2, "llama": llama,
}  # fmt: skip


def make(layout: str, folder: Path, seed: int = 0) -> Path:
    """Write the checkpoint of a layout to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    LAYOUTS[layout](folder).eval().save_pretrained(folder)
    return folder
