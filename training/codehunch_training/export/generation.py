"""A trained generation model as a bundle: three ONNX graphs over one file of int8 weights, with the parity measured."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
import typer
from tokenizers import Tokenizer
from transformers import T5ForConditionalGeneration

from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import GenerationSpec, InputSpec, Manifest
from codehunch.generation.prompt import EOS, PAD, encode_prompt
from codehunch.inference.decoding import Decoding
from codehunch.inference.seq2seq import Graphs, Seq2Seq
from codehunch_training.corpus.docstrings import prompt_of
from codehunch_training.export.blocks import BLOCK, write_blocks
from codehunch_training.export.card import write_card
from codehunch_training.export.graphs import checked
from codehunch_training.tasks.generation_data import read_rows

PARTS = {
    "encoder": "encoder_model.onnx",
    "decoder": "decoder_model.onnx",
    "decoder_with_past": "decoder_with_past_model.onnx",
}
"""Names as optimum gives them."""
WEIGHTS = "weights.onnx_data"
_ALIGNMENT = 64
_SMALL = 256


def to_onnx(model: Path, out: Path) -> None:
    """Export a saved T5 as encoder, decoder and decoder with past, fp32, under ``out``."""
    from optimum.exporters.onnx import main_export

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main_export(
            str(model),
            out,
            task="text2text-generation-with-past",
            no_post_process=True,
            do_validation=False,
            device="cpu",
        )
    missing = [name for name in PARTS.values() if not (out / name).exists()]
    if missing:
        raise FileNotFoundError(f"{out}: optimum wrote no {', '.join(missing)}")


def quantise(source: Path, out: Path) -> dict[str, Any]:
    """Int8 in blocks for matrix products, see ``export.blocks``; returns what the manifest says.

    The encoder too: it reads prompts a little slower than with one scale per column, and makes a third of the error.
    The embedding table stays fp32 and serves as output matrix too: there the last rounding decides between two tokens.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    out.mkdir(parents=True, exist_ok=True)
    for name in PARTS.values():
        prepared = out / f"prepared-{name}"
        quant_pre_process(source / name, prepared, skip_symbolic_shape=True)
        tie_head(prepared)
        write_blocks(prepared, out / name, products(prepared))
        prepared.unlink()
    return {
        "method": "dynamic",
        "weights": f"int8 in blocks of up to {BLOCK}, embeddings fp32",
        "activations": "int8, per block and call",
        "graphs": {name: checked(out / name) for name in PARTS.values()},
    }


def products(path: Path) -> list[str]:
    """Names of the nodes that multiply with a matrix of the graph."""
    graph = onnx.load(path).graph
    matrices = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 2}
    return [node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in matrices]


def tie_head(path: Path) -> bool:
    """Read the output matrix from the embedding table again; whether the graph has one.

    The export stores it transposed, a second time. onnxruntime folds the transposition when it loads the graph.
    """
    model = onnx.load(path)
    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    gathered = {node.input[0] for node in model.graph.node if node.op_type == "Gather"} & set(tables)
    for node in model.graph.node:
        if node.op_type != "MatMul" or node.input[1] not in tables:
            continue
        head = onnx.numpy_helper.to_array(tables[node.input[1]])
        for name in gathered:
            table = onnx.numpy_helper.to_array(tables[name])
            if table.shape == head.shape[::-1] and np.array_equal(table.T, head):
                transposed = onnx.helper.make_node("Transpose", [name], [f"{name}_transposed"], perm=[1, 0])
                model.graph.initializer.remove(tables[node.input[1]])
                node.input[1] = f"{name}_transposed"
                model.graph.node.insert(0, transposed)
                onnx.save(model, path)
                return True
    return False


def share_weights(folder: Path, names: Sequence[str] = tuple(PARTS.values()), weights: str = WEIGHTS) -> int:
    """Move the tensors of all graphs into one external file, equal ones once; returns its size in bytes.

    The two decoders hold the same weights and all three graphs the same embeddings.
    """
    places: dict[bytes, tuple[int, int]] = {}
    with (folder / weights).open("wb") as file:
        for name in names:
            graph = onnx.load(folder / name)
            for tensor in graph.graph.initializer:
                data = onnx.numpy_helper.to_array(tensor).tobytes()
                if len(data) < _SMALL:
                    continue
                digest = hashlib.sha256(data).digest()
                if digest not in places:
                    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                    places[digest] = (file.tell(), len(data))
                    file.write(data)
                _point_at(tensor, weights, *places[digest])
            onnx.save(graph, folder / name)
        return file.tell()


def _point_at(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    kind, dims, name = tensor.data_type, list(tensor.dims), tensor.name
    tensor.Clear()
    tensor.name, tensor.data_type = name, kind
    tensor.dims.extend(dims)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def graphs_in(folder: Path, start: int, eos: int) -> Graphs:
    paths = {part: folder / name for part, name in PARTS.items()}
    return Graphs(**paths, start=start, eos=eos)


def greedy_torch(model: T5ForConditionalGeneration, prompt: Sequence[int], max_new: int) -> list[int]:
    """What ``generate`` of transformers gives, without start and end tokens."""
    with torch.no_grad():
        ids = torch.tensor([list(prompt)])
        # No cache: transformers 4.57 sizes it by the layers of the encoder, and ours has fewer than the decoder.
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new,
            num_beams=1,
            do_sample=False,
            use_cache=False,
        )
    tokens: list[int] = output[0, 1:].tolist()
    eos = model.config.eos_token_id
    return tokens[: tokens.index(eos)] if eos in tokens else tokens


def agreement(expected: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> dict[str, float]:
    """Shares of equal tokens before the first difference, and of wholly equal sequences."""
    same = total = equal = 0
    for one, other in zip(expected, found, strict=True):
        length = max(len(one), len(other), 1)
        first = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        same, total, equal = (
            same + (length if list(one) == list(other) else first),
            total + length,
            equal + (list(one) == list(other)),
        )
    return {"tokens": round(same / max(1, total), 4), "sequences": round(equal / max(1, len(expected)), 4)}


def forced_agreement(
    model: T5ForConditionalGeneration, graphs: Seq2Seq, prompt: Sequence[int], target: Sequence[int]
) -> tuple[int, int, float]:
    """Teacher-forced: equal best tokens, tokens, and the largest difference of a probability."""
    start = model.config.decoder_start_token_id
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor([list(prompt)]), decoder_input_ids=torch.tensor([[start, *target]])
        ).logits[0]
    expected = logits.softmax(-1).numpy()
    step, cache = graphs.first(prompt)
    rows = [step[0]]
    for token in target:
        rows.append(graphs.following(np.array([token], dtype=np.int64), cache)[0])
    found = torch.from_numpy(np.stack(rows)).softmax(-1).numpy()
    equal = int((expected.argmax(-1) == found.argmax(-1)).sum())
    return equal, len(rows), float(np.abs(expected - found).max())


def measure_parity(
    model: T5ForConditionalGeneration, variants: dict[str, Seq2Seq], prompts: Sequence[Sequence[int]], max_new: int
) -> dict[str, Any]:
    """PyTorch fp32 against each variant on the same prompts: free-running and teacher-forced greedy tokens."""
    expected = [greedy_torch(model, prompt, max_new) for prompt in prompts]
    result: dict[str, Any] = {"reference": "PyTorch fp32, greedy", "prompts": len(prompts)}
    for name, graphs in variants.items():
        decoding = Decoding(max_new=max_new)
        found = [graphs.generate(prompt, decoding)[0].tokens for prompt in prompts]
        forced = [forced_agreement(model, graphs, *pair) for pair in zip(prompts, expected, strict=True)]
        result[name] = {
            **agreement(expected, found),
            "forced_tokens": round(sum(row[0] for row in forced) / sum(row[1] for row in forced), 4),
            "largest_probability_difference": round(max(row[2] for row in forced), 4),
        }
    return result


def held_out_prompts(data: Path, tokenizer: Tokenizer, limit: int, count: int) -> list[list[int]]:
    """Every n-th held-out docstring or comment prompt."""
    rows = [row for row in read_rows(data / "valid.jsonl.gz") if row["kind"] in ("docstring", "comment")]
    chosen = rows[:: max(1, len(rows) // count)][:count]
    return [encode_prompt(tokenizer, prompt_of(row), limit) for row in chosen]


def export(run: Path, data: Path, out: Path, identifier: str, prompts: int = 60, numbered: str = "1") -> Bundle:
    """Make a bundle under ``out`` from a run folder of ``tasks.generation`` and its data folder."""
    facts = json.loads((run / "run.json").read_text())
    recipe = facts["recipe"]
    tokenizer = Tokenizer.from_file(str(run / "tokenizer.json"))
    model = T5ForConditionalGeneration.from_pretrained(run / "model").eval()
    start, eos = int(model.config.decoder_start_token_id), int(tokenizer.token_to_id(EOS))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        plain, small = Path(work) / "fp32", Path(work) / "int8"
        to_onnx(run / "model", plain)
        quantization = quantise(plain, small)
        share_weights(small)
        for name in (*PARTS.values(), WEIGHTS):
            shutil.copyfile(small / name, out / name)
        shutil.copyfile(run / "tokenizer.json", out / "tokenizer.json")
        variants = {
            "onnx_fp32": Seq2Seq(graphs_in(plain, start, eos), 1),
            "onnx_int8": Seq2Seq(graphs_in(out, start, eos), 1),
        }
        asked = held_out_prompts(data, tokenizer, recipe["max_prompt"], prompts)
        parity = measure_parity(model, variants, asked, recipe["max_new"])
    versions = {name: version(name) for name in ("onnx", "onnxruntime", "optimum-onnx")}
    manifest = Manifest(
        id=identifier,
        version=numbered,
        task="generation",
        languages=("python",),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        license="Apache-2.0",
        encoding=InputSpec(kind="text", window=recipe["max_prompt"], stride=0),
        generation=GenerationSpec(
            **PARTS,
            decoder_start_token_id=start,
            eos_token_id=eos,
            pad_token_id=int(tokenizer.token_to_id(PAD)),
            max_prompt=recipe["max_prompt"],
            max_new=recipe["max_new"],
            thresholds={"automatic": 0.0},
        ),
        quantization=quantization,
        parity=parity,
        metrics=facts["metrics"],
        provenance={**{key: value for key, value in facts.items() if key != "metrics"}, "export_versions": versions},
    )
    write_bundle(out, manifest)
    return write_card(out)


def main(
    run: Annotated[Path, typer.Argument(help="Run folder of codehunch_training.tasks.generation.")],
    data: Annotated[Path, typer.Argument(help="The run's data folder: its held-out rows measure the parity.")],
    out: Annotated[Path, typer.Argument(help="Folder of the new bundle.")],
    identifier: Annotated[str, typer.Option("--id", help="The bundle's name.")] = "python-generation",
    prompts: Annotated[int, typer.Option(help="Held-out prompts the parity is measured on.")] = 60,
    numbered: Annotated[str, typer.Option("--version", help="Version of the bundle.")] = "1",
) -> None:
    """Export, quantise and measure a trained generation model."""
    bundle = export(run, data, out, identifier, prompts, numbered)
    print(json.dumps(bundle.manifest.parity, indent=1))
    print(f"{bundle.size / 1e6:.1f} MB in {out}")


if __name__ == "__main__":
    typer.run(main)
