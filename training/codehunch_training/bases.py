"""Bases: any Hugging Face checkpoint, on disk or by hub name, or ``new:`` for a body trained from nothing.

Loading is strict. A missing or unexpected key of the body is an error, because a body that is half random trains to a
poor result without a word; only heads may be new. Nothing in a checkpoint is run: no remote code, and
``pytorch_model.bin`` is read with weights_only.
"""

from __future__ import annotations

import copy
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import attrs
import huggingface_hub
import torch
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto import modeling_auto

from codehunch_training.errors import ToolboxError
from codehunch_training.models.ngrams import NgramsConfig
from codehunch_training.new_bases import BODIES, new_config, new_tokenizer, read_tokenizer
from codehunch_training.quiet import quiet
from codehunch_training.recipe import Recipe

Family = Literal["encoder", "causal", "seq2seq", "bag"]

HEADS = (
    "lm_head.", "cls.", "classifier.", "score.", "qa_outputs.", "pooler.", "head.", "decoder.bias", "decoder.weight",
    "final_logits_bias", "discriminator_predictions.", "generator_predictions.", "generator_lm_head.",
    "classification_head.", "summary.", "vocab_projector.", "vocab_transform.", "vocab_layer_norm.", "predictions.",
)  # fmt: skip
"""What a checkpoint may have besides the body, or lack: each task brings its own head."""

_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "data2vec-text"}
"""Families whose position ids begin after the pad id, so that many positions cannot be used."""


class BaseError(ToolboxError):
    """A base that cannot be loaded or does not fit the task; the message says what to use instead."""


@attrs.define
class Base:
    """A body with its tokenizer, before any head is put on it."""

    spec: str
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    fresh: bool
    """True for ``new:``: there are no weights to load."""
    attention: str = "default"
    embeddings: int = 0
    """Rows the embedding is widened to, where tokens were added."""

    @property
    def family(self) -> Family:
        return family_of(self.config)

    @property
    def kind(self) -> str:
        """``roberta``, ``t5``, ... as transformers calls it."""
        return str(self.config.model_type)

    @property
    def limit(self) -> int:
        """Tokens of the longest input, specials included; a large number where positions are relative."""
        return longest_input(self.config)

    def add_tokens(self, tokens: Iterable[str]) -> None:
        """Special tokens a task needs; the embedding grows when the model is made."""
        missing = [token for token in tokens if token not in self.tokenizer.get_vocab()]
        if missing:
            self.tokenizer.add_special_tokens({"additional_special_tokens": missing}, False)
            self.embeddings = max(len(self.tokenizer), self.config.vocab_size)

    def model(self, auto: Any, **changes: Any) -> PreTrainedModel:
        """The base as ``auto`` (an Auto class or a model class) with ``changes`` to its config.

        Raises BaseError where weights of the body are missing, left over or of another shape.
        """
        config = copy.deepcopy(self.config)
        if self.attention != "default":
            config._attn_implementation = self.attention
        for name, value in changes.items():
            setattr(config, name, value)
        if self.fresh:
            make = getattr(auto, "from_config", None) or auto
            model = make(config)
        else:
            model = _loaded(auto, self.spec, config)
        if self.embeddings and model.get_input_embeddings().weight.shape[0] < self.embeddings:
            model.resize_token_embeddings(self.embeddings, mean_resizing=False)
        return model


def load_base(spec: str, recipe: Recipe | None = None, texts: Iterable[str] = ()) -> Base:
    """A base by name.

    ``spec``: a folder in the Hugging Face layout; a hub id such as ``microsoft/codebert-base``; ``new:roberta``,
    ``new:modern``, ``new:t5``, ``new:bart``, ``new:gpt2`` or ``new:ngrams`` for a body from nothing, whose byte-level
    BPE is learned from ``texts``, or taken from a folder as in ``new:roberta:FOLDER``.
    Raises BaseError.
    """
    recipe = recipe or Recipe()
    if spec.startswith("new:"):
        return _new(spec, recipe, texts)
    folder = Path(spec)
    if spec and folder.is_dir():
        _check_folder(folder)
    elif folder.is_absolute() or spec.startswith((".", "~")) or spec.count("/") > 1 or not spec:
        raise BaseError(
            f"{spec!r}: no such folder; a base is a folder, a hub name such as microsoft/codebert-base, or new:"
        )
    else:
        _check_hub(spec)
    # It tells of new heads as of mistakes; what matters is checked here and raised.
    with quiet("transformers"):
        try:
            config = AutoConfig.from_pretrained(spec, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise BaseError(f"{spec}: {_first_line(error)}{_offline_hint(folder)}") from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(spec, trust_remote_code=False)
        except Exception as error:
            raise BaseError(
                f"{spec}: its tokenizer cannot be read ({_first_line(error)}); "
                "it needs vocab.json with merges.txt, vocab.txt or tokenizer.json"
            ) from error
    base = Base(spec, config, tokenizer, False, recipe.hardware.attention)
    _check_tokenizer(base)
    return base


def _new(spec: str, recipe: Recipe, texts: Iterable[str]) -> Base:
    _, body, *folder = spec.split(":", 2)
    if body not in BODIES:
        raise BaseError(f"{spec}: no such body; choose from {', '.join(f'new:{name}' for name in BODIES)}")
    try:
        if folder:
            tokenizer = read_tokenizer(Path(folder[0]))
        else:
            tokenizer = new_tokenizer(texts, recipe.model.vocabulary, recipe.model.whitespace == "collapse")
    except (OSError, ValueError) as error:
        raise BaseError(f"{spec}: {_first_line(error)}") from error
    return Base(spec, new_config(body, recipe, tokenizer), tokenizer, True, recipe.hardware.attention)


def family_of(config: PretrainedConfig) -> Family:
    """Whether a config is of an encoder, a decoder alone, both, or of a bag of n-grams."""
    if config.model_type == NgramsConfig.model_type:
        return "bag"
    if getattr(config, "is_encoder_decoder", False):
        return "seq2seq"
    kind = config.model_type
    if kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return "encoder"
    return "causal" if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else "encoder"


def longest_input(config: PretrainedConfig) -> int:
    """Usable positions: RoBERTa's 514 are 512, for its ids begin at pad + 1."""
    if hasattr(config, "body_config"):
        return longest_input(config.body_config())
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if config.model_type in ("t5", "mt5", "umt5", "longt5") or not positions:
        return 1 << 30
    if config.model_type in _OFFSET_POSITIONS:
        return int(positions) - int(config.pad_token_id) - 1
    return int(positions)


def _loaded(auto: Any, spec: str, config: PretrainedConfig) -> PreTrainedModel:
    with quiet("transformers"):
        try:
            model, found = auto.from_pretrained(
                spec, config=config, output_loading_info=True, ignore_mismatched_sizes=True, trust_remote_code=False
            )
        except ValueError as error:
            raise BaseError(f"{spec}: {_first_line(error)}") from error
        except Exception as error:
            raise BaseError(f"{spec}: its weights cannot be read ({_first_line(error)}); fetch them again") from error
    prefix = f"{model.base_model_prefix}."

    def of_body(names: Iterable[str]) -> list[str]:
        short = ((name, name.removeprefix(prefix)) for name in names)
        return sorted(name for name, bare in short if not bare.startswith(HEADS) and "position_ids" not in bare)

    missing = [
        name for name in of_body(found["missing_keys"]) if name.startswith(prefix) or not hasattr(model, prefix[:-1])
    ]
    if getattr(model, "fresh_parts", ()):
        missing = [name for name in missing if not name.startswith(tuple(model.fresh_parts))]
    left = of_body(found["unexpected_keys"])
    shapes = of_body(key[0] for key in found["mismatched_keys"])
    for names, problem in (
        (missing, "lacks"),
        (left, "has, and the model does not,"),
        (shapes, "has in another shape"),
    ):
        if names:
            raise BaseError(
                f"{spec}: the checkpoint {problem} {len(names)} weight(s) of the body, such as {names[0]}; "
                f"its config.json ({config.model_type}) does not belong to these weights"
            )
    return model


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise BaseError(f"{folder} has no config.json; a base is a folder in the Hugging Face layout, or a run's best/")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseError(f"{folder / 'config.json'} is not valid JSON ({error}); fetch it again") from error
    if (folder / "adapter").is_dir():
        raise BaseError(f"{folder} has an adapter beside it, which would be lost; train with lora or ia3 to go on")
    weights = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
    if not any((folder / name).is_file() for name in weights):
        raise BaseError(f"{folder} holds no weights ({weights[0]} or {weights[2]})")


def _check_hub(spec: str) -> None:
    """One short look, for the hub's own client tries for minutes, and says so at each attempt. Raises BaseError where
    the hub cannot be reached and the base is not among what was downloaded before."""
    cached = huggingface_hub.try_to_load_from_cache(spec, "config.json")
    if isinstance(cached, str) or huggingface_hub.constants.HF_HUB_OFFLINE:
        return
    request = urllib.request.Request(huggingface_hub.constants.ENDPOINT, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as answer:
        answer.close()  # It answers.
    except (OSError, ValueError) as error:
        raise BaseError(f"{spec}: the hub cannot be reached ({error}){_offline_hint(Path(spec))}") from error


def _check_tokenizer(base: Base) -> None:
    tokenizer, config = base.tokenizer, base.config
    if tokenizer.pad_token_id is None:
        # GPT-2 has none; padded places are masked, so which token stands there does not matter.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= config.vocab_size:
        raise BaseError(
            f"{base.spec}: its tokenizer has ids up to {largest}, its model embeds {config.vocab_size}; "
            "they do not belong together"
        )
    if config.model_type in _OFFSET_POSITIONS and tokenizer.pad_token_id != config.pad_token_id:
        raise BaseError(
            f"{base.spec}: the tokenizer pads with {tokenizer.pad_token_id}, the config says {config.pad_token_id}; "
            "position ids would be wrong: correct pad_token_id in config.json"
        )
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def _offline_hint(folder: Path) -> str:
    if folder.exists():
        return ""
    return "; it is no folder here, and the hub did not give it: name a folder, or download it where there is a network"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


def device_of(recipe: Recipe) -> torch.device:
    """Where a recipe runs. Raises BaseError where it asks for CUDA and there is none."""
    if recipe.hardware.device == "cuda" and not torch.cuda.is_available():
        raise BaseError("the recipe asks for device cuda, and there is none: --set hardware.device=cpu")
    wanted = recipe.hardware.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if wanted else "cpu")
