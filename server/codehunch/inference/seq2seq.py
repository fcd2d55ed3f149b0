"""Encoder-decoder graphs with a key/value cache: greedy, beam search and nucleus sampling over onnxruntime.

Graphs are as optimum exports them: an encoder, a decoder for the first token (it also projects the encoder's states
once for all cross-attentions) and a decoder that continues from a cache. One prompt at a time; its beams or samples
are one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch.inference.errors import Cancelled
from codehunch.inference.session import create_session, require_names

Floats = NDArray[np.float32]
Cache = dict[str, Floats]
"""``past_key_values.*`` input names to arrays of shape (beams, heads, positions, d_kv)."""

_IMPOSSIBLE = -1e9
_LONGEST_LOOP = 24


@attrs.frozen
class Decoding:
    """How tokens are chosen. One beam and no sampling is greedy decoding."""

    max_new: int
    """Tokens of the longest answer, the end-of-sequence token included."""
    beams: int = 1
    """Beams of the search, or how many samples are drawn."""
    length_penalty: float = 1.0
    """A finished beam's log-probability is divided by its length to this power (Wu et al. 2016, section 7)."""
    sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    """Nucleus: the smallest set of tokens whose probabilities reach this sum (Holtzman et al. 2020)."""
    seed: int = 0
    guard_loops: bool = False
    """Never begin a third copy of the same run of tokens, nor a fifth of a short one."""


@attrs.frozen
class Answer:
    """One decoded sequence."""

    tokens: tuple[int, ...]
    """Without start and end tokens."""
    log_probability: float
    """Sum over the tokens, the end token included, in nats."""
    finished: bool
    """False where the length limit or the deadline cut it."""

    @property
    def confidence(self) -> float:
        """Geometric mean of the token probabilities, 0 to 1."""
        return float(np.exp(self.log_probability / max(1, len(self.tokens) + self.finished)))


@attrs.frozen
class Graphs:
    """The files of one model and its special tokens."""

    encoder: Path
    decoder: Path
    decoder_with_past: Path
    start: int
    eos: int


class Seq2Seq:
    """One loaded model. Calls hold no state between each other."""

    def __init__(self, graphs: Graphs, threads: int | None = None, providers: Sequence[str] | None = None) -> None:
        self._graphs = graphs
        self._encoder = create_session(graphs.encoder, threads, providers)
        self._decoder = create_session(graphs.decoder, threads, providers)
        self._next = create_session(graphs.decoder_with_past, threads, providers)
        require_names(self._encoder, graphs.encoder, ["input_ids", "attention_mask"], ["last_hidden_state"])
        decoder_inputs = ["input_ids", "encoder_hidden_states", "encoder_attention_mask"]
        require_names(self._decoder, graphs.decoder, decoder_inputs, ["logits"])
        require_names(self._next, graphs.decoder_with_past, ["input_ids", "encoder_attention_mask"], ["logits"])
        self._decoder_outputs = [node.name for node in self._decoder.get_outputs()]
        self._next_outputs = [node.name for node in self._next.get_outputs()]
        self._next_inputs = {node.name for node in self._next.get_inputs()}

    def generate(
        self,
        prompt: Sequence[int],
        decoding: Decoding,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Answer, ...]:
        """Answers to a prompt of token ids, best first.

        ``deadline`` is a ``time.monotonic`` moment: what is there by then is returned, unfinished answers last.
        ``cancelled`` is asked between steps; Cancelled is raised where it says yes.
        """
        run = _Run(self, prompt, deadline, cancelled)
        if decoding.sample or decoding.beams == 1:
            return self._draw(run, decoding)
        return self._beam(run, decoding)

    def first(self, prompt: Sequence[int]) -> tuple[Floats, Cache, NDArray[np.int64]]:
        """Encode a prompt and decode the start token: logits (1, vocabulary), the cache and the attention mask."""
        ids = np.asarray([prompt], dtype=np.int64)
        mask = np.ones_like(ids)
        hidden = self._encoder.run(["last_hidden_state"], {"input_ids": ids, "attention_mask": mask})[0]
        feed: dict[str, Any] = {
            "input_ids": np.full((1, 1), self._graphs.start, dtype=np.int64),
            "encoder_hidden_states": hidden,
            "encoder_attention_mask": mask,
        }
        outputs = dict(zip(self._decoder_outputs, self._decoder.run(None, feed), strict=True))
        cache = {name.replace("present", "past_key_values"): value for name, value in outputs.items()}
        logits: Floats = cache.pop("logits")[:, -1]
        return logits, {name: cache[name] for name in cache if name in self._next_inputs}, mask

    def following(self, tokens: NDArray[np.int64], cache: Cache, mask: NDArray[np.int64]) -> Floats:
        """Feed one token per beam: logits (beams, vocabulary). Updates ``cache`` in place."""
        feed: dict[str, Any] = {"input_ids": tokens[:, None], **cache}
        if "encoder_attention_mask" in self._next_inputs:
            feed["encoder_attention_mask"] = mask
        for name, value in zip(self._next_outputs, self._next.run(None, feed), strict=True):
            if name == "logits":
                logits: Floats = value[:, -1]
            else:
                cache[name.replace("present", "past_key_values")] = value
        return logits

    def _draw(self, run: _Run, decoding: Decoding) -> tuple[Answer, ...]:
        """Greedy decoding (one beam) or independent samples."""
        random = np.random.default_rng(decoding.seed)
        beams = decoding.beams
        logits = run.start(beams)
        tokens: list[list[int]] = [[] for _ in range(beams)]
        scores = np.zeros(beams)
        done = np.zeros(beams, dtype=bool)
        for step in range(decoding.max_new):
            log_probabilities = log_softmax(logits)
            allowed = _without_loops(log_probabilities, tokens) if decoding.guard_loops else log_probabilities
            chosen = _sampled(allowed, decoding, random) if decoding.sample else allowed.argmax(axis=-1)
            for beam in np.flatnonzero(~done):
                scores[beam] += log_probabilities[beam, chosen[beam]]
                if chosen[beam] == self._graphs.eos:
                    done[beam] = True
                else:
                    tokens[beam].append(int(chosen[beam]))
            if done.all() or step + 1 == decoding.max_new or run.late():
                break
            logits = run.step(chosen)
        answers = [
            Answer(tuple(part), float(score), bool(end)) for part, score, end in zip(tokens, scores, done, strict=True)
        ]
        return tuple(sorted(answers, key=lambda answer: (not answer.finished, -answer.confidence)))

    def _beam(self, run: _Run, decoding: Decoding) -> tuple[Answer, ...]:
        """Beam search with transformers' stopping rule (``early_stopping=False``): until no running beam, scored at
        its present length, beats the worst of ``beams`` finished ones."""
        beams, eos = decoding.beams, self._graphs.eos
        logits = run.start(beams)
        running: list[list[int]] = [[] for _ in range(beams)]
        scores = np.full(beams, _IMPOSSIBLE)
        scores[0] = 0.0  # All beams are still the same one.
        finished: list[tuple[float, Answer]] = []
        for length in range(1, decoding.max_new + 1):
            log_probabilities = log_softmax(logits)
            if decoding.guard_loops:
                log_probabilities = _without_loops(log_probabilities, running)
            total = log_probabilities.astype(np.float64) + scores[:, None]
            width = total.shape[1]
            best = _top(total.reshape(-1), 2 * beams)
            survivors: list[tuple[float, int, int]] = []
            for rank, index in enumerate(best):
                beam, token = divmod(int(index), width)
                score = float(total[beam, token])
                last = length == decoding.max_new
                if token != eos and not last:
                    survivors.append((score, beam, token))
                elif rank < beams and score > _IMPOSSIBLE / 2:
                    tokens = running[beam] if token == eos else [*running[beam], token]
                    answer = Answer(tuple(tokens), score, token == eos)
                    finished.append((score / length**decoding.length_penalty, answer))
            finished = sorted(finished, key=lambda item: -item[0])[:beams]
            survivors = survivors[:beams]
            if not survivors or run.late():
                break
            if len(finished) == beams and survivors[0][0] / length**decoding.length_penalty <= finished[-1][0]:
                break
            running = [[*running[beam], token] for _, beam, token in survivors]
            scores = np.array([score for score, _, _ in survivors])
            logits = run.step(
                np.array([token for _, _, token in survivors]), np.array([beam for _, beam, _ in survivors])
            )
        answers = [answer for _, answer in finished]
        if len(answers) < beams and run.late():
            answers += [Answer(tuple(part), float(score), False) for part, score in zip(running, scores, strict=True)]
        return tuple(answers[:beams])


class _Run:
    """The cache of one request, its deadline and its cancel flag."""

    def __init__(
        self, model: Seq2Seq, prompt: Sequence[int], deadline: float | None, cancelled: Callable[[], bool] | None
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._deadline = deadline
        self._cancelled = cancelled
        self._cache: Cache = {}
        self._mask: NDArray[np.int64] = np.ones((1, len(prompt)), dtype=np.int64)

    def start(self, beams: int) -> Floats:
        """Logits of the first token, repeated for every beam."""
        self._check()
        logits, cache, mask = self._model.first(self._prompt)
        self._cache = {name: np.repeat(value, beams, axis=0) for name, value in cache.items()}
        self._mask = np.repeat(mask, beams, axis=0)
        return np.repeat(logits, beams, axis=0)

    def step(self, tokens: NDArray[np.int64], order: NDArray[np.int64] | None = None) -> Floats:
        """Logits after one more token per beam; ``order`` says which beam each new one continues."""
        self._check()
        if order is not None and not np.array_equal(order, np.arange(len(order))):
            for name, value in self._cache.items():
                if ".decoder." in name:  # The prompt's part is the same for all beams.
                    self._cache[name] = value[order]
        return self._model.following(tokens.astype(np.int64), self._cache, self._mask)

    def late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled


def log_softmax(logits: Floats) -> Floats:
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def looping(tokens: Sequence[int]) -> int | None:
    """The token that would begin one copy too many of what the sequence ends with, or ``None``.

    Runs of four and more tokens may stand twice in a row, shorter ones four times.
    """
    for period in range(1, _LONGEST_LOOP + 1):
        copies = 2 if period >= 4 else 4
        tail = tokens[-period * copies :]
        if len(tail) == period * copies and tail[:-period] == tail[period:]:
            return tokens[-period]
    return None


def _without_loops(log_probabilities: Floats, sequences: Sequence[Sequence[int]]) -> Floats:
    result = log_probabilities
    for beam, tokens in enumerate(sequences):
        banned = looping(tokens)
        if banned is not None:
            result = result.copy() if result is log_probabilities else result
            result[beam, banned] = _IMPOSSIBLE
    return result


def _sampled(log_probabilities: Floats, decoding: Decoding, random: np.random.Generator) -> NDArray[np.int64]:
    """One token per row from the nucleus."""
    scaled = log_softmax(log_probabilities / np.float32(max(decoding.temperature, 1e-4)))
    chosen = np.empty(len(scaled), dtype=np.int64)
    for row, values in enumerate(scaled):
        order = np.argsort(-values)
        probabilities = np.exp(values[order]).astype(np.float64)
        kept = int(np.searchsorted(np.cumsum(probabilities), decoding.top_p)) + 1
        nucleus = probabilities[:kept] / probabilities[:kept].sum()
        chosen[row] = order[random.choice(len(nucleus), p=nucleus)]
    return chosen


def _top(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of the largest values, the largest first."""
    part = np.argpartition(-values, min(count, len(values) - 1))[:count]
    result: NDArray[np.int64] = part[np.argsort(-values[part], kind="stable")]
    return result
