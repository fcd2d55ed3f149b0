"""Requests in, candidates out: prompt, decoding, filters, in that order."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import attrs
from tokenizers import Tokenizer

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.manifest import GenerationSpec
from codehunch.generation.by_example import Stated, exemplified, fits, stated
from codehunch.generation.completion import (
    Completion,
    completion_body,
    completion_of,
    encode_completion,
    finisher,
    sentence_completion,
)
from codehunch.generation.consensus import chosen
from codehunch.generation.context import FileContext
from codehunch.generation.filters import (
    ALWAYS_KNOWN,
    clean_body,
    compiles,
    cut_to_whole,
    free_names,
    placed,
    stands_above,
    strip_control,
    with_imports,
)
from codehunch.generation.layout import to_canonical
from codehunch.generation.prompt import Prompt, encode_prompt, sentence_prompt
from codehunch.generation.retrieval import Neighbour, Retrieve, Weigh, adaptations, neighbours, prompt_with
from codehunch.generation.sense import keeps_promises, recurs_at_once, wanders
from codehunch.generation.sources import DOUBTFUL, told_source
from codehunch.inference.causal import Causal
from codehunch.inference.decoding import Answer, Decoding, TextModel
from codehunch.inference.errors import Cancelled, InferenceError
from codehunch.inference.seq2seq import Graphs, Seq2Seq
from codehunch.interpreter.around import NOTHING_AROUND, Around
from codehunch.syntax.bodies import BodyRequest
from codehunch.syntax.functions import find_functions
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

MADE_UP = 0.35
"""What the model's confidence counts for beside the likeness of a body that somebody has written: what then comes first
is closest to what a person wrote, on packages that trained nothing. From 0.25 to 0.5 it hardly matters."""
ENOUGH = 0.5
"""Likeness of a body from which nobody has to wait for the model, which would seldom come first."""

Judge = Callable[[SourceText, Span], bool]
"""Reads the file with a candidate in place and the candidate's span there; False ranks it below the others."""

BEAMS = 4
SAMPLES, TEMPERATURE, TOP_P = 8, 0.7, 0.9
"""The second attempt, made only for a person who asked: samples differ more than beams do."""
AUTOMATIC = "automatic"
"""Key of the threshold below which nothing is shown to a person who did not ask."""


@attrs.frozen
class Candidate:
    """One way to fill a request."""

    text: str
    """Replaces ``span``; indented and with line ends as the file has them."""
    confidence: float
    """Geometric mean of the token probabilities, 0 to 1; of an adapted body the likeness of its origin. At least one
    half where all examples hold."""
    span: Span
    origin: str = ""
    """The function it was adapted from; empty for what the model wrote."""
    examples: int = 0
    """How many examples it fits, all there are; 0 where there are none, or nobody can tell."""

    @property
    def source(self) -> str:
        """How a person is told where it comes from, lower case; empty for what the model wrote."""
        return told_source(self.origin, self.examples, self.confidence)


class Generator:
    """A generation bundle, ready to answer. Graphs load on the first request."""

    def __init__(self, bundle: Bundle, threads: int | None = None, judge: Judge | None = None) -> None:
        spec = bundle.manifest.generation
        if spec is None:
            raise InferenceError(f"{bundle.path}: a bundle for {bundle.manifest.task}, not for generation")
        self._bundle = bundle
        self._spec: GenerationSpec = spec
        self._threads = threads
        self._judge = judge

    @property
    def automatic_threshold(self) -> float:
        """The least confidence to show unasked."""
        return self._spec.thresholds.get(AUTOMATIC, 0.0)

    def generate(
        self,
        source: SourceText,
        request: BodyRequest,
        candidates: int = 1,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        least: float = 0.0,
        *,
        path: str = "",
        retrieve: Retrieve | None = None,
        weigh: Weigh | None = None,
        around: Around = NOTHING_AROUND,
    ) -> tuple[Candidate, ...]:
        """Up to ``candidates`` different texts for a request, best first; none where no filter lets one pass.

        Where the description has examples, what gives just what they show comes first (``generation.by_example``),
        unless that much else would give it too and a sibling is there.
        The most similar functions, of the file itself and those that ``retrieve`` finds elsewhere, are named in the
        prompt, and they are adapted as candidates of their own; ``weigh`` knows which were welcome before. First of
        these comes what all of them together say is wanted (``generation.consensus``).
        ``path`` is where the text lies, ``around`` what the project says of it.

        ``deadline`` is in seconds from now. ``least`` drops what is less confident: give ``automatic_threshold`` when
        nobody asked. Raises Cancelled when ``cancelled`` says so between two tokens.
        """
        parsed = parse(source)
        context = FileContext(parsed)
        started = time.monotonic()
        near = neighbours(context, request, path, retrieve, weigh)
        # A sibling says more than examples that much else would fit.
        sibling = near[0].likeness if near and near[0].likeness >= ENOUGH else 0.0
        given = stated(context, request, around)
        searched = self._by_example(context, request, given, candidates, deadline, cancelled, least)
        fitting = [each for each in searched if each.confidence >= sibling]
        if len(fitting) >= candidates:
            return tuple(fitting)
        left = deadline - (time.monotonic() - started) if deadline is not None else None

        def adapted(most: int) -> list[Candidate]:
            found = adaptations(context, request, near, asked=least == 0.0, most=most)
            return [Candidate(each.text, each.likeness, request.replace, each.origin) for each in found]

        if candidates == 1 and near and near[0].likeness >= ENOUGH:
            likest = adapted(1)
            kept = _fitting_first(context, request, likest, given)
            if kept and kept[0].confidence >= ENOUGH and self._passes(context, request, kept[0]):
                return tuple(kept)
        found = self._search(
            prompt := self._prompt(context, request, near),
            candidates,
            left,
            cancelled,
            least,
            lambda answer: self._fit(context, request, answer, prompt),
        )
        own = adapted(len(near))
        known = {each.text for each in (*own, *searched)}
        made = [Candidate(text, sure, request.replace) for text, sure in found.items() if text not in known]
        pool = _fitting_first(context, request, [*own, *made], given)
        trust = [each.confidence if each.origin else MADE_UP * each.confidence for each in pool]
        order = chosen(
            [each.text for each in pool],
            trust,
            candidates - len(fitting),
            lambda place: self._passes(context, request, pool[place]),
        )
        doubtful = (each for each in searched if each.confidence < sibling)
        others = sorted((pool[place] for place in order), key=lambda each: not each.examples)
        return (*fitting, *others, *doubtful)[:candidates]

    def generate_prompt(
        self,
        text: str,
        candidates: int = 1,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Candidate, ...]:
        """Whole functions for an English sentence, each with the sentence as its docstring; the span is empty."""
        prompt = sentence_prompt(text) if self._spec.prompt == "fields" else sentence_completion(text)
        lead = prompt.lead if isinstance(prompt, Completion) else ""
        found = self._search(
            prompt, candidates, deadline, cancelled, 0.0, lambda answer: self._function(answer, text, lead)
        )
        return tuple(Candidate(code, confidence, Span(0, 0)) for code, confidence in found.items())[:candidates]

    def answers(
        self,
        prompt: Prompt | Completion,
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Answer, ...]:
        """What the model says to a prompt before any filter; ``deadline`` is a ``time.monotonic`` moment."""
        chosen = decoding or self.decoding()
        if isinstance(prompt, Completion):
            ids = encode_completion(self.tokenizer, self._spec, prompt)
            chosen = attrs.evolve(chosen, stop=finisher(self._text, prompt))
        else:
            ids = self.encode(prompt)
        return self.model.generate(ids, chosen, deadline, cancelled)

    def encode(self, prompt: Prompt) -> list[int]:
        """A prompt of fields as the model reads it."""
        return encode_prompt(self.tokenizer, prompt, self._spec.max_prompt)

    def decoding(self, beams: int = BEAMS, sample: bool = False) -> Decoding:
        """The bundle's limits with so many beams, or so many samples."""
        return Decoding(
            max_new=self._spec.max_new,
            beams=beams,
            sample=sample,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            guard_loops=True,
        )

    def _search(
        self,
        prompt: Prompt | Completion,
        candidates: int,
        deadline: float | None,
        cancelled: Callable[[], bool] | None,
        least: float,
        fit: Callable[[Answer], str | None],
    ) -> dict[str, float]:
        """Texts that passed the filters with their confidence, best first: beams, and samples if no beam passed."""
        limit = time.monotonic() + deadline if deadline is not None else None
        # One beam more than asked for, because filters take some away.
        plan = [self.decoding(max(BEAMS, candidates + 1))]
        if least == 0.0:
            plan.append(self.decoding(max(SAMPLES, candidates), sample=True))
        found: dict[str, float] = {}
        for decoding in plan:
            if found or (limit is not None and decoding.sample and time.monotonic() >= limit):
                break
            for answer in self.answers(prompt, decoding, limit, cancelled):
                text = fit(answer) if answer.confidence >= least else None
                if text is not None:
                    found.setdefault(text, answer.confidence)
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _by_example(
        self,
        context: FileContext,
        request: BodyRequest,
        given: Stated | None,
        candidates: int,
        deadline: float | None,
        cancelled: Callable[[], bool] | None,
        least: float,
    ) -> list[Candidate]:
        """What fits the examples of the description; half of the time, and of the places, are left for all else."""
        if given is None:
            return []
        limit = time.monotonic() + deadline / 2 if deadline is not None else None

        def enough() -> bool:
            late = limit is not None and time.monotonic() > limit
            return late or (cancelled is not None and cancelled())

        found = exemplified(context, request, given, least == 0.0, max(1, candidates // 2), enough)
        if cancelled is not None and cancelled():
            raise Cancelled
        return [Candidate(each.text, each.confidence, request.replace, examples=each.examples) for each in found]

    def body(self, answer: Answer) -> str:
        """An answer as a canonical block."""
        return clean_body(self._decode(answer))

    def _prompt(self, context: FileContext, request: BodyRequest, near: Sequence[Neighbour]) -> Prompt | Completion:
        if self._spec.prompt == "fields":
            return prompt_with(context, request, near)
        return completion_of(context.parsed, request)

    def _fit(
        self, context: FileContext, request: BodyRequest, answer: Answer, prompt: Prompt | Completion
    ) -> str | None:
        """An answer as it goes into the file, or ``None`` where it must not be shown."""
        if isinstance(prompt, Completion):
            body = completion_body(self._decode(answer), prompt, context.unit)
        else:
            body = self.body(answer)
            if stands_above(body, dict(prompt.fields).get("before", "")):
                return None  # A small model copies where it knows nothing.
        if not answer.finished:
            body = cut_to_whole(body, request)
        return None if wanders(body, context.words) else placed(context, request, body)

    def _passes(self, context: FileContext, request: BodyRequest, candidate: Candidate) -> bool:
        """Whether a candidate may come before those that do not: it does what the head of its function says, and the
        detector has nothing against it."""
        if request.kind == "docstring" and request.function is not None:
            header = request.function.header.of(context.parsed.text)
            if not keeps_promises(to_canonical(candidate.text, request.unit), header):
                return False
        return self._reads_clean(context.parsed, candidate)

    def _reads_clean(self, parsed: ParsedSource, candidate: Candidate) -> bool:
        """Whether the judge, where there is one, has nothing against the file with the candidate in place."""
        if self._judge is None:
            return True
        text, span = parsed.text, candidate.span
        after = SourceText(text[: span.start] + candidate.text + text[span.end :])
        return self._judge(after, Span(span.start, span.start + len(candidate.text)))

    def _function(self, answer: Answer, sentence: str, lead: str = "") -> str | None:
        """The function in the model's text, with the sentence as its docstring."""
        lines = strip_control(lead + self._decode(answer)).strip("\n").split("\n")
        while not answer.finished and len(lines) > 1 and not compiles("\n".join(lines)):
            lines.pop()
        code = "\n".join(line.rstrip() for line in lines)
        functions = find_functions(parse(code))
        if not compiles(code) or not functions or functions[0].span.start != 0:
            return None
        function = functions[0]
        if function.name in ALWAYS_KNOWN:  # It would hide the built-in it most likely calls.
            return None
        body = to_canonical(code[function.header.end : function.span.end].strip("\n"))
        if wanders(body) or recurs_at_once(body, function):
            return None
        complete = with_imports("", free_names(code[: function.span.end]) - ALWAYS_KNOWN)
        if complete is None:
            return None
        head, tail = code[: function.header.end], code[function.header.end : function.span.end]
        if not tail.startswith("\n"):
            tail = "\n    " + tail.strip()
        result = f'{head}\n    """{docstring_of(sentence)}"""{tail}\n'
        imports = complete.strip()
        result = f"{imports}\n\n\n{result}" if imports else result
        return result if compiles(result) else None

    def _decode(self, answer: Answer) -> str:
        return self._text(answer.tokens)

    def _text(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text

    @cached_property
    def tokenizer(self) -> Tokenizer:
        path = self._bundle.file(self._bundle.manifest.encoding.tokenizer)
        try:
            return Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception.
            raise InferenceError(f"{path}: not a tokenizer ({error}); run `codehunch bundles verify`") from error

    @cached_property
    def model(self) -> TextModel:
        """The graphs; they load when first asked for."""
        spec, file = self._spec, self._bundle.file
        if spec.layout == "decoder-only":
            return Causal(file(spec.decoder), (spec.eos_token_id, *spec.end_token_ids), self._threads)
        graphs = Graphs(
            encoder=file(spec.encoder),
            decoder=file(spec.decoder),
            decoder_with_past=file(spec.decoder_with_past),
            start=spec.decoder_start_token_id,
            eos=spec.eos_token_id,
        )
        return Seq2Seq(graphs, self._threads)


def _fitting_first(
    context: FileContext, request: BodyRequest, candidates: Sequence[Candidate], given: Stated | None
) -> list[Candidate]:
    """Without those that break an example; first those that fit all."""
    if given is None:
        return list(candidates)
    found: list[Candidate] = []
    for each in candidates:
        verdict = fits(context, request, each.text, given)
        if verdict:
            sure = max(each.confidence, DOUBTFUL)
            found.append(attrs.evolve(each, confidence=sure, examples=len(given.examples)))
        elif verdict is None:
            found.append(each)
    return sorted(found, key=lambda each: not each.examples)


def docstring_of(sentence: str) -> str:
    """A sentence as the inside of a docstring: capital, full stop, nothing that ends the literal."""
    text = re.sub(r"\s+", " ", strip_control(sentence)).strip().replace("\\", "\\\\").replace('"""', "'''")
    text = text[:1].upper() + text[1:]
    if text.endswith('"'):
        text += " "
    return text if text.endswith((".", "!", "?", " ")) else f"{text}."
