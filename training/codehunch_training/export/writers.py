"""Models that write, called alike: PyTorch beside the graphs, free-running and teacher-forced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from codehunch.inference.causal import Causal
from codehunch.inference.decoding import TextModel
from codehunch.inference.seq2seq import Graphs, Seq2Seq
from codehunch_training.export.subject import Subject


@attrs.frozen(eq=False)
class Reference:
    """A PyTorch model with its decoder start and end tokens."""

    model: PreTrainedModel
    start: int
    ends: tuple[int, ...]
    encodes: bool
    """Whether there is an encoder that reads the prompt."""

    def logits(self, prompt: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        """[tokens + 1, vocabulary]: before and after each token."""
        with torch.inference_mode():
            if self.encodes:
                output = self.model(
                    input_ids=torch.tensor([list(prompt)]),
                    decoder_input_ids=torch.tensor([[self.start, *tokens]]),
                    use_cache=False,
                )
                return output.logits[0].float().numpy()
            output = self.model(input_ids=torch.tensor([[*prompt, *tokens]]), use_cache=False)
            return output.logits[0, len(prompt) - 1 :].float().numpy()

    def generate(self, prompt: Sequence[int], max_new: int) -> list[int]:
        """Greedy tokens of transformers' own ``generate``, without start and end."""
        ids = torch.tensor([list(prompt)])
        settings: dict[str, Any] = {"decoder_start_token_id": self.start} if self.encodes else {}
        with torch.inference_mode():
            output = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_new,
                num_beams=1,
                do_sample=False,
                # transformers 4.57 sizes T5's cache by its encoder's layers, which may be fewer than the decoder's.
                use_cache=not self.encodes,
                eos_token_id=list(self.ends),
                pad_token_id=self.ends[0],
                forced_eos_token_id=None,
                forced_bos_token_id=None,
                no_repeat_ngram_size=0,
                repetition_penalty=1.0,
                **settings,
            )
        tokens: list[int] = output[0, 1 if self.encodes else len(prompt) :].tolist()
        stop = next((at for at, token in enumerate(tokens) if token in self.ends), len(tokens))
        return tokens[:stop]


@attrs.frozen(eq=False)
class Variant:
    """Graphs of one precision: the model that serves, and its logits on given tokens."""

    model: TextModel
    forced: Callable[[Sequence[int], Sequence[int]], NDArray[np.float32]]


def variant_of(subject: Subject, paths: Mapping[str, Path]) -> Variant:
    """The graphs of ``subject`` in ``paths``, by part."""
    start, end, _ = subject.starts
    ends = (end, *subject.ends)
    if subject.kind == "decoder-only":
        return Variant(Causal(paths["decoder"], ends, threads=1), _forced_causal(paths["decoder"]))
    graphs = Graphs(paths["encoder"], paths["decoder"], paths["decoder_with_past"], start, end)
    return Variant(Seq2Seq(graphs, threads=1), _forced_pair(paths["encoder"], paths["decoder"], start))


def reference_of(subject: Subject) -> Reference:
    start, end, _ = subject.starts
    return Reference(subject.model.eval(), start, (end, *subject.ends), subject.kind == "encoder-decoder")


def decoder_feeds(subject: Subject, encoder: Path | None, count: int = 12) -> dict[str, list[dict[str, Any]]]:
    """Inputs of each graph from the subject's prompts and what PyTorch answers; for measuring single graphs."""
    reference, found = reference_of(subject), {"encoder": [], "decoder": [], "decoder_with_past": []}
    session = _session(encoder) if encoder is not None else None
    for prompt in subject.prompts[:count]:
        limit = min(24, subject.max_new)
        tokens = reference.generate(prompt, limit)[: limit - 1] or [subject.starts[1]]
        if session is None:
            found["decoder"].append(causal_feed(subject.model, [*prompt, *tokens]))
            continue
        ids = np.array([list(prompt)], dtype=np.int64)
        mask = np.ones_like(ids)
        found["encoder"].append({"input_ids": ids, "attention_mask": mask})
        (hidden,) = session.run(["last_hidden_state"], found["encoder"][-1])
        given = np.array([[subject.starts[0], *tokens]], dtype=np.int64)
        found["decoder"].append({"input_ids": given, "encoder_hidden_states": hidden, "encoder_attention_mask": mask})
    return found


def add_cache_feeds(feeds: dict[str, list[dict[str, Any]]], decoder: Path) -> None:
    """Fill in the inputs of the decoder with past: the cache after the first tokens, and the next token."""
    session = _session(decoder)
    names = [node.name for node in session.get_outputs()]
    for feed in feeds["decoder"]:
        before = feed | {"input_ids": feed["input_ids"][:, :-1]}
        if not before["input_ids"].shape[1]:
            continue
        outputs = dict(zip(names, session.run(names, before), strict=True))
        cache = {name.replace("present", "past_key_values"): v for name, v in outputs.items() if name != "logits"}
        mask = feed["encoder_attention_mask"]
        feeds["decoder_with_past"].append(
            cache | {"input_ids": feed["input_ids"][:, -1:], "encoder_attention_mask": mask}
        )


def causal_feed(model: PreTrainedModel, ids: Sequence[int]) -> dict[str, Any]:
    """Inputs of a decoder-only graph that reads ``ids`` after a past of no tokens."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row = np.array([list(ids)], dtype=np.int64)
    feed = {"input_ids": row, "attention_mask": np.ones_like(row), "position_ids": np.arange(len(ids))[None]}
    empty = np.zeros((1, heads, 0, size), dtype=np.float32)
    for layer in range(config.num_hidden_layers):
        feed |= {f"past_key_values.{layer}.key": empty, f"past_key_values.{layer}.value": empty}
    return feed


def _forced_causal(path: Path) -> Callable[[Sequence[int], Sequence[int]], NDArray[np.float32]]:
    session = _session(path)
    nodes = session.get_inputs()

    def forced(prompt: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        ids = np.array([[*prompt, *tokens]], dtype=np.int64)
        feed: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "position_ids": np.arange(ids.shape[1])[None],
        }
        feed = {node.name: feed[node.name] for node in nodes if node.name in feed}
        for node in nodes:
            if node.name.startswith("past_key_values."):
                feed[node.name] = np.zeros((1, node.shape[1], 0, node.shape[3]), dtype=np.float32)
        result: NDArray[np.float32] = session.run(["logits"], feed)[0][0, len(prompt) - 1 :]
        return result

    return forced


def _forced_pair(encoder: Path, decoder: Path, start: int) -> Callable[..., NDArray[np.float32]]:
    first, second = _session(encoder), _session(decoder)

    def forced(prompt: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        ids = np.array([list(prompt)], dtype=np.int64)
        mask = np.ones_like(ids)
        (hidden,) = first.run(["last_hidden_state"], {"input_ids": ids, "attention_mask": mask})
        given = np.array([[start, *tokens]], dtype=np.int64)
        feed = {"input_ids": given, "encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        result: NDArray[np.float32] = second.run(["logits"], feed)[0][0]
        return result

    return forced


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
