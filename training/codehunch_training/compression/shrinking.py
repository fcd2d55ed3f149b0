"""A smaller student made of its teacher: some of the layers, as they are (Sanh et al. 2019, DistilBERT, section 3;
Sajjad et al. 2023, "On the effect of dropping layers of pre-trained transformer models")."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
from torch import nn
from transformers import PretrainedConfig

from codehunch_training.errors import ToolboxError
from codehunch_training.run_folder import load_run

_COUNTS = ("num_hidden_layers", "n_layer", "encoder_layers", "num_layers")
_DECODERS = ("decoder_layers", "num_decoder_layers")


class ShrinkError(ToolboxError):
    """A model that cannot be cut; the message says why."""


@attrs.frozen
class Shrunk:
    """What was kept, counted from 0 at the bottom."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    parameters: int
    before: int


def shrink(run_folder: Path, layers: int, out: Path) -> Shrunk:
    """Write a base of ``layers`` evenly chosen layers, the last among them; as many of a decoder's, where there is one.

    ``out`` is a plain checkpoint with the teacher's tokenizer: a base for ``codehunch train``. Raises ShrinkError.
    """
    run = load_run(run_folder)
    model, config = run.model, run.model.config
    before = sum(parameter.numel() for parameter in model.parameters())
    stacks = [(name, module) for name, module in model.named_modules() if _is_stack(name, module)]
    if not stacks:
        raise ShrinkError(f"{run_folder}: the layers of {type(model).__name__} cannot be told apart")
    if out.exists() and any(out.iterdir()):
        raise ShrinkError(f"{out} is not empty; choose another --out")
    kept: dict[bool, tuple[int, ...]] = {False: (), True: ()}
    for name, stack in stacks:
        decoder = "decoder" in name
        if not 0 < layers <= len(stack):
            raise ShrinkError(f"{run_folder} has {len(stack)} layers; keep 1 to {len(stack)}")
        kept[decoder] = evenly(len(stack), layers)
        parent = model.get_submodule(name.rpartition(".")[0])
        chosen = [stack[at] for at in kept[decoder]]
        # T5 keeps its table of relative positions in the first block of each stack.
        if kept[decoder][0] != 0 and hasattr(stack[0], "layer") and hasattr(stack[0].layer[0], "SelfAttention"):
            kept[decoder] = (0, *kept[decoder][1:])
            chosen[0] = stack[0]
        setattr(parent, name.rpartition(".")[2], nn.ModuleList(chosen))
    _set(config, _COUNTS, layers)
    _set(config, _DECODERS, layers)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[at] for at in kept[False]]
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    run.tokenizer.save_pretrained(out)
    about = {"teacher": str(run_folder), "encoder": kept[False], "decoder": kept[True]}
    (out / "shrunk.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    after = sum(parameter.numel() for parameter in model.parameters())
    return Shrunk(kept[False], kept[True], after, before)


def evenly(count: int, kept: int) -> tuple[int, ...]:
    """``kept`` of ``count`` layers, evenly spaced, the last among them."""
    return tuple(round((number + 1) * count / kept) - 1 for number in range(kept))


def _is_stack(name: str, module: nn.Module) -> bool:
    """Whether a module is the list of a body's layers; T5 has a list of the same name inside each of its blocks."""
    last = name.rpartition(".")[2]
    inside = re.search(r"\.(layer|layers|h|block)\.\d+\.", f".{name}.") is not None
    return isinstance(module, nn.ModuleList) and last in ("layer", "layers", "h", "block") and not inside


def _set(config: PretrainedConfig, names: tuple[str, ...], value: int) -> None:
    for name in names:
        if getattr(config, name, None) is not None:
            setattr(config, name, value)
