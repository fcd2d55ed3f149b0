"""The manifest of a bundle: what the model reads, what its numbers mean, and a SHA-256 of every file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn, get_args

import attrs

from codehunch.bundles.errors import BundleError
from codehunch.bundles.structure import reasons, strict_converter

SCHEMA = 1
"""The newest manifest schema this version reads and the one it writes."""

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 8 * 2**20
SENSITIVITIES = ("low", "medium", "high")

# A bundle is data: graphs, weights, vocabularies and texts. What could hold code, such as a pickle, is refused.
DATA_SUFFIXES = frozenset({".onnx", ".onnx_data", ".data", ".safetensors", ".json", ".txt", ".md", ""})

GET_ANOTHER = "get a complete copy of the bundle and install that"
UPGRADE = "upgrade with `pip install -U codehunch`"

Task = Literal["defects", "generation", "embedding"]
TASKS: tuple[Task, ...] = ("defects", "generation")
"""What the server and the commands serve. Embeddings are exported for other programs."""
KINDS: tuple[Task, ...] = get_args(Task)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@attrs.frozen
class FileRecord:
    """What one file of the bundle must be."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    size: int
    """Bytes."""


@attrs.frozen
class InputSpec:
    """How source text becomes model input."""

    kind: Literal["lexical", "text"]
    """``lexical``: the text is cut into lexical tokens first; ``text``: the tokenizer sees the text as it is."""
    tokenizer: str = "tokenizer.json"
    window: int = 512
    """Tokens of one window, specials included."""
    stride: int = 128
    """Tokens two neighbouring windows share."""
    standings: bool = False
    """Whether the model is told how names stand in their file; it knows functions alone otherwise."""
    standings_known: int = 16
    """It knows those with lower numbers (``codehunch.defects.surroundings.Standing``)."""

    @property
    def told(self) -> int:
        """How many standings the model knows."""
        return self.standings_known if self.standings else 0


@attrs.frozen
class DefectSpec:
    """The defect model: its graph, its labels, and the cut-offs measured on held-out code."""

    labels: tuple[str, ...]
    """Token labels: index 0 is ``clean``, the others are kind names."""
    sequence_labels: tuple[str, ...]
    """Labels of the whole function, in the same way."""
    token_head: bool
    """False for a model that only judges whole functions."""
    temperature: float
    """Logits are divided by this before the softmax (Guo et al. 2017, On Calibration of Modern Neural Networks)."""
    thresholds: dict[str, float]
    """Sensitivity to the least confidence that is reported."""
    alarms_per_kloc: dict[str, float]
    """Sensitivity to the measured warnings per 1,000 lines of clean code."""
    graph: str = "model.onnx"
    candidate: float = 0.5
    """Suspicion from which a token is looked into: fixes are tried, and the confidence is computed."""
    confidence: dict[str, float] = attrs.field(factory=dict)
    """Weights of the logistic regression from suspicion and fix verification to the reported confidence,
    fitted on held-out code; empty where the suspicion itself is reported."""


@attrs.frozen
class GenerationSpec:
    """The generation model: its graphs, its special tokens and its limits."""

    encoder: str
    """Empty in a decoder-only model."""
    decoder: str
    decoder_with_past: str
    """Empty in a decoder-only model: its one graph takes a past of any length."""
    decoder_start_token_id: int
    eos_token_id: int
    pad_token_id: int
    max_prompt: int
    """Tokens of the longest prompt."""
    max_new: int
    """Tokens of the longest answer."""
    thresholds: dict[str, float]
    layout: Literal["encoder-decoder", "decoder-only"] = "encoder-decoder"
    prompt: Literal["fields", "text", "infill", "middle"] = "fields"
    """``fields``: marked fields, as this project trains; ``text``: the code before the place; ``infill``: the code
    around it with one sentinel; ``middle``: prefix, suffix, middle (Bavarian et al. 2022)."""
    prompt_tokens: tuple[str, ...] = ()
    """The sentinel of ``infill``; the prefix, suffix and middle tokens of ``middle``."""
    prefix: str = ""
    """What every source begins with, such as the name of a task (T5)."""
    end_token_ids: tuple[int, ...] = ()
    """Tokens besides ``eos_token_id`` that finish an answer."""


@attrs.frozen
class EmbeddingSpec:
    """An encoder that makes one unit vector of a text."""

    graph: str
    pooling: str
    size: int
    """Numbers in a vector."""


@attrs.frozen
class Manifest:
    """Everything a bundle says about itself; the file ``manifest.json``."""

    id: str
    version: str
    task: Task
    languages: tuple[str, ...]
    """LSP language identifiers."""
    created: str
    """ISO 8601, UTC."""
    license: str
    """SPDX expression of the weights."""
    encoding: InputSpec
    files: dict[str, FileRecord] = attrs.field(factory=dict)
    """Path inside the bundle, with forward slashes, to what lies there. The manifest itself is not listed."""
    defects: DefectSpec | None = None
    generation: GenerationSpec | None = None
    embedding: EmbeddingSpec | None = None
    quantization: dict[str, Any] = attrs.field(factory=dict)
    parity: dict[str, Any] = attrs.field(factory=dict)
    """How far the quantised graphs are from the PyTorch model, measured at export."""
    metrics: dict[str, Any] = attrs.field(factory=dict)
    provenance: dict[str, Any] = attrs.field(factory=dict)
    """Seed, fingerprint of the data, recipe and versions of the run that made the model."""
    schema: int = SCHEMA

    def needed_files(self) -> Iterator[str]:
        """The files without which this bundle cannot serve its task."""
        yield self.encoding.tokenizer
        if self.defects is not None:
            yield self.defects.graph
        if self.generation is not None:
            spec = self.generation
            yield from (name for name in (spec.encoder, spec.decoder, spec.decoder_with_past) if name)
        if self.embedding is not None:
            yield self.embedding.graph


def parse_manifest(data: bytes, where: Path | str, remedy: str = GET_ANOTHER) -> Manifest:
    """The manifest in ``data``; ``where`` names its file in errors.

    Raises BundleError where the JSON is cut off, the schema is newer, fields are missing or unknown, a value has
    the wrong type, or the parts contradict each other.
    """
    try:
        tree = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(where, f"not complete JSON ({error})", remedy) from error
    if not isinstance(tree, dict):
        raise BundleError(where, "not a JSON object", remedy)
    schema = tree.get("schema")
    if type(schema) is not int:
        raise BundleError(where, "`schema` is missing or not a whole number", remedy)
    if schema > SCHEMA:
        raise BundleError(where, f"written in schema {schema}, this version reads up to {SCHEMA}", UPGRADE)
    try:
        manifest = _converter.structure(tree, Manifest)
    except Exception as error:
        raise BundleError(where, "; ".join(reasons(error)), remedy) from error
    problem = _contradiction(manifest)
    if problem:
        raise BundleError(where, problem, remedy)
    return manifest


def render_manifest(manifest: Manifest) -> bytes:
    """The bytes of ``manifest.json``. Raises BundleError for a manifest that would not be read again."""
    problem = _contradiction(manifest)
    if problem:
        raise BundleError(MANIFEST_NAME, problem, "correct the manifest before writing it")
    tree = _converter.unstructure(manifest)
    tree = {"schema": tree.pop("schema"), **tree}
    return (json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def unsafe_name(name: str) -> str | None:
    """Why ``name`` must not be used as a path inside a bundle, or ``None`` where it may."""
    if name != PurePosixPath(name).as_posix() or name in ("", ".") or any(c in name for c in "\\:\0\n\r"):
        return f"{name!r} is not a plain relative path"
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return f"{name!r} leads out of the bundle"
    if name == MANIFEST_NAME:
        return "the manifest lists itself"
    if path.suffix.lower() not in DATA_SUFFIXES:
        return f"{name!r} is not a kind of file a bundle may hold"
    return None


def _contradiction(manifest: Manifest) -> str | None:
    """The first thing that makes a well-typed manifest unusable."""
    for field in ("id", "version"):
        if not _NAME.fullmatch(getattr(manifest, field)):
            return f"`{field}` must be letters, digits and ._+-, not {getattr(manifest, field)!r}"
    for name, record in manifest.files.items():
        problem = unsafe_name(name)
        if problem:
            return f"`files`: {problem}"
        if not _SHA256.fullmatch(record.sha256) or record.size < 0:
            return f"`files`: {name!r} needs a SHA-256 in lower-case hexadecimal and a size"
    for task in KINDS:
        if (getattr(manifest, task) is not None) != (task == manifest.task):
            return f"the task is {manifest.task}, so exactly `{manifest.task}` must be filled in"
    missing = [name for name in manifest.needed_files() if name not in manifest.files]
    if missing:
        return f"`files` does not list {', '.join(repr(name) for name in missing)}"
    if not 0 <= manifest.encoding.stride < manifest.encoding.window:
        return "`encoding`: the stride must be smaller than the window"
    if manifest.generation is not None:
        return _bad_generation(manifest.generation)
    return _bad_defects(manifest.defects) if manifest.defects is not None else None


def _bad_generation(spec: GenerationSpec) -> str | None:
    if not spec.decoder:
        return "`generation.decoder`: a model needs its graph"
    if (spec.layout == "encoder-decoder") != bool(spec.encoder and spec.decoder_with_past):
        return f"`generation`: the layout is {spec.layout}, which does not fit its graphs"
    wanted = {"infill": 1, "middle": 3}.get(spec.prompt, 0)
    if len(spec.prompt_tokens) != wanted:
        return f"`generation.prompt_tokens`: {spec.prompt} needs {wanted}, found {len(spec.prompt_tokens)}"
    return None


def _bad_defects(spec: DefectSpec) -> str | None:
    if spec.temperature <= 0:
        return "`defects`: the temperature must be positive"
    for field in ("labels", "sequence_labels"):
        labels: tuple[str, ...] = getattr(spec, field)
        if labels and labels[0] != "clean":
            return f"`defects.{field}`: the first label must be 'clean'"
    if not (spec.labels if spec.token_head else spec.sequence_labels):
        return "`defects`: the head in use has no labels"
    absent = [level for level in SENSITIVITIES if level not in spec.thresholds]
    if absent:
        return f"`defects.thresholds` lacks {', '.join(absent)}"
    return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_converter = strict_converter()
