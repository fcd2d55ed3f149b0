"""What a run of the default defect model depends on besides its data, and what it does when."""

from __future__ import annotations

import math
from typing import Literal

import attrs

from codehunch.defects.surroundings import Standing
from codehunch_training.tasks.defect_data import Mixture

MASKED_ALONE = 0.15
"""As in masked language modelling (Devlin et al. 2019)."""


@attrs.frozen
class Recipe:
    """Everything a run depends on besides its data."""

    minutes: float = 60.0
    """Time of training, evaluation not counted."""
    clock: Literal["wall", "processor"] = "wall"
    """What ``minutes`` are: with ``processor``, runs on one busy core get the same work (one thread, no workers)."""
    steps: int = 0
    """Optimiser steps instead of wall time, for runs that must be equal on any machine; 0: ``minutes`` counts."""
    batch_tokens: int = 4096
    optimizer: str = "muon"
    """``muon`` (Jordan et al. 2024: orthogonalised momentum for the hidden matrices, AdamW for the
    rest) or ``adamw``."""
    learning_rate: float = 2e-3
    warmup: float = 0.03
    """Share of the budget in which the learning rate rises; it falls along a cosine to 2 % after that."""
    weight_decay: float = 0.05
    clip: float = 1.0
    dense_until: float = 0.6
    """Share of the budget spent on dense corruption."""
    masked: float = 0.12
    """In that stretch, the share of the lexemes that are masked and to be predicted."""
    pretrain_until: float = 0.0
    """Share of the budget before it in which lexemes are masked (``MASKED_ALONE`` of them) and nothing is wrong."""
    mined: float = 0.2
    """In the annealing, how often rows of mined histories are read beside a function."""
    doubted: float = 0.1
    """In the annealing, how often a hard negative is, where there are any (``tasks.doubts``)."""
    hidden_size: int = 256
    layers: int = 6
    heads: int = 4
    intermediate_size: int = 704
    vocabulary: int = 10_000
    window: int = 512
    stride: int = 128
    standings: bool = True
    """Whether the model is told how names stand in their file (``codehunch.defects.surroundings``)."""
    tests: float = 0.2
    """Share of the functions that may be tests: people write them, but they are much alike."""
    validation_projects: tuple[str, ...] = ()
    """Never trained on: they measure, here and in the bundle."""
    calibration_projects: tuple[str, ...] = ()
    """Never trained on: they fit the bundle's confidence and thresholds."""
    validation_functions: int = 600
    checkpoint_minutes: float = 5.0
    threads: int = 1
    workers: int = 0
    """Processes that make batches beside the one that trains; one core makes some 30,000 tokens a second."""
    compile: bool = False
    """``torch.compile`` the layers: worth its minute of compilation, on a CPU too (a sixth of the time), where there is
    a C++ compiler."""
    seed: int = 0

    @property
    def told(self) -> int:
        """How many standings the model is told of."""
        return len(Standing) if self.standings else 0

    @property
    def held_out(self) -> frozenset[str]:
        """Projects of which nothing is trained on."""
        return frozenset((*self.validation_projects, *self.calibration_projects))


def mixture_at(done: float, recipe: Recipe) -> Mixture:
    """The corruption mixture after the share ``done`` of the budget."""
    if done < recipe.pretrain_until:
        return Mixture(clean=1.0, dense=0.0, masked=MASKED_ALONE)
    return (
        Mixture(clean=0.1, dense=0.9, masked=recipe.masked)
        if done < recipe.dense_until
        else Mixture(clean=0.3, dense=0.15, mined=recipe.mined, doubted=recipe.doubted)
    )


def rate_at(done: float, recipe: Recipe) -> float:
    """The learning rate after the share ``done`` of the budget."""
    if done < recipe.warmup:
        return recipe.learning_rate * max(done / recipe.warmup, 0.01)
    falling = (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, falling))))
