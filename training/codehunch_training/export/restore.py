"""From a bundle back to a PyTorch checkpoint that training can go on from.

The int8 graphs hold every parameter, rounded. Each float tensor of the dequantised graph is matched to a parameter by
its name, or, where the exporter gave it a number, by the module whose operator reads it; every parameter must be
found, and the model must then compute what the graph computes.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel

import codehunch
from codehunch.bundles.bundle import Bundle, load_bundle, replace_file
from codehunch.bundles.manifest import Manifest
from codehunch.defects.bindings import surroundings_of
from codehunch.defects.surroundings import Around
from codehunch.defects.units import Unit
from codehunch.inference.encoding import LexicalEncoder
from codehunch_training.corpus.harvest import harvest
from codehunch_training.export.dequantise import dequantised, float_tensors

TOLERANCE = 2e-3
"""Largest difference of a logit, relative to the largest logit, that float arithmetic alone explains."""
DESCRIPTION = "codehunch.json"
"""What the checkpoint is, as in a run's ``best/``, and where it came from."""
_LARGEST_PROTOBUF = 1_500_000_000


def restore(bundle: Bundle | Path, out: Path) -> Path:
    """Write the model of a bundle to ``out`` as a Hugging Face checkpoint with its ``tokenizer.json``.

    Returns ``out``. Raises ValueError where the bundle does not say which model it was, a parameter is not in its
    graphs, or the restored model computes something else than they do; then nothing is written.
    """
    bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    model = blank_model(bundle)
    graphs = {part: dequantised(onnx.load(path)) for part, path in _graphs(bundle).items()}
    fill(model, [(root, graphs[part]) for part, root in _roots(model, graphs)], _stored(bundle))
    difference = disagreement(model, graphs, bundle)
    if not difference <= TOLERANCE:
        raise ValueError(f"{bundle.path}: the restored model's logits differ from the graph's by {difference:.2%}")
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    shutil.copyfile(bundle.path / bundle.manifest.encoding.tokenizer, out / "tokenizer.json")
    _write_tokenizer_config(model, out)
    replace_file(out / DESCRIPTION, (json.dumps(_description(bundle, difference), indent=2) + "\n").encode())
    return out


def _write_tokenizer_config(model: PreTrainedModel, out: Path) -> None:
    """Which tokens are special: what AutoTokenizer needs beside a tokenizer.json."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    usual = {"unk_token": "<unk>", "mask_token": "<mask>", "cls_token": "<s>", "sep_token": "</s>"}
    found: dict[str, Any] = {name: token for name, token in usual.items() if tokenizer.token_to_id(token) is not None}
    for name in ("bos", "eos", "pad"):
        number = getattr(model.config, f"{name}_token_id", None)
        number = number[0] if isinstance(number, list) else number
        token = tokenizer.id_to_token(int(number)) if number is not None else None
        if token is not None:
            found[f"{name}_token"] = token
    found |= {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    (out / "tokenizer_config.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _description(bundle: Bundle, difference: float) -> dict[str, Any]:
    manifest = bundle.manifest
    facts: dict[str, Any] = {
        "task": manifest.task,
        "languages": list(manifest.languages),
        "window": manifest.encoding.window,
        "stride": manifest.encoding.stride,
        "standings": manifest.encoding.told,
    }
    if manifest.defects is not None:
        facts |= {"labels": list(manifest.defects.labels or manifest.defects.sequence_labels)}
    if manifest.generation is not None:
        facts |= {"max_prompt": manifest.generation.max_prompt, "max_new": manifest.generation.max_new}
    return facts | {
        "restored_from": {"id": manifest.id, "version": manifest.version, "manifest_sha256": bundle.fingerprint},
        "logit_difference": difference,
    }


def blank_model(bundle: Bundle) -> PreTrainedModel:
    """An untrained model of the bundle's architecture, in evaluation mode."""
    manifest = bundle.manifest
    recorded = manifest.provenance.get("model")
    if isinstance(recorded, Mapping) and "config" in recorded:
        return _recorded(recorded).eval()
    recipe = manifest.provenance.get("recipe")
    if not isinstance(recipe, Mapping):
        raise ValueError(f"{bundle.path}: the manifest does not say which model this is: no `provenance.model.config`")
    tokenizer = Tokenizer.from_file(str(bundle.path / manifest.encoding.tokenizer))
    if manifest.defects is not None and manifest.encoding.kind == "lexical":
        return _default_defects(manifest, recipe, tokenizer).eval()
    if manifest.generation is not None:
        return _default_generation(recipe, tokenizer).eval()
    raise ValueError(f"{bundle.path}: the manifest does not say which model this is: no `provenance.model.config`")


def _recorded(recorded: Mapping[str, Any]) -> PreTrainedModel:
    import transformers

    from codehunch_training.models.encoder import DefectConfig, DefectModel
    from codehunch_training.models.joint import JointConfig, JointModel
    from codehunch_training.models.ngrams import NgramsConfig, NgramsForSequenceClassification

    settings, architecture = dict(recorded["config"]), str(recorded["architecture"])
    if settings.get("model_type") == DefectConfig.model_type:
        return DefectModel(DefectConfig(**settings))
    if settings.get("model_type") == JointConfig.model_type:
        return JointModel(JointConfig(**settings))
    if settings.get("model_type") == NgramsConfig.model_type:
        return NgramsForSequenceClassification(NgramsConfig(**settings))
    found = getattr(transformers, architecture, None)
    if not (isinstance(found, type) and issubclass(found, PreTrainedModel)):
        raise ValueError(f"transformers {transformers.__version__} has no model {architecture!r}")
    return found(transformers.AutoConfig.for_model(settings.pop("model_type"), **settings))


def _default_defects(manifest: Manifest, recipe: Mapping[str, Any], tokenizer: Tokenizer) -> PreTrainedModel:
    from codehunch_training.models.encoder import DefectConfig, DefectModel

    assert manifest.defects is not None
    return DefectModel(
        DefectConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=recipe["hidden_size"],
            num_hidden_layers=recipe["layers"],
            num_attention_heads=recipe["heads"],
            intermediate_size=recipe["intermediate_size"],
            token_labels=list(manifest.defects.labels),
            standings=manifest.encoding.told,
        )
    )


def _default_generation(recipe: Mapping[str, Any], tokenizer: Tokenizer) -> PreTrainedModel:
    from codehunch_training.tasks.generation_model import Recipe, build_model

    known = {field: value for field, value in recipe.items() if field in Recipe.__annotations__}
    return build_model(Recipe(**known), tokenizer)


def _graphs(bundle: Bundle) -> dict[str, Path]:
    """The graphs that hold the weights: the decoder with past holds no others than the first decoder."""
    manifest = bundle.manifest
    if manifest.defects is not None:
        return {"model": bundle.path / manifest.defects.graph}
    if manifest.embedding is not None:
        return {"model": bundle.path / manifest.embedding.graph}
    assert manifest.generation is not None
    names = {"encoder": manifest.generation.encoder, "decoder": manifest.generation.decoder}
    return {part: bundle.path / name for part, name in names.items() if name}


def _roots(model: PreTrainedModel, graphs: Mapping[str, onnx.ModelProto]) -> Iterator[tuple[str, nn.Module]]:
    """The module each graph was traced from: names in the graph are relative to it."""
    for part, graph in graphs.items():
        if part == "encoder":
            yield part, model.get_encoder()
        else:
            yield part, model if _fits(model, graph) else _Held(model)


class _Held(nn.Module):
    """The wrapper a model is traced in when its outputs are given other names."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


def _fits(model: nn.Module, graph: onnx.ModelProto) -> bool:
    """Whether more of the graph's names are the model's own than the wrapper's."""
    own = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    names = {tensor.name for tensor in graph.graph.initializer}
    return len(names & own) >= len(names & {f"model.{name}" for name in own})


def _stored(bundle: Bundle) -> Mapping[str, Any]:
    """Small parameters that the exporter computed away, kept in the manifest."""
    recorded = bundle.manifest.provenance.get("model")
    found = recorded.get("parameters", {}) if isinstance(recorded, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def fill(
    model: PreTrainedModel,
    graphs: Sequence[tuple[nn.Module, onnx.ModelProto]],
    stored: Mapping[str, Any] | None = None,
) -> None:
    """Copy the float tensors of graphs into the parameters of ``model``; each graph comes with its root module.

    ``stored``: parameters by name, as nested lists, that are taken as they are.

    Raises ValueError for a parameter no graph holds, for a tensor that belongs to none, and for one that two
    parameters could claim.
    """
    filled: set[int] = set()
    parameters = dict(model.named_parameters())
    for name in (stored or {}).keys() & parameters.keys():
        with torch.no_grad():
            parameters[name].copy_(torch.tensor((stored or {})[name]).reshape(parameters[name].shape))
        filled.add(id(parameters[name]))
    for by_name in (True, False):  # What the exporter named is certain, so it goes first.
        for root, graph in graphs:
            _fill(root, graph, filled, by_name)
    for root, graph in graphs:
        _fill_equal(root, graph, filled)
    model.tie_weights()
    # A pooler is in many checkpoints and read by few models: what no output depends on is in no graph.
    missing = [n for n, each in model.named_parameters() if id(each) not in filled and "pooler." not in n]
    if missing:
        raise ValueError(f"no tensor of the graph fits {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}")


def _places(root: nn.Module) -> dict[str, torch.Tensor]:
    """What a tensor of the graph may be: parameters, under all their names, and stored biases such as BART's."""
    buffers = {name: each for name, each in root.named_buffers() if each.is_floating_point() and each.ndim}
    return {**dict(root.named_parameters(remove_duplicate=False)), **buffers}


def _fill(root: nn.Module, graph: onnx.ModelProto, filled: set[int], by_name: bool) -> None:
    parameters = _places(root)
    modules = dict(root.named_modules())
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for tensor, values in float_tensors(graph).items():
        if (tensor in parameters) != by_name or "Constant" in tensor:
            continue
        name = tensor if by_name else _owner(tensor, values, readers.get(tensor, []), parameters, filled)
        if name is None or id(parameters[name]) in filled:
            continue
        parameter = parameters[name]
        module = modules[name.rpartition(".")[0]]
        oriented = values.T if _is_transposed(tensor, readers.get(tensor, []), module) else values
        if oriented.size != parameter.numel() or _squeezed(oriented.shape) != _squeezed(parameter.shape):
            raise ValueError(f"{tensor} has shape {list(values.shape)}, {name} has {list(parameter.shape)}")
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(oriented)).reshape(parameter.shape))
        filled.add(id(parameter))


def _fill_equal(root: nn.Module, graph: onnx.ModelProto, filled: set[int]) -> None:
    """Parameters that were equal when exported, such as biases at zero, share one tensor under one name."""
    parameters = dict(root.named_parameters(remove_duplicate=False))
    tensors = float_tensors(graph)
    for node in graph.graph.node:
        for tensor in set(node.input) & set(tensors):
            values = tensors[tensor]
            scope = _scope(node)
            own = [
                parameter
                for name, parameter in parameters.items()
                if name.rpartition(".")[0] == scope and tuple(parameter.shape) == values.shape and values.ndim == 1
            ]
            if len(own) == 1 and id(own[0]) not in filled:
                with torch.no_grad():
                    own[0].copy_(torch.from_numpy(np.array(values)))
                filled.add(id(own[0]))


def _scope(node: onnx.NodeProto) -> str:
    """The module an operator was traced in."""
    return node.name.strip("/").rpartition("/")[0].replace("/", ".")


def _owner(
    tensor: str,
    values: NDArray[np.float32],
    nodes: Sequence[onnx.NodeProto],
    parameters: Mapping[str, torch.Tensor],
    filled: set[int],
) -> str | None:
    """The one parameter of the reading operator's module that has this tensor's sizes."""
    for node in nodes:
        scope = _scope(node)
        own = {name: p for name, p in parameters.items() if name.rpartition(".")[0] == scope}
        fitting = [n for n, p in own.items() if sorted(_squeezed(p.shape)) == sorted(_squeezed(values.shape))]
        open_ = [name for name in fitting if id(own[name]) not in filled]
        if len(open_) > 1:
            raise ValueError(f"{tensor}, read by {node.name}, may be {' or '.join(open_)}")
        if fitting:
            return open_[0] if open_ else fitting[0]
    if values.size >= 256:  # Smaller ones are tables and masks the exporter folded.
        raise ValueError(f"{tensor} {list(values.shape)} belongs to no parameter; read by {[n.name for n in nodes]}")
    return None


def _is_transposed(tensor: str, nodes: Sequence[onnx.NodeProto], module: nn.Module) -> bool:
    """Whether the graph holds the matrix of an ``nn.Linear`` as [in, out]; the operator that reads it says so."""
    if not isinstance(module, nn.Linear):
        return False
    for node in nodes:
        if node.op_type == "MatMul" and node.input[1] == tensor:
            return True
        if node.op_type == "Gemm" and node.input[1] == tensor:
            return not any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return False


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def disagreement(model: PreTrainedModel, graphs: Mapping[str, onnx.ModelProto], bundle: Bundle, rows: int = 8) -> float:
    """Largest difference of the logits between a model and float graphs, relative to the largest logit.

    Both read the first functions of this package's own source.
    """
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        sessions = {part: _session(graph, Path(folder) / part) for part, graph in graphs.items()}
        for text in sample_functions(rows):
            for expected, found in _pairs(model, sessions, bundle, text):
                scale = max(float(np.abs(expected).max()), 1e-6)
                worst = max(worst, float(np.abs(expected - found).max()) / scale)
    return worst


def sample_functions(count: int) -> list[str]:
    """Functions of the installed package: real code that is there on every machine."""
    rows = harvest("codehunch", Path(codehunch.__file__).parent / "syntax")
    return [row.text for row in itertools.islice(rows, count)]


def _session(graph: onnx.ModelProto, folder: Path) -> Any:
    import onnxruntime

    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(graph, path, save_as_external_data=graph.ByteSize() > _LARGEST_PROTOBUF)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _pairs(
    model: PreTrainedModel, sessions: Mapping[str, Any], bundle: Bundle, text: str
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """What the model and the graphs make of one function, output by output."""
    spec = bundle.manifest.encoding
    tokenizer = Tokenizer.from_file(str(bundle.path / spec.tokenizer))
    if "encoder" in sessions or bundle.manifest.generation is not None:
        ids = np.array([tokenizer.encode(text).ids[: spec.window]], dtype=np.int64)
        written = bundle.manifest.generation
        yield from _generation_pairs(model, sessions, ids, 32 if written is None else min(32, written.max_new))
        return
    if spec.kind == "lexical":
        unit = Unit(text, 0, Around(surroundings_of(text)))
        encoder = LexicalEncoder(tokenizer, spec.window, spec.stride, spec.told)
        window = encoder.encode(unit.lexemes, unit.told)[0]
        feed = {"input_ids": window.input_ids[None], "identifier_ids": window.identifier_ids[None]}
    else:
        feed = {"input_ids": np.array([tokenizer.encode(text).ids[: spec.window]], dtype=np.int64)}
    feed["attention_mask"] = np.ones_like(feed["input_ids"])
    (session,) = sessions.values()
    output = model(**{name: torch.from_numpy(value) for name, value in feed.items()})
    wanted = {node.name for node in session.get_inputs()}
    names = [node.name for node in session.get_outputs()]
    for name, found in zip(names, session.run(names, {k: v for k, v in feed.items() if k in wanted}), strict=True):
        expected = _named_output(output, name, feed["attention_mask"], bundle).numpy()
        if expected.ndim == found.ndim:  # A token labeller's verdict on the whole text is the graph's own.
            yield expected, found


def _named_output(output: Any, name: str, mask: NDArray[np.int64], bundle: Bundle) -> torch.Tensor:
    """What the model itself calls the output that the graph calls ``name``."""
    if name == "embedding" and bundle.manifest.embedding is not None:
        from codehunch_training.models.embedding import pool

        return pool(output[0], torch.from_numpy(mask), bundle.manifest.embedding.pooling)
    if name == "token_logits" and output.get(name) is None:
        name = "logits"
    found: torch.Tensor = output[name]
    return found


def _generation_pairs(
    model: PreTrainedModel, sessions: Mapping[str, Any], ids: NDArray[np.int64], longest: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    if "encoder" not in sessions:
        from codehunch_training.export.writers import causal_feed

        nodes = {node.name for node in sessions["decoder"].get_inputs()}
        feed = {name: value for name, value in causal_feed(model, ids[0].tolist()).items() if name in nodes}
        yield model(input_ids=torch.from_numpy(ids)).logits.numpy(), sessions["decoder"].run(["logits"], feed)[0]
        return
    target, mask = ids[:, :longest], np.ones_like(ids)
    feed = {"input_ids": ids, "attention_mask": mask}
    (hidden,) = sessions["encoder"].run(["last_hidden_state"], feed)
    feed = {"input_ids": target, "encoder_hidden_states": hidden, "encoder_attention_mask": mask}
    (found,) = sessions["decoder"].run(["logits"], feed)
    output = model(input_ids=torch.from_numpy(ids), decoder_input_ids=torch.from_numpy(target), use_cache=False)
    yield output.logits.numpy(), found
