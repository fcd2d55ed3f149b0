"""Tables of a recipe that only some tasks and techniques read: generation, search, adapters, replay, phases."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class GenerationTable:
    """Tasks that write text."""

    decoder: Literal["auto", "native", "new"] = "auto"
    """``native``: the base's own decoder; ``new``: an encoder gets a new decoder with cross-attention, of
    ``model.decoder_layers``; ``auto``: whichever fits the base."""
    max_target: int = 128
    """Most tokens of a target, specials included."""
    prefix: str = ""
    """Put before every source, as T5's tasks have it."""
    beams: int = 1
    """Width of the beam search at evaluation; 1: greedy."""
    evaluation_rows: int = 0
    """Generate for so many validation rows at each evaluation; 0: all."""
    top: int = 5
    """Variable names: answers counted as found, and the width of their beam."""
    per_function: int = 0
    """Variable names: most variables taken from one function; 0: all."""
    risk_weight: float = 0.0
    """Minimum-risk training on sentence BLEU: its share of the loss, cross-entropy has the rest."""
    risk_candidates: int = 8
    """Answers sampled per source."""
    risk_reference: bool = True
    """Put the reference among them, as in the paper."""
    risk_alpha: float = 0.05
    """Sharpness of the distribution over the sampled answers; 0 treats all alike."""


@attrs.frozen(kw_only=True)
class SearchTable:
    """Embeddings for code search and clone pairs."""

    query: str = ""
    """Column of the question; empty: ``text``."""
    code: str = ""
    """Column of the answer; empty: the first of ``target``, ``code``."""
    label: str = ""
    """Clone pairs: column that says whether the two are clones; empty: every row is a matching pair."""
    pooling: Literal["mean", "cls", "last"] = "mean"
    temperature: float = 0.05
    margin: float = 0.5
    """Labelled pairs: cosine distance that pairs which are no clones should have."""


@attrs.frozen(kw_only=True)
class AdaptersTable:
    """Training a few new weights instead of the base's."""

    kind: Literal["none", "lora", "ia3", "prompt", "bottleneck"] = "none"
    rank: int = 8
    """LoRA: rank of each update."""
    alpha: float = 16.0
    """LoRA: the update is scaled by alpha / rank."""
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    """LoRA, IA3: names of the linear layers; empty: those the library knows for the architecture."""
    tokens: int = 20
    """Prompt tuning: number of learned vectors before the input."""
    reduction: float = 16.0
    """Bottleneck adapters: hidden size over the bottleneck's size."""


@attrs.frozen(kw_only=True)
class MixTable:
    """Replay of general data against forgetting."""

    corpus: str = ""
    """Path of the general data; empty: none."""
    ratio: float = 0.0
    """Share of the examples read that come from it."""
    measure: bool = True
    """Measure the model on the general validation rows before and after."""


@attrs.frozen(kw_only=True)
class PhaseTable:
    """A run before this one, whose best checkpoint is this one's base."""

    name: str
    task: str = ""
    """Empty: the same task."""
    data: str = ""
    """Empty: the same data. A relative path is seen from the folder of ``--data``."""
    recipe: str = ""
    """A recipe by name or file; empty: this one."""
    set: tuple[str, ...] = ()
    """Changes to it, as ``--set`` takes them: ``["optimizer.learning_rate=1e-3"]``."""
