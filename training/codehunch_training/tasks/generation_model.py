"""The generation model and its recipe: a T5 of our own size, with its loss."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs
import cattrs
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import T5Config, T5ForConditionalGeneration

from codehunch.generation.prompt import EOS
from codehunch_training.models import growth
from codehunch_training.tasks.generation_data import pad_id

DEFAULT_RECIPE = Path(__file__).parents[1] / "recipes" / "generation-default.toml"


@attrs.frozen
class Recipe:
    """Everything that shapes a run. Lengths and budgets are in tokens."""

    vocabulary: int = 10240
    d_model: int = 256
    d_kv: int = 64
    d_ff: int = 640
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 4
    feed_forward: str = "gated-silu"
    max_prompt: int = 384
    max_new: int = 192
    batch_tokens: int = 8192
    matrix_lr: float = 0.02
    vector_lr: float = 0.005
    warmup: float = 0.02
    """Share of the budget."""
    final_lr: float = 0.02
    """Share of the peak at the end of the cosine."""
    clip: float = 1.0
    minutes: float = 60.0
    first_phase: float = 0.33
    """Share of the budget spent on the first mix of kinds."""
    first_mix: dict[str, float] = attrs.field(factory=dict)
    mix: dict[str, float] = attrs.field(factory=dict)
    first_bare: float = 0.0
    """Share of examples without their surroundings in the first phase: short sources, more targets per second."""
    bare: float = 0.0
    """The same share afterwards."""
    longest: int = 0
    """Most target tokens of a training example; 0 is no limit. What a small model gets right is short."""
    threads: int = 0
    """CPU threads; 0 leaves PyTorch's choice."""
    precision: str = "bf16"
    """``bf16`` is autocast, ``fp32`` is none."""
    checkpoint_minutes: float = 5.0
    valid_examples: int = 384
    seed: int = 0


def read_recipe(path: Path) -> Recipe:
    """A recipe file; unknown keys are errors, so that a typo is not a silent default."""
    with path.open("rb") as file:
        return cattrs.Converter(forbid_extra_keys=True).structure(tomllib.load(file), Recipe)


def build_model(recipe: Recipe, tokenizer: Tokenizer) -> T5ForConditionalGeneration:
    """A fresh model with T5's own initialisation."""
    pad = pad_id(tokenizer)
    config = T5Config(
        vocab_size=recipe.vocabulary,
        d_model=recipe.d_model,
        d_kv=recipe.d_kv,
        d_ff=recipe.d_ff,
        num_heads=recipe.heads,
        num_layers=recipe.encoder_layers,
        num_decoder_layers=recipe.decoder_layers,
        feed_forward_proj=recipe.feed_forward,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        dropout_rate=0.0,
        tie_word_embeddings=True,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=int(tokenizer.token_to_id(EOS)),
    )
    return T5ForConditionalGeneration(config)


def grown(state: Mapping[str, torch.Tensor], encoder_layers: int, decoder_layers: int) -> dict[str, torch.Tensor]:
    """The weights of a model of so many layers that computes what ``state`` computes (``models.growth``).

    Raises ValueError where ``state`` has more layers, or none.
    """
    found = dict(state)
    for side, wanted in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        # The first layer's positions serve all.
        found = growth.grown(
            found, f"{side}.block.", wanted, (".o.weight", ".wo.weight"), lambda name: "relative_attention_bias" in name
        )
    return found


def loss_of(model: T5ForConditionalGeneration, source: torch.Tensor, target: torch.Tensor, pad: int) -> torch.Tensor:
    """Mean cross-entropy per target token, in nats. Logits are computed for real target tokens only."""
    mask = source != pad
    encoded = model.encoder(input_ids=source, attention_mask=mask).last_hidden_state
    shifted = torch.cat((torch.full_like(target[:, :1], pad), target[:, :-1]), dim=1)
    decoded = model.decoder(
        input_ids=shifted, encoder_hidden_states=encoded, encoder_attention_mask=mask, use_cache=False
    ).last_hidden_state
    real = target != pad
    logits = model.lm_head(decoded[real] * model.config.d_model**-0.5)
    return functional.cross_entropy(logits.float(), target[real])
