"""How tokens are chosen: greedy, beam search and nucleus sampling over any model that gives logits step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_IMPOSSIBLE = -1e9
_LONGEST_LOOP = 24
_BLOCK = 64


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
    stop: Callable[[Sequence[int]], bool] | None = None
    """Asked after every token of an answer, with its tokens so far: True finishes it there."""


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


class TextModel(Protocol):
    """What every generation model does, whatever its graphs are."""

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


class Steps(Protocol):
    """One request while it is decoded: its cache, its deadline and its cancel flag."""

    def start(self, beams: int) -> Floats:
        """Logits (beams, vocabulary) of the first token, the same for every beam. Raises Cancelled."""

    def step(self, tokens: NDArray[np.int64], order: NDArray[np.int64] | None = None) -> Floats:
        """Logits after one more token per beam; ``order`` says which beam each new one continues. Raises Cancelled."""

    def late(self) -> bool:
        """Whether the deadline has passed."""


def decode(run: Steps, decoding: Decoding, ends: Collection[int]) -> tuple[Answer, ...]:
    """Answers of a request, best first; a token of ``ends`` finishes one."""
    if decoding.sample or decoding.beams == 1:
        return draw(run, decoding, ends)
    return beam_search(run, decoding, ends)


def draw(run: Steps, decoding: Decoding, ends: Collection[int]) -> tuple[Answer, ...]:
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
            if chosen[beam] in ends:
                done[beam] = True
            else:
                tokens[beam].append(int(chosen[beam]))
                done[beam] = decoding.stop is not None and decoding.stop(tokens[beam])
        if done.all() or step + 1 == decoding.max_new or run.late():
            break
        logits = run.step(chosen)
    answers = [
        Answer(tuple(part), float(score), bool(end)) for part, score, end in zip(tokens, scores, done, strict=True)
    ]
    return tuple(sorted(answers, key=lambda answer: (not answer.finished, -answer.confidence)))


def beam_search(run: Steps, decoding: Decoding, ends: Collection[int]) -> tuple[Answer, ...]:
    """Beam search with transformers' stopping rule (``early_stopping=False``): until no running beam, scored at
    its present length, beats the worst of ``beams`` finished ones."""
    beams = decoding.beams
    logits = run.start(beams)
    running: list[list[int]] = [[] for _ in range(beams)]
    scores = np.full(beams, _IMPOSSIBLE)
    scores[0] = 0.0  # All beams are still the same one.
    finished: list[tuple[float, Answer]] = []
    for length in range(1, decoding.max_new + 1):
        log_probabilities = log_softmax(logits)
        if decoding.guard_loops:
            log_probabilities = _without_loops(log_probabilities, running)
        survivors: list[tuple[float, int, int]] = []
        for rank, (score, beam, token) in enumerate(_best(log_probabilities, scores, (1 + len(ends)) * beams)):
            tokens = running[beam] if token in ends else [*running[beam], token]
            ended = token in ends or (decoding.stop is not None and decoding.stop(tokens))
            if not ended and length < decoding.max_new:
                survivors.append((score, beam, token))
            elif rank < beams and score > _IMPOSSIBLE / 2:
                answer = Answer(tuple(tokens), score, ended)
                finished.append((score / length**decoding.length_penalty, answer))
        finished = sorted(finished, key=lambda item: -item[0])[:beams]
        survivors = survivors[:beams]
        if not survivors or run.late():
            break
        if len(finished) == beams and survivors[0][0] / length**decoding.length_penalty <= finished[-1][0]:
            break
        running = [[*running[beam], token] for _, beam, token in survivors]
        scores = np.array([score for score, _, _ in survivors])
        logits = run.step(np.array([token for _, _, token in survivors]), np.array([beam for _, beam, _ in survivors]))
    answers = [answer for _, answer in finished]
    if len(answers) < beams and run.late():
        answers += [Answer(tuple(part), float(score), False) for part, score in zip(running, scores, strict=True)]
    return tuple(answers[:beams])


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


def _best(log_probabilities: Floats, scores: NDArray[np.float64], count: int) -> list[tuple[float, int, int]]:
    """The best continuations of all beams: score, beam and token, the best first.

    The largest values lie in the blocks with the largest maxima, and a maximum is ten times as fast as a partition.
    """
    beams, vocabulary = log_probabilities.shape
    whole = vocabulary // _BLOCK * _BLOCK
    starts = np.arange(0, whole, _BLOCK)
    if beams * len(starts) > 2 * count:
        maxima = log_probabilities[:, :whole].reshape(beams, -1, _BLOCK).max(axis=2) + scores[:, None]
        beam, block = np.divmod(np.sort(np.argpartition(-maxima, count, axis=None)[:count]), len(starts))
        # The tokens past the last whole block are few: all are candidates.
        tail = np.arange(whole, vocabulary)
        rows = np.concatenate([np.repeat(beam, _BLOCK), np.repeat(np.arange(beams), len(tail))])
        tokens = np.concatenate([(starts[block][:, None] + np.arange(_BLOCK)).ravel(), np.tile(tail, beams)])
    else:
        rows, tokens = np.repeat(np.arange(beams), vocabulary), np.tile(np.arange(vocabulary), beams)
    values = scores[rows] + log_probabilities[rows, tokens]
    # Of equal ones the first beam's goes first, and its first token.
    best = np.lexsort((tokens, rows, -values))[:count]
    return list(zip(values[best].tolist(), rows[best].tolist(), tokens[best].tolist(), strict=True))
