"""A few new weights instead of the base's: LoRA, IA3 and prompt tuning by PEFT, bottleneck adapters by Adapters.

The base stays bit for bit what it was; what it did not bring (a classifier, a new decoder) is trained whole. LoRA and
IA3 are merged into what is saved; a prompt and bottleneck adapters lie in ``best/adapter``, beside the base.

LoRA: Hu et al. 2021. IA3: Liu et al. 2022. Prompt tuning: Lester et al. 2021. Bottlenecks: Houlsby et al. 2019, in
the place of Pfeiffer et al. 2021.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from codehunch_training.bases import family_of
from codehunch_training.quiet import quiet
from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.tasks.specification import Task
from codehunch_training.techniques import Technique

FOLDER = "adapter"
NAME = "codehunch"
HEADS = ("classifier.", "classification_head.", "score.", "heads.", "sequence_", "token_", "qa_outputs.", "projection.")
"""What tasks put on a base; a language-model head is the base's own."""
_LORA = {"modernbert": ("Wqkv",), "plbart": ("q_proj", "v_proj"), "codehunch-defects": ("qkv",), "mpnet": ("q", "v")}
_IA3 = {
    "modernbert": (("Wqkv", "mlp.Wo"), ("mlp.Wo",)),
    "plbart": (("q_proj", "v_proj", "fc2"), ("fc2",)),
    "codehunch-defects": (("qkv", "down"), ("down",)),
    "xlm-roberta": (("key", "value", "output.dense"), ("output.dense",)),
}
"""Linear layers, and which of them are feed-forward, of families PEFT does not know."""
_PROMPTED = ("classify", "generation", "names", "causal", "search")


class Adapters(Technique):
    """``adapters.kind`` of the recipe, other than ``none``."""

    names: frozenset[str] = frozenset()
    """Of the base's weights, before a library put its own beside them."""

    def __init__(self, recipe: Recipe) -> None:
        self.table = recipe.adapters
        regular = recipe.regularization
        if regular.freeze_layers or regular.freeze_embeddings or regular.unfreeze_every:
            raise RecipeError("adapters freeze the base by themselves; leave out freeze_layers and unfreeze_every")
        needed = "adapters" if self.table.kind == "bottleneck" else "peft"
        try:
            __import__(needed)
        except ImportError as error:
            raise RecipeError(f"adapters.kind = {self.table.kind} needs {needed}: pip install {needed}") from error

    def on_model(self, model: PreTrainedModel, task: Task, recipe: Recipe) -> PreTrainedModel:
        fresh = {name for name, _ in model.named_parameters() if is_fresh(name, model)}
        kept = {id(parameter) for name, parameter in model.named_parameters() if name in fresh}
        wrapped = {
            "lora": self._lora, "ia3": self._ia3, "prompt": self._prompt, "bottleneck": self._bottleneck
        }[self.table.kind](model, task)  # fmt: skip
        for name, parameter in wrapped.named_parameters():
            # A pooler that nothing reads was frozen by the task and stays so.
            if id(parameter) in kept and "pooler" not in name:
                parameter.requires_grad_(True)
        if not any(parameter.requires_grad for parameter in wrapped.parameters()):
            raise RecipeError(f"adapters.kind = {self.table.kind} leaves nothing to train")
        self.model = wrapped
        return wrapped

    def _lora(self, model: PreTrainedModel, task: Task) -> PreTrainedModel:
        from peft import LoraConfig

        config = LoraConfig(
            r=self.table.rank,
            lora_alpha=self.table.alpha,
            lora_dropout=self.table.dropout,
            target_modules=self._targets(model, _LORA.get(body_kind(model))),
            fan_in_fan_out=body_kind(model) == "gpt2",
        )
        return self._injected(config, model)

    def _ia3(self, model: PreTrainedModel, task: Task) -> PreTrainedModel:
        from peft import IA3Config
        from peft.utils.constants import (
            TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FEED,
        )
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as ALL

        kind = body_kind(model)
        targets, feed = _IA3.get(kind) or (tuple(ALL.get(kind, ())), tuple(FEED.get(kind, ())))
        chosen = self._targets(model, targets or None)
        config = IA3Config(
            target_modules=chosen,
            feedforward_modules=[name for name in feed if not self.table.targets or name in self.table.targets],
            fan_in_fan_out=kind == "gpt2",
        )
        return self._injected(config, model)

    def _targets(self, model: PreTrainedModel, known: tuple[str, ...] | None) -> Any:
        """Names PEFT looks for. In a warm-started model only the encoder's: its decoder is trained whole."""
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as LORA

        kind = body_kind(model)
        names = self.table.targets or known or tuple(LORA.get(kind, ()))
        if not names:
            raise RecipeError(f"which layers of {kind} to adapt is not known; name them in adapters.targets")
        if model.config.model_type == "encoder-decoder":
            return rf"encoder\..*\.({'|'.join(name.replace('.', chr(92) + '.') for name in names)})"
        return list(names)

    def _injected(self, config: Any, model: PreTrainedModel) -> PreTrainedModel:
        from peft import inject_adapter_in_model

        try:
            return inject_adapter_in_model(config, model, adapter_name=NAME)
        except ValueError as error:
            raise RecipeError(f"adapters.targets: {str(error).splitlines()[0]}") from error

    def _prompt(self, model: PreTrainedModel, task: Task) -> PreTrainedModel:
        from peft import PromptTuningConfig, TaskType, get_peft_model

        if task.name not in _PROMPTED or model.config.model_type == "encoder-decoder":
            raise RecipeError(
                f"prompt tuning fits {', '.join(_PROMPTED)} with a base that is whole; use adapters.kind = lora here"
            )
        writes = {"seq2seq": TaskType.SEQ_2_SEQ_LM, "causal": TaskType.CAUSAL_LM}
        kind = writes[family_of(model.config)] if hasattr(task, "write") else TaskType.FEATURE_EXTRACTION
        return _prompted(
            get_peft_model(model, PromptTuningConfig(task_type=kind, num_virtual_tokens=self.table.tokens))
        )

    def _bottleneck(self, model: PreTrainedModel, task: Task) -> PreTrainedModel:
        from adapters import SeqBnConfig

        self.names = frozenset(model.state_dict())
        with quiet("adapters"):  # It warns that a model has adapters and uses none while they are being put in.
            _prepared(model)
            model.add_adapter(NAME, config=SeqBnConfig(reduction_factor=self.table.reduction))
            model.train_adapter(NAME)
        return model

    def on_best(self, model: PreTrainedModel) -> PreTrainedModel:
        return merged(model) if self.table.kind in ("lora", "ia3") else Beside(model, self.table.kind, self.names)

    def describe(self) -> dict[str, Any]:
        return {} if self.table.kind in ("lora", "ia3") else {"adapter": {"kind": self.table.kind, "folder": FOLDER}}

    def state(self) -> dict[str, Any]:
        """Every trained tensor: a checkpoint of PEFT holds the prompt alone, not the head."""
        if self.table.kind != "prompt":
            return {}
        return {name: each.detach().cpu() for name, each in self.model.named_parameters() if each.requires_grad}

    def load_state(self, state: Mapping[str, Any]) -> None:
        known = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in state.items():
                known[name].copy_(value)


class Beside:
    """A model that saves the base as a plain checkpoint, and the adapter in a folder of its own."""

    def __init__(self, model: PreTrainedModel, kind: str, names: frozenset[str]) -> None:
        self.model, self.kind, self.names = model, kind, names

    def save_pretrained(self, folder: Path, **options: Any) -> None:
        if self.kind == "prompt":
            self.model.get_base_model().save_pretrained(folder, **options)
            self.model.save_pretrained(folder / FOLDER)
            return
        self.model.save_adapter(str(folder / FOLDER), NAME)
        bare = {name: value for name, value in self.model.state_dict().items() if name in self.names}
        PreTrainedModel.save_pretrained(self.model, folder, state_dict=bare, **options)
        path = folder / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("adapters", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def attach(model: PreTrainedModel, folder: Path, about: Mapping[str, str]) -> PreTrainedModel:
    """The base of a run's ``best/`` with the adapter beside it. Raises RecipeError where its library is missing."""
    kind, place = about["kind"], str(folder / about["folder"])
    try:
        if kind == "prompt":
            from peft import PeftModel

            return _prompted(PeftModel.from_pretrained(model, place))
        with quiet("adapters"):
            _prepared(model)
            model.set_active_adapters(model.load_adapter(place))
    except ImportError as error:
        raise RecipeError(f"this model has an adapter of the kind {kind}: pip install {error.name}") from error
    return model


def _prepared(model: PreTrainedModel) -> None:
    """Make a model one of Adapters'. Raises RecipeError for a body the library does not know."""
    import adapters

    # Its T5 calls transformers' by a name that 4.58 drops; the range in pyproject.toml ends before.
    warnings.filterwarnings("ignore", "`past_key_value` is deprecated", FutureWarning)
    weights = set(model.state_dict())
    try:
        adapters.init(model)
    except (ValueError, AttributeError, TypeError) as error:
        raise RecipeError(f"the Adapters library does not know {body_kind(model)}; use adapters.kind = lora") from error
    if any("prompt_tuning." not in name for name in set(model.state_dict()) - weights):
        # It splits some bodies' matrices anew (ModernBERT); the base could not be saved as what it was.
        raise RecipeError(f"the Adapters library changes the weights of {body_kind(model)}; use adapters.kind = lora")


def _prompted(model: PreTrainedModel) -> PreTrainedModel:
    """Segment ids have no meaning for learned vectors: leave them out without a word at each step."""

    def without_segments(
        _: Any, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named.pop("token_type_ids", None)
        return arguments, named

    model.register_forward_pre_hook(without_segments, with_kwargs=True)
    return model


def merged(model: PreTrainedModel) -> PreTrainedModel:
    """A copy with every LoRA or IA3 update folded into the weight it changes; the model itself stays as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    copied = copy.deepcopy(model)
    for name, module in list(copied.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(copied.get_submodule(parent), child, module.get_base_layer())
    for each in (copied, *copied.modules()):
        # transformers would save an adapter alone where this says that there is one.
        if getattr(each, "_hf_peft_config_loaded", False):
            each._hf_peft_config_loaded = False
    return copied


def is_fresh(name: str, model: nn.Module) -> bool:
    """Whether a parameter is not the base's: a head, or the decoder a warm-started model was given."""
    if getattr(model, "config", None) is not None and model.config.model_type == "encoder-decoder":
        return not name.startswith("encoder.")
    return name.startswith(HEADS)


def body_kind(model: PreTrainedModel) -> str:
    """The family of the body that is adapted."""
    config = model.config
    return str((config.encoder if config.model_type == "encoder-decoder" else config).model_type)
