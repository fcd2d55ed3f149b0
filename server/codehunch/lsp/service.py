"""The object that lives in the worker process: it holds the models, opens them when first asked, and computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from codehunch.bundles.store import BundleError, active_bundle, store_folder
from codehunch.inference.errors import Cancelled
from codehunch.lsp.requests import (
    Body,
    BodyPlace,
    CheckReply,
    CheckRequest,
    GenerateReply,
    GenerateRequest,
    Offers,
    OffersQuery,
    ServiceOptions,
    Silence,
)
from codehunch.lsp.silencing import silence_file, silence_line
from codehunch.syntax.languages import GrammarMissing
from codehunch.syntax.parsing import ParsedSource, parse
from codehunch.syntax.requests import BodyRequest, find_request
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

if TYPE_CHECKING:
    from codehunch.bundles.bundle import Bundle
    from codehunch.defects.detector import Detector
    from codehunch.generation.generator import Generator
    from codehunch.inference.protocol import Emit
    from codehunch.lsp.incremental import IncrementalChecker

IsCancelled = Callable[[], bool]


class ModelService:
    """Methods take ``(payload, cancelled)``, see codehunch.inference.protocol. A model is loaded by its first use.

    Events: ``loading`` and ``loaded`` with the task's name, ``warning`` with a sentence for the person.
    """

    def __init__(self, options: ServiceOptions, emit: Emit) -> None:
        self._options = options
        self._emit = emit
        self._detector: Detector | None = None
        self._checker: IncrementalChecker | None = None
        self._generator: Generator | None = None
        self._bundles: dict[str, Bundle] = {}
        self._store_state = _store_state()

    def check(self, request: CheckRequest, cancelled: IsCancelled) -> CheckReply:
        """Findings of one text. A language the bundle was not made for has none."""
        from codehunch.defects.detector import CheckOptions

        self._follow_store()
        bundle = self._bundle("defects")
        if request.language not in bundle.manifest.languages:
            return CheckReply((), "")
        if cancelled():
            raise Cancelled
        options = CheckOptions(sensitivity=request.sensitivity, select=request.select, ignore=request.ignore)
        checker = self._open_checker(bundle)
        if request.uri:
            findings = checker.check(request.uri, request.text, request.language, options, cancelled)
        else:
            source = SourceText(request.text)
            findings = self._open_detector(bundle).check(source, request.language, options, cancelled)
        if cancelled():
            raise Cancelled
        spec = bundle.manifest.defects
        sure = spec.thresholds.get("low", 1.0) if spec is not None else 1.0
        return CheckReply(tuple(findings), f"{bundle.manifest.id} {bundle.manifest.version}", sure)

    def languages(self, payload: None, cancelled: IsCancelled) -> tuple[str, ...]:
        """What the defect model reads."""
        self._follow_store()
        return self._bundle("defects").manifest.languages

    def offers(self, query: OffersQuery, cancelled: IsCancelled) -> Offers:
        """What could be written at an offset, and how findings could be silenced. Needs no model."""
        parsed = _parse(query.text, query.language)
        if parsed is None:
            return Offers()
        found = find_request(parsed, query.offset)
        silences = tuple(Silence(silence_line(parsed, each), silence_file(parsed, each)) for each in query.flagged)
        return Offers(_place(found) if found is not None else None, silences)

    def generate(self, request: GenerateRequest, cancelled: IsCancelled) -> GenerateReply:
        """Candidates for what is described at an offset, the best first; none where nothing is."""
        parsed = _parse(request.text, request.language)
        found = find_request(parsed, request.offset) if parsed is not None else None
        if parsed is None or found is None:
            return GenerateReply(None)
        self._follow_store()
        bundle = self._bundle("generation")
        if request.language not in bundle.manifest.languages:
            return GenerateReply(None)
        if cancelled():
            raise Cancelled
        generator = self._open_generator(bundle)
        candidates = generator.generate(
            parsed.source,
            found,
            candidates=request.candidates,
            deadline=request.seconds,
            cancelled=cancelled,
            least=generator.automatic_threshold if request.automatic else 0.0,
        )
        if cancelled():
            raise Cancelled
        return GenerateReply(_place(found), tuple(Body(each.text, each.confidence) for each in candidates))

    def debug(self, payload: None, cancelled: IsCancelled) -> dict[str, object]:
        """What is loaded here, for the command that shows it."""
        return {
            "pid": os.getpid(),
            "bundles": {task: f"{b.manifest.id} {b.manifest.version}" for task, b in self._bundles.items()},
            "loaded": [name for name, model in (("defects", self._detector), ("generation", self._generator)) if model],
        }

    def _bundle(self, task: Literal["defects", "generation"]) -> Bundle:
        bundle = self._bundles.get(task)
        if bundle is None:
            warnings: list[str] = []
            bundle = self._bundles[task] = active_bundle(task, warnings)
            for text in warnings:
                self._emit("warning", text)
        return bundle

    def _open_detector(self, bundle: Bundle) -> Detector:
        if self._detector is None:
            from codehunch.defects.detector import Detector

            self._emit("loading", "defects")
            try:
                self._detector = Detector(bundle, threads=self._options.threads)
            finally:
                self._emit("loaded", "defects")
        return self._detector

    def _open_checker(self, bundle: Bundle) -> IncrementalChecker:
        if self._checker is None:
            from codehunch.lsp.incremental import IncrementalChecker

            self._checker = IncrementalChecker(self._open_detector(bundle))
        return self._checker

    def _open_generator(self, bundle: Bundle) -> Generator:
        if self._generator is None:
            from codehunch.generation.generator import Generator

            self._emit("loading", "generation")
            try:
                self._generator = Generator(bundle, threads=self._options.threads, judge=self._reads_clean)
            finally:
                self._emit("loaded", "generation")
        return self._generator

    def _reads_clean(self, source: SourceText, span: Span) -> bool:
        """The defect model reads what the other one wrote; where there is none, nothing is held back.

        It reads the statements around the new text, not the file: a person waits.
        """
        try:
            detector = self._open_detector(self._bundle("defects"))
        except BundleError:
            return True
        parsed = parse(source)
        around = [own for node in parsed.tree.root_node.children if (own := parsed.span(node)).overlaps(span)]
        if not around:
            return True
        start, end = around[0].start, around[-1].end
        return detector.reads_clean(SourceText(source.text[start:end]), Span(span.start - start, span.end - start))

    def _follow_store(self) -> None:
        """Let go of the models when a person has chosen other bundles, so that the next use loads those."""
        state = _store_state()
        if state != self._store_state:
            self._store_state = state
            self._bundles.clear()
            self._detector = self._checker = self._generator = None
            self._emit("bundles-changed", None)


def create(options: object, emit: Emit) -> ModelService:
    """The factory a worker is given."""
    return ModelService(cast(ServiceOptions, options), emit)


def _parse(text: str, language: str) -> ParsedSource | None:
    try:
        return parse(text, language)
    except (KeyError, GrammarMissing):  # Not a language that is read here.
        return None


def _place(request: BodyRequest) -> BodyPlace:
    name = request.function.qualified_name if request.function is not None else ""
    return BodyPlace(request.replace, request.at_cursor, name, request.kind)


def _store_state() -> int:
    try:
        return (store_folder() / "state.json").stat().st_mtime_ns
    except OSError:
        return 0
