"""Tokens per second of a T5-small-sized encoder-decoder (60 M, random weights), side by side.

    pip install -e '.[train]' ctranslate2
    python benchmarks/decoding.py                        64 new tokens after a prompt of 64, greedy and with 4 beams
    python benchmarks/decoding.py --new 128 --beams 1

The model goes through the export and the quantisation that `codehunch export` uses; CTranslate2 converts the same
checkpoint. Every implementation writes exactly --new tokens, with as many threads, in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from rich.console import Console
from side_by_side import measure, table

from codehunch.inference.decoding import Decoding
from codehunch.inference.seq2seq import Graphs, Seq2Seq

OPTIMUM, CTRANSLATE, TORCH = "optimum, onnxruntime fp32", "CTranslate2 int8", "PyTorch fp32"
VOCABULARY, START, END, NEVER = 32_128, 0, 1, -1
Run = Callable[[], object]


def main() -> None:
    """Parse the arguments, build the model once, print a table per number of beams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new", type=int, default=64, help="tokens of every answer")
    parser.add_argument("--prompt", type=int, default=64, help="tokens of the prompt")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="threads of every implementation")
    parser.add_argument("--work", type=Path, help="keep the built models here, and use them again")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    prompt = [*(int(token) for token in np.random.default_rng(0).integers(5, VOCABULARY, arguments.prompt - 1)), END]
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        model = build(work)
        count = sum(each.numel() for each in model.parameters())
        console.print(
            f"{count / 1e6:.0f} M parameters, {arguments.threads} threads, prompt of {arguments.prompt} tokens"
        )
        paths = implementations(model, work, prompt, arguments.new, arguments.threads)
        for beams in arguments.beams:
            runs = {name: partial(run, beams) for name, run in paths.items()}
            for name, run in runs.items():
                written = run()
                assert written == arguments.new, f"{name} wrote {written} tokens, not {arguments.new}"
            title = f"{arguments.new} tokens, {f'{beams} beams' if beams > 1 else 'greedy'}"
            times = measure(runs, arguments.rounds, title=title)
            console.print(table(title, times, OPTIMUM, CTRANSLATE if CTRANSLATE in times else OPTIMUM, arguments.new))
            console.print()


def build(work: Path) -> Any:
    """A T5 with random weights, as a checkpoint in ``work/t5`` and as graphs in ``work/fp32`` and ``work/int8``."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from codehunch_training.export.blocks import round_table
    from codehunch_training.export.bundling import scheme_of
    from codehunch_training.export.graphs import export_encoder_decoder
    from codehunch_training.export.quantisation import SCHEMES, quantise

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=512,
        d_kv=64,
        d_ff=2048,
        num_layers=6,
        num_heads=8,
        decoder_start_token_id=START,
        pad_token_id=START,
        eos_token_id=END,
    )
    model = T5ForConditionalGeneration(config).eval()
    if not (work / "int8" / "done").exists():
        model.save_pretrained(work / "t5")
        save_tokenizer(work / "t5")
        model.save_pretrained(work / "fp32", state_dict={})  # optimum wants the configuration beside the graphs.
        (work / "int8").mkdir(parents=True, exist_ok=True)
        made = export_encoder_decoder(model, work / "fp32")
        rounded = {part: work / f"rounded-{path.name}" for part, path in made.items()}
        assert round_table(made, rounded), "T5 looks up the matrix that it ends with"
        for part, path in rounded.items():
            scheme = attrs.evolve(SCHEMES["reduced"], embeddings=False)
            quantise(path, work / "int8" / made[part].name, scheme_of(part, "encoder-decoder", scheme))
            path.unlink()
        (work / "int8" / "done").touch()
    return model


def save_tokenizer(folder: Path) -> None:
    """Words for CTranslate2, which counts in words: the numbers of their tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": START, "</s>": END, "<unk>": 2} | {f"t{number}": number for number in range(3, VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def implementations(
    model: Any, work: Path, prompt: list[int], new: int, threads: int
) -> dict[str, Callable[[int], int]]:
    """For each its name and a function from the number of beams to the number of tokens written."""
    import onnxruntime
    import torch
    from optimum.onnxruntime import ORTModelForSeq2SeqLM

    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    exported = ORTModelForSeq2SeqLM.from_pretrained(work / "fp32", session_options=options, use_merged=False)
    found = {TORCH: transformers_path(model, prompt, new), OPTIMUM: transformers_path(exported, prompt, new)}
    translator = ctranslate2(work, threads)
    if translator is not None:
        words = [f"t{token}" for token in prompt[:-1]] + ["</s>"]
        found[CTRANSLATE] = lambda beams: len(
            translator.translate_batch([words], beam_size=beams, min_decoding_length=new, max_decoding_length=new)[
                0
            ].hypotheses[0]
        )
    for name, folder in (("CodeHunch fp32", "fp32"), ("CodeHunch int8", "int8")):
        found[name] = own_path(work / folder, prompt, new, threads)
    return found


def own_path(folder: Path, prompt: list[int], new: int, threads: int) -> Callable[[int], int]:
    names = ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx")
    # No token ends an answer: all have the same length.
    engine = Seq2Seq(Graphs(*(folder / name for name in names), start=START, eos=NEVER), threads)
    return lambda beams: len(engine.generate(prompt, Decoding(max_new=new, beams=beams))[0].tokens)


def transformers_path(model: Any, prompt: list[int], new: int) -> Callable[[int], int]:
    import torch

    ids = torch.tensor([prompt])
    mask = torch.ones_like(ids)

    def run(beams: int) -> int:
        with torch.inference_mode():
            output = model.generate(
                ids, attention_mask=mask, min_new_tokens=new, max_new_tokens=new, num_beams=beams, do_sample=False
            )
        return len(output[0]) - 1

    return run


def ctranslate2(work: Path, threads: int) -> Any:
    """CTranslate2 over the same checkpoint, ``None`` where it is not installed."""
    try:
        import ctranslate2
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        Console(stderr=True).print("CTranslate2 is left out: pip install ctranslate2")
        return None
    target = work / "ctranslate2"
    if not target.exists():
        TransformersConverter(str(work / "t5")).convert(str(target), quantization="int8")
    return ctranslate2.Translator(str(target), compute_type="int8", inter_threads=1, intra_threads=threads)


if __name__ == "__main__":
    main()
