"""The default defect model as a run begins with it, and its optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from codehunch.defects.kinds import KINDS
from codehunch.inference.encoding import as_known
from codehunch_training.corpus.injection import KIND_WEIGHTS
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.models.growth import grown
from codehunch_training.tasks.defect_data import EARLIER
from codehunch_training.tasks.defect_recipe import Recipe

TOKEN_LABELS: tuple[str, ...] = ("clean", *(kind.name for kind in KINDS if kind.name in KIND_WEIGHTS))


def started(folder: Path, standings: int, labels: Sequence[str] = TOKEN_LABELS, layers: int = 0) -> DefectModel:
    """The model of a folder, made to know so many standings and these labels, and to have so many layers; 0: its own.
    It begins by judging as before: standings that it does not know count as those they refine, or as nothing where it
    knew none, kinds that it did not tell apart are left unlikely, and new layers add nothing (``models.growth``).
    Raises ValueError where its labels are not the first of these, or its layers are more."""
    model = DefectModel.from_pretrained(folder)
    known, named = model.config.standings, tuple(model.config.token_labels)
    layers = layers or model.config.num_hidden_layers
    if named != tuple(labels[: len(named)]) or any(EARLIER.get(new) not in named for new in labels[len(named) :]):
        raise ValueError(f"{folder}: its labels are not today's; train from nothing instead")
    if known == standings and named == tuple(labels) and layers == model.config.num_hidden_layers:
        return model
    state = model.state_dict()
    weight = state.pop("standings.weight", torch.zeros(1, model.config.hidden_size))
    if standings:
        told = [as_known(number, known) if known else 0 for number in range(standings)]
        state["standings.weight"] = weight[told]
    like = [named.index(label if label in named else EARLIER[label]) for label in labels]
    for name in ("token_out", "sequence_out"):
        state[f"{name}.weight"] = state[f"{name}.weight"][like]
        state[f"{name}.bias"] = state[f"{name}.bias"][like]
        state[f"{name}.bias"][len(named) :] -= _UNLIKELY
    state = grown(state, "layers.", layers, ("output.weight", "down.weight"), lambda _: False)
    changed = {
        **model.config.to_dict(), "standings": standings, "token_labels": list(labels), "num_hidden_layers": layers
    }  # fmt: skip
    wanted = DefectModel(DefectConfig(**changed))
    wanted.load_state_dict(state)
    return wanted


_UNLIKELY = 3.0
"""Nats that the bias of a new kind starts below that of the one it was told apart from."""


def optimizers(model: DefectModel, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """One optimiser for everything, or Muon for the layers' matrices beside AdamW for the rest.
    No decay on norms, biases and attention biases. Both share one learning rate."""
    hidden = [p for p in model.layers.parameters() if p.ndim == 2] if recipe.optimizer == "muon" else []
    taken = {id(p) for p in hidden}
    matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in taken]
    others = [p for p in model.parameters() if p.ndim < 2]
    rest = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=recipe.learning_rate, betas=(0.9, 0.98))]
    if hidden:
        # match_rms_adamw scales updates to AdamW's size, so that one rate suits both (Liu et al. 2025).
        muon = torch.optim.Muon(
            hidden, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        found.append(muon)
    return found
