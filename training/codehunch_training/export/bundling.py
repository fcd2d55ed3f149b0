"""From a subject to a bundle: graphs, fewer bits, the parity gate, thresholds, card; whole or not there at all."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import onnx
import torch

from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, EmbeddingSpec, GenerationSpec, InputSpec, Manifest
from codehunch_training.export import graphs, quantisation, thresholds
from codehunch_training.export.blocks import round_table
from codehunch_training.export.card import CARD_NAME, render_card
from codehunch_training.export.fitting import calibrated
from codehunch_training.export.padding import without_mask
from codehunch_training.export.parity import Bounds, GraphModel, ParityError, gate, measure_encoder, measure_generation
from codehunch_training.export.quantisation import SCHEMES, Precision, Scheme
from codehunch_training.export.subject import ExportError, Say, Subject, recorded
from codehunch_training.export.writers import add_cache_feeds, decoder_feeds, reference_of, variant_of

WEIGHTS = "weights.onnx_data"
SENSITIVITY_FEEDS = 16
"""Examples a graph is run on to decide what stays in floats."""
ATTEMPTS = 3


@attrs.frozen
class Options:
    """What the person chose."""

    precision: Precision = "int8"
    scheme: Scheme = SCHEMES["reduced"]
    bounds: Bounds = attrs.field(factory=Bounds)
    error_limit: float = quantisation.LIMIT
    identifier: str = ""
    version: str = "1"
    languages: tuple[str, ...] = ()
    """Empty: what the run or the checkpoint says, else Python."""
    license: str = "unknown"


def write(subject: Subject, out: Path, options: Options, say: Say = lambda _: None) -> Bundle:
    """Make the bundle of a subject in ``out``, replacing what is there once it is complete.

    Raises ParityError where the graphs are not the model, ExportError where something does not fit together.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        folder = Path(work) / "bundle"
        folder.mkdir()
        plain = Path(work) / "fp32"
        writes = subject.kind in ("encoder-decoder", "decoder-only")
        torch.set_grad_enabled(True)
        say("tracing the graphs")
        made = _write_graphs(subject, plain) if writes else {"model": _encoder_graph(subject, plain)}
        shipped, quantization, gated = _gated(subject, made, folder, options, say)
        if writes:
            _share(folder, list(shipped.values()))
        subject.tokenizer.save(str(folder / "tokenizer.json"))
        quantization["graphs"] = {path.name: graphs.checked(path) for path in shipped.values()}
        manifest = _manifest(subject, options, quantization, gated, graphs.unnamed(subject.model, made.values()))
        bundle = write_bundle(folder, manifest)
        if manifest.defects is not None:
            say("fitting temperature and thresholds")
            manifest = calibrated(subject, bundle, manifest)
        (folder / CARD_NAME).write_text(render_card(manifest), encoding="utf-8")
        write_bundle(folder, manifest)
        _swap(folder, out)
    return write_bundle(out, manifest)


def _gated(
    subject: Subject, made: dict[str, Path], folder: Path, options: Options, say: Say
) -> tuple[dict[str, Path], dict[str, Any], dict[str, Any]]:
    """The graphs that ship, what was done to them, and their parity. Raises ParityError.

    Where int8 does not pass, more parts stay in floats: the error they may cost is cut to a third, twice.
    """
    for attempt in range(ATTEMPTS):
        say(f"{options.precision}: {', '.join(made)}")
        shipped, quantization = _fewer_bits(subject, made, folder, options, say)
        say("comparing with PyTorch")
        report = _parity(subject, made, shipped, f"onnx_{options.precision}", options)
        try:
            return shipped, quantization, gate(report, options.bounds)
        except ParityError as shut:
            if options.precision != "int8" or attempt + 1 == ATTEMPTS or shut.names == ("onnx_fp32",):
                raise
            options = attrs.evolve(options, error_limit=options.error_limit / 3)
    raise AssertionError


def _swap(folder: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _encoder_graph(subject: Subject, folder: Path) -> Path:
    path = folder / graphs.SINGLE
    if subject.kind == "embedding":
        graphs.export_embedder(subject.model, subject.pooling, path)
    elif subject.kind == "tokens":
        graphs.export_encoder(_TokenHead(subject.model), path, ("logits", "token_logits"))
    else:
        graphs.export_encoder(subject.model, path, ("logits", "token_logits") if subject.kind == "joint" else ())
    return path


def _write_graphs(subject: Subject, folder: Path) -> dict[str, Path]:
    if subject.kind == "decoder-only":
        return {"decoder": graphs.export_decoder(subject.model, folder)}
    return graphs.export_encoder_decoder(subject.model, folder)


class _TokenHead(torch.nn.Module):
    """A token labeller with a verdict on the whole text, ``logits``: those of its most suspicious token.

    The special tokens at both ends carry no label and have no say.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        each = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        place = torch.arange(input_ids.shape[1], device=input_ids.device)
        own = (place > 0) & (place < attention_mask.sum(-1, keepdim=True) - 1)
        suspicion = torch.where(own, each[..., 1:].amax(-1) - each[..., 0], torch.full_like(each[..., 0], -1e4))
        worst = suspicion.argmax(-1)[:, None, None].expand(-1, 1, each.shape[-1])
        return {"logits": each.gather(1, worst)[:, 0], "token_logits": each}


def _fewer_bits(
    subject: Subject, made: dict[str, Path], folder: Path, options: Options, say: Say
) -> tuple[dict[str, Path], dict[str, Any]]:
    """The graphs in the chosen precision, in ``folder``, and what the manifest says of them."""
    shipped = {part: folder / path.name for part, path in made.items()}
    if options.precision == "fp32":
        for part, path in made.items():
            _copy(path, shipped[part])
        return shipped, {"method": "none", "weights": "float32"}
    if options.precision == "fp16":
        reports = [quantisation.half(path, shipped[part]) for part, path in made.items()]
        return shipped, reports[0]
    writes = subject.kind in ("encoder-decoder", "decoder-only")
    feeds: dict[str, Any] = {"model": list(subject.feeds[:SENSITIVITY_FEEDS])}
    scheme = options.scheme
    if writes:
        feeds = decoder_feeds(subject, made.get("encoder"))
        if "decoder_with_past" in made:
            add_cache_feeds(feeds, made["decoder"])
        scheme = attrs.evolve(scheme, embeddings=False)
    details: dict[str, Any] = {}
    schemes = {part: scheme_of(part, subject.kind, scheme) for part in made}
    if any(each.blocks != "none" for each in schemes.values()):
        rounded = {part: path.with_name(f"rounded-{path.name}") for part, path in made.items()}
        made = rounded if round_table(made, rounded) else made
    elif writes:
        # The embedding table is the output matrix too, where the last rounding decides between two tokens.
        for path in made.values():
            _tie(path)
    for part, path in made.items():
        # Rows run alone there: see codehunch.inference.batching. Other readers of texts and windows ask for the mask.
        alone = path.with_name(f"alone-{path.name}")
        if subject.kind == "classifier" and not scheme.static and without_mask(path, alone, feeds[part]):
            path = alone
        details[part] = quantisation.quantise(path, shipped[part], schemes[part], feeds[part], options.error_limit, say)
        if schemes[part].blocks != "none":
            _tie(shipped[part])  # Where the output matrix had to go back to floats.
    first = next(iter(details.values()))
    shared = ("method", "scheme", "weights", "activations", "embeddings")
    report = {key: first[key] for key in shared} | {
        "parts": {
            part: {k: v for k, v in row.items() if k not in shared or v != first[k]} for part, row in details.items()
        }
    }
    report["bytes_fp32"] = sum(_size(path) for path in made.values())
    report["bytes"] = sum(_size(path) for path in shipped.values())
    return shipped, report


def scheme_of(part: str, kind: str, scheme: Scheme) -> Scheme:
    """The scheme of one graph of a model. What reads one token at a time takes as long as reading its weights, and
    fastest in blocks: the decoders of an encoder-decoder, and the output matrix of a decoder alone, which reads its
    prompt with the others. Whoever asks for a scheme of all eight bits or for static ranges gets it everywhere."""
    if scheme.name != "reduced" or scheme.static:
        return scheme
    if kind == "encoder-decoder" and part != "encoder":
        return attrs.evolve(scheme, blocks="all")
    return attrs.evolve(scheme, blocks="output") if kind == "decoder-only" else scheme


def _parity(
    subject: Subject, made: dict[str, Path], shipped: dict[str, Path], name: str, options: Options
) -> dict[str, Any]:
    variants = {"onnx_fp32": made} | ({name: shipped} if name != "onnx_fp32" else {})
    if subject.kind in ("encoder-decoder", "decoder-only"):
        reference = reference_of(subject)
        limit = min(32, subject.max_new)
        return measure_generation(
            reference.logits,
            reference.generate,
            {key: variant_of(subject, paths) for key, paths in variants.items()},
            subject.prompts,
            subject.targets,
            limit,
        )
    model: torch.nn.Module = subject.model.eval()
    if subject.kind == "embedding":
        model = _pooled(subject)
    elif subject.kind == "tokens":
        model = _TokenHead(subject.model).eval()
    evaluate = subject.evaluate
    paths = {key: graph["model"] for key, graph in variants.items()}
    if evaluate is None:
        return measure_encoder(model, paths, subject.feeds)
    # The task calls its own model by its own names; a graph answers to both.
    own = subject.model.eval()

    def metrics(each: Any) -> Any:
        if isinstance(each, GraphModel):
            each.labels_tokens = subject.kind == "tokens"
        return evaluate(own if each is model else each)

    return measure_encoder(model, paths, subject.feeds, metrics, subject.metric)


def _pooled(subject: Subject) -> torch.nn.Module:
    from codehunch_training.models.embedding import pool

    def call(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = subject.model(input_ids=input_ids, attention_mask=attention_mask)[0]
        return {"embedding": pool(hidden, attention_mask, subject.pooling)}

    return graphs.Named(subject.model, call, subject.model.config).eval()


def _manifest(
    subject: Subject,
    options: Options,
    quantization: dict[str, Any],
    parity: dict[str, Any],
    unnamed: Mapping[str, torch.nn.Parameter],
) -> Manifest:
    packages = ("onnx", "onnxruntime", "optimum-onnx", "torch", "transformers")
    defects = generation = embedding = None
    if subject.kind in ("classifier", "tokens", "joint"):
        token_head = subject.kind == "joint"
        defects = DefectSpec(
            labels=subject.labels if token_head else (),
            sequence_labels=subject.labels,
            token_head=token_head,
            temperature=1.0,
            thresholds=dict(thresholds.FALLBACK),
            alarms_per_kloc={},
            graph=graphs.SINGLE,
        )
    elif subject.kind == "embedding":
        embedding = EmbeddingSpec(graphs.SINGLE, subject.pooling, int(subject.model.config.hidden_size))
    else:
        generation = generation_spec(subject)
    return Manifest(
        id=options.identifier or subject.name,
        version=options.version,
        task="defects" if defects else "embedding" if embedding else "generation",
        languages=subject.languages,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        license=subject.license,
        encoding=InputSpec(
            kind="lexical" if subject.kind == "joint" else "text", window=subject.window, stride=subject.stride
        ),
        defects=defects,
        generation=generation,
        embedding=embedding,
        quantization=quantization,
        parity=parity,
        metrics=dict(subject.metrics),
        provenance={
            **subject.provenance,
            "model": recorded(subject.model)
            | {"parameters": {name: each.detach().float().tolist() for name, each in unnamed.items()}},
            "export_versions": {name: version(name) for name in packages},
        },
    )


def generation_spec(subject: Subject) -> GenerationSpec:
    """What a bundle says of a subject that writes."""
    start, end, pad = subject.starts
    single = subject.kind == "decoder-only"
    names = graphs.ENCODER_DECODER
    return GenerationSpec(
        encoder="" if single else names["encoder"],
        decoder=graphs.DECODER_ONLY,
        decoder_with_past="" if single else names["decoder_with_past"],
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=pad,
        max_prompt=subject.window,
        max_new=subject.max_new,
        thresholds={"automatic": 0.5},
        layout=subject.kind if single else "encoder-decoder",  # type: ignore[arg-type]
        prompt=subject.prompt,
        prompt_tokens=subject.prompt_tokens,
        prefix=subject.prefix,
        end_token_ids=subject.ends,
    )


def _tie(path: Path) -> None:
    from codehunch_training.export.generation import tie_head

    tie_head(path)


def _share(folder: Path, paths: Sequence[Path]) -> None:
    """The weights of all graphs in one file, equal ones once."""
    from codehunch_training.export.generation import share_weights

    share_weights(folder, [path.name for path in paths], WEIGHTS)
    for path in paths:
        path.with_name(path.name + "_data").unlink(missing_ok=True)
        path.with_name(path.name + ".data").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    model = onnx.load(source)
    large = _size(source) > 1_500_000_000
    onnx.save(model, target, save_as_external_data=large, location=target.name + "_data")


def _size(path: Path) -> int:
    return path.stat().st_size + sum(
        other.stat().st_size for suffix in ("_data", ".data") if (other := path.with_name(path.name + suffix)).exists()
    )


__all__ = ["ExportError", "Options", "generation_spec", "write"]
