"""A recipe: everything a training run depends on besides its data and its base. TOML in, frozen tables out."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from codehunch.bundles.structure import reasons, strict_converter
from codehunch_training.compression.tables import AveragingTable, DistillationTable
from codehunch_training.errors import ToolboxError
from codehunch_training.recipe_tables import AdaptersTable, GenerationTable, MixTable, PhaseTable, SearchTable

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ToolboxError):
    """A recipe that cannot be read or used; the message says which key and what to write instead."""


@attrs.frozen(kw_only=True)
class ModelTable:
    """Sizes of a ``new:`` base, and how any base reads its input."""

    max_length: int = 512
    """Tokens of one window, specials included; never more than the base was made for."""
    stride: int = 128
    """Tokens two windows of a long row share, where ``data.long`` is ``windows``."""
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 1024
    decoder_layers: int = 4
    vocabulary: int = 10_000
    """Entries of the byte-level BPE that a ``new:`` base learns from the corpus."""
    buckets: int = 262_144
    """``new:ngrams``: rows of the table its hashed n-grams share."""
    order: int = 3
    """``new:ngrams``: tokens of the longest n-gram."""
    whitespace: Literal["keep", "collapse"] = "keep"
    """``collapse``: the tokenizer a ``new:`` base learns reads every run of whitespace as one space, which shortens
    code whose layout means nothing (C) by a fifth."""
    pooling: Literal["default", "mean"] = "default"
    """``default``: the base's own head on its first token; ``mean``: the mean of all tokens' states."""
    structure: Literal["none", "same", "edges"] = "none"
    """Learned attention bias of the joint defect model: tokens of one identifier (``same``), and along its
    last-read and last-write edges (``edges``)."""
    occurrence: bool = False
    """Embed how often an identifier stands in the window and up to here (joint defect model)."""


@attrs.frozen(kw_only=True)
class DataTable:
    """Which column holds what. Names are those of the table; empty where there is no such column."""

    text: str = ""
    """Empty: the first of ``text``, ``func``, ``code`` that is there."""
    text_pair: str = ""
    label: str = ""
    """Empty: the first of ``label``, ``target`` that is there. Several labels: a list, or a text with commas."""
    target: str = ""
    """The text to write, for tasks that write."""
    spans: str = "spans"
    """Offsets of what is wrong: ``[[start, end], ...]`` or ``[[start, end, label], ...]`` in code points."""
    group: str = "group"
    """Rows of one value belong together: twins, clones."""
    split: str = "split"
    language: str = "language"
    labels: tuple[str, ...] = ()
    """The labels in their order; empty: those of the training rows, sorted. Others are an error."""
    valid_fraction: float = 0.1
    """Share of the training rows held out where the data has no validation split."""
    long: Literal["truncate", "windows", "drop", "error"] = "truncate"
    """What to do with a row longer than the window."""
    limit: int = 0
    """Read at most so many training rows; 0: all."""
    drop: str = ""
    """A column; rows where it is true are left out."""
    where: dict[str, str] = attrs.field(factory=dict)
    """Only rows with these values, in every split: ``{role = "mined"}``."""
    per_class: int = 0
    """Few-shot: so many training rows of each label; 0: all."""


@attrs.frozen(kw_only=True)
class OptimizerTable:
    name: Literal["adamw", "adafactor", "sgd", "muon"] = "adamw"
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    """Not on biases and norms."""
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    layer_decay: float = 1.0
    """Layer-wise learning-rate decay: each layer's rate is this times the rate of the layer above it."""
    head_multiplier: float = 1.0
    """The head's learning rate is this times ``learning_rate``."""
    clip: float = 1.0
    """Largest norm of the gradient; 0: no clipping."""


@attrs.frozen(kw_only=True)
class ScheduleTable:
    kind: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.1
    """Share of all steps in which the learning rate rises."""
    epochs: float = 3.0
    steps: int = 0
    """So many optimiser steps instead of ``epochs``; 0: go by epochs."""
    minutes: float = 0.0
    """Stop after so many minutes and keep what was best; 0: no limit."""
    evaluate_every: int = 0
    """Steps between evaluations; 0: after each epoch."""
    save_every: int = 0
    """Steps between resumable checkpoints; 0: at each evaluation."""
    save_limit: int = 2
    """Resumable checkpoints kept."""
    patience: int = 0
    """Stop after so many evaluations without a better metric; 0: never."""


@attrs.frozen(kw_only=True)
class RegularizationTable:
    dropout: float = -1.0
    """Of hidden states; -1: the base's own, here and below."""
    attention_dropout: float = -1.0
    classifier_dropout: float = -1.0
    label_smoothing: float = 0.0
    r_drop: float = 0.0
    """Weight of the divergence between two passes with different dropout (Liang et al. 2021)."""
    freeze_embeddings: bool = False
    freeze_layers: int = 0
    """The lowest so many layers stay as they are (with the embeddings); -1: the whole body."""
    unfreeze_every: float = 0.0
    """Gradual unfreezing (Howard and Ruder 2018): the head alone first, then one more layer from the top each so
    many epochs; 0: all at once."""


@attrs.frozen(kw_only=True)
class BatchTable:
    tokens: int = 4096
    """Tokens of a batch, padding counted: rows of like length share one; 0: go by ``size``."""
    size: int = 16
    """Rows of a batch where ``tokens`` is 0; at most so many rows of a batch otherwise, if ``limit`` is true."""
    limit: bool = False
    pool: int = 1024
    """Rows among which those of like length are put together."""
    accumulation: int = 1
    """Batches of one optimiser step."""
    evaluation_tokens: int = 16384


@attrs.frozen(kw_only=True)
class HardwareTable:
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """``bf16`` and ``fp16`` compute in mixed precision; fp16 needs CUDA."""
    attention: Literal["default", "eager", "sdpa"] = "default"
    """How attention is computed; the numbers are the same. Small models on a CPU are fastest with ``eager``."""
    gradient_checkpointing: bool = False
    compile: bool = False
    threads: int = 0
    """Of the CPU; 0: torch's own choice."""


@attrs.frozen(kw_only=True)
class ObjectiveTable:
    """What is minimised. Which fields count depends on the task."""

    kind: Literal["single", "multi"] = "single"
    """``multi``: a row may have several labels."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: float = 2.0
    """Of the focal loss (Lin et al. 2017)."""
    class_weights: Literal["none", "balanced"] = "none"
    sequence_weight: float = 1.0
    """Joint defect model: weights of the two heads and of the contrast between twins."""
    token_weight: float = 1.0
    contrastive_weight: float = 0.0
    contrastive_margin: float = 1.0
    objectives: tuple[str, ...] = ("mlm",)
    """Pre-training: ``mlm``, ``nsp``, ``rtd``, ``corruption`` (encoders), ``denoising`` (sequence to sequence)."""
    mask_rate: float = 0.15
    nsp_weight: float = 1.0
    segments: Literal["widen", "omit"] = "widen"
    """Next-segment prediction on a body with one segment embedding (RoBERTa): give it a second, or do without."""
    rtd_weight: float = 1.0
    corruption_rate: float = 0.3
    """Most of a function's places that dense corruption rewrites."""
    span_length: float = 3.0
    """Mean length of a span in span denoising."""
    clean: float = 0.1
    """Dense corruption: share of the functions left as they are."""


@attrs.frozen(kw_only=True)
class SelectionTable:
    metric: str = ""
    """Chooses the best checkpoint; empty: the task's own."""
    worst: float = 0.0
    """A finished run whose best metric is worse than this ends with an error, for unattended training; 0: no bound."""


@attrs.frozen(kw_only=True)
class Recipe:
    """All tables of a recipe; every field has a default, so a recipe names only what it changes."""

    model: ModelTable = attrs.field(factory=ModelTable)
    data: DataTable = attrs.field(factory=DataTable)
    optimizer: OptimizerTable = attrs.field(factory=OptimizerTable)
    schedule: ScheduleTable = attrs.field(factory=ScheduleTable)
    regularization: RegularizationTable = attrs.field(factory=RegularizationTable)
    batch: BatchTable = attrs.field(factory=BatchTable)
    hardware: HardwareTable = attrs.field(factory=HardwareTable)
    objective: ObjectiveTable = attrs.field(factory=ObjectiveTable)
    selection: SelectionTable = attrs.field(factory=SelectionTable)
    generation: GenerationTable = attrs.field(factory=GenerationTable)
    search: SearchTable = attrs.field(factory=SearchTable)
    adapters: AdaptersTable = attrs.field(factory=AdaptersTable)
    mix: MixTable = attrs.field(factory=MixTable)
    distillation: DistillationTable = attrs.field(factory=DistillationTable)
    averaging: AveragingTable = attrs.field(factory=AveragingTable)
    before: tuple[PhaseTable, ...] = ()
    """Phases to train first, in order: intermediate tasks, injected defects before real ones."""
    seed: int = 0
    task: str = ""
    """The task the recipe was written for; empty: any."""
    base: str = ""
    """The base it was written for, taken where the command names none."""
    about: str = ""
    """A line for people."""

    def set(self, path: str, value: Any) -> Recipe:
        """A copy with one field changed, named as in ``optimizer.learning_rate``. Raises RecipeError."""
        tree = unstructure(self)
        *tables, key = path.split(".")
        at = tree
        for table in tables:
            at = at.get(table) if isinstance(at, dict) else None
            if at is None:
                raise RecipeError(f"`{path}`: no such field{_nearest(path)}")
        if not isinstance(at, dict) or key not in at or (at is tree and isinstance(at[key], dict)):
            raise RecipeError(f"`{path}`: no such field{_nearest(path)}")
        at[key] = list(value) if isinstance(value, tuple) else value
        return _structured(tree, f"--set {path}")


_converter = strict_converter()


def unstructure(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables, every field written out."""
    return json.loads(json.dumps(attrs.asdict(recipe)))


def field_paths() -> list[str]:
    """Every field of a recipe, as ``table.key``."""
    return [
        f"{name}.{key}" if isinstance(values, dict) else name
        for name, values in unstructure(Recipe()).items()
        for key in (values if isinstance(values, dict) else ("",))
    ]


def shipped_recipes() -> list[str]:
    """Names of the toolbox's recipes that come with the package."""
    return sorted(
        path.stem for path in RECIPES.glob("*.toml") if "\ntask = " in f"\n{path.read_text(encoding='utf-8')}"
    )


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by a shipped one's name or by file, with ``table.key=value`` changes.

    Raises RecipeError for an unknown name, TOML that does not parse, unknown keys (the nearest is named) and
    values of the wrong type.
    """
    file = Path(path)
    if not file.is_file():
        file = RECIPES / f"{path}.toml"
        if str(path) not in shipped_recipes():
            raise RecipeError(
                f"{path}: no such file, and no recipe of that name; shipped are {', '.join(shipped_recipes())}"
            )
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file}: not valid TOML ({error})") from error
    return with_overrides(_structured(tree, str(file)), overrides)


def with_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with ``table.key=value`` changes. Raises RecipeError."""
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign:
            raise RecipeError(f"--set {override}: write it as table.key=value, such as optimizer.learning_rate=1e-4")
        recipe = recipe.set(key.strip(), parse_value(value.strip()))
    return recipe


def parse_value(text: str) -> Any:
    """A value as TOML would read it; what is no TOML value is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML, every field written out; reading it gives an equal recipe."""
    lines, tables = [], []
    for name, values in unstructure(recipe).items():
        if isinstance(values, dict):
            tables.append(f"\n[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items()))
        else:
            lines.append(f"{name} = {_toml(values)}\n")
    return "".join(lines) + "".join(tables)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _structured(tree: dict[str, Any], where: str) -> Recipe:
    try:
        return _converter.structure(tree, Recipe)
    except Exception as error:
        found = [
            reason + (_nearest(reason.split("`")[1]) if reason.startswith("unknown field") else "")
            for reason in reasons(error)
        ]
        raise RecipeError(f"{where}: {'; '.join(found)}") from error


def _nearest(path: str) -> str:
    known = field_paths()
    keys = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(path, known, 1, 0.6)
    if not close:
        last = difflib.get_close_matches(path.rpartition(".")[2], list(keys), 1, 0.6)
        close = [keys[last[0]]] if last else []
    return f"; did you mean `{close[0]}`?" if close else ""
