"""The object that lives in the worker process: it holds the models, opens them when first asked, and computes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from codehunch.bundles.store import BundleError, active_bundle, find, open_entry
from codehunch.feedback import Leanings
from codehunch.inference.errors import Cancelled
from codehunch.interpreter.around import NOTHING_AROUND
from codehunch.lsp.hot_swap import Successor, store_state
from codehunch.lsp.offering import Sections, parse_known, place_at, place_of, silences_of
from codehunch.lsp.patches import KnownTexts
from codehunch.lsp.requests import (
    Body,
    CheckReply,
    CheckRequest,
    GenerateReply,
    GenerateRequest,
    IndexRequest,
    Offers,
    OffersQuery,
    ServiceOptions,
)
from codehunch.project import Project
from codehunch.syntax.requests import find_request
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

if TYPE_CHECKING:
    from codehunch.bundles.bundle import Bundle
    from codehunch.defects.findings import Finding
    from codehunch.defects.models import Detectors
    from codehunch.generation.generator import Generator
    from codehunch.generation.index import FunctionIndex
    from codehunch.generation.samples import Asked, Sample
    from codehunch.inference.protocol import Emit
    from codehunch.lsp.incremental import IncrementalChecker
    from codehunch.lsp.parcels import Parcel

logger = logging.getLogger(__name__)

IsCancelled = Callable[[], bool]
_SMALL = "def f(a):\n    return a\n"


class ModelService:
    """Methods take ``(payload, cancelled)``, see codehunch.inference.protocol. A model is loaded by its first use.

    Events: ``loading`` and ``loaded`` with the task's name, ``warning`` with a sentence for the person.
    """

    def __init__(self, options: ServiceOptions, emit: Emit) -> None:
        self._options = options
        self._emit = emit
        self._detectors: Detectors | None = None
        self._checkers: dict[str, IncrementalChecker] = {}
        self._generation: Bundle | None = None
        self._generator: Generator | None = None
        self._index: FunctionIndex | None = None
        self._leanings = Leanings()
        self._texts = KnownTexts()
        self._sections = Sections()
        self._project = Project()
        self._store_state = store_state()
        self._successor = Successor[ModelService](lambda: emit("bundles-changed", None))

    def check(self, request: CheckRequest, cancelled: IsCancelled) -> CheckReply:
        """Findings of one text. A language no bundle was made for has none. Raises TextUnknown."""
        from codehunch.defects.options import CheckOptions

        request = self._texts.whole(request)
        self._follow_store()
        detectors = self._open_detectors()
        bundle = detectors.bundle(request.language)
        if bundle is None:
            return CheckReply((), "")
        if cancelled():
            raise Cancelled
        options = CheckOptions(sensitivity=request.sensitivity, select=request.select, ignore=request.ignore)
        is_file = bool(request.path) and request.language == "python"
        around = self._project.around(request.path) if is_file else NOTHING_AROUND
        findings: tuple[Finding, ...] = ()
        parcels: tuple[Parcel, ...] = ()
        if request.uri:
            checker = self._checker(request.language)
            parcels = checker.check(request.uri, request.text, request.language, options, cancelled, around)
        else:
            source = SourceText(request.text)
            findings = detectors.detector(request.language).check(
                source, request.language, options, cancelled, around=around
            )
        if cancelled():
            raise Cancelled
        self._texts.keep(request)
        spec = bundle.manifest.defects
        sure = spec.thresholds.get("low", 1.0) if spec is not None else 1.0
        return CheckReply(findings, _name(bundle), sure, parcels)

    def languages(self, payload: None, cancelled: IsCancelled) -> tuple[str, ...]:
        """What the defect models read."""
        self._follow_store()
        return self._open_detectors().languages

    def offers(self, query: OffersQuery, cancelled: IsCancelled) -> Offers:
        """What could be written at an offset, and how findings could be silenced. Needs no model."""
        return Offers(
            place_at(query.text, query.language, query.offset, self._sections),
            silences_of(query.text, query.language, query.flagged, self._sections),
        )

    def generate(self, request: GenerateRequest, cancelled: IsCancelled) -> GenerateReply:
        """Candidates for what is described at an offset, the best first; none where nothing is."""
        # Mostly nothing is described here, and the section tells; what follows reads the whole file.
        place = place_at(request.text, request.language, request.offset, self._sections)
        parsed = parse_known(request.text, request.language) if place is not None else None
        found = find_request(parsed, request.offset) if parsed is not None else None
        if parsed is None or found is None:
            return GenerateReply(None)
        self._follow_store()
        bundle = self._generation_bundle()
        if request.language not in bundle.manifest.languages:
            return GenerateReply(None)
        if cancelled():
            raise Cancelled
        generator = self._open_generator(bundle)
        self._leanings.refresh()
        candidates = generator.generate(
            parsed.source,
            found,
            candidates=request.candidates,
            deadline=request.seconds,
            cancelled=cancelled,
            least=generator.automatic_threshold if request.automatic else 0.0,
            path=request.path,
            retrieve=self._similar,
            weigh=self._leanings.weight,
            around=self._project.around(request.path) if request.path else NOTHING_AROUND,
        )
        if cancelled():
            raise Cancelled
        bodies = tuple(Body(each.text, each.confidence, each.origin, each.examples) for each in candidates)
        return GenerateReply(place_of(found), bodies, _name(bundle))

    def indexed(self, payload: None, cancelled: IsCancelled) -> dict[str, tuple[int, int]]:
        """The files whose functions are known, with their stamps. Raises IndexUnusable."""
        index = self._open_index()
        return index.stamps() if index is not None else {}

    def index(self, request: IndexRequest, cancelled: IsCancelled) -> int:
        """Read files anew and forget others; how many functions were found. Raises IndexUnusable."""
        index, count = self._open_index(), 0
        if index is None:
            return 0
        index.forget(request.forget)
        for path, stamp in request.read:
            if cancelled():
                raise Cancelled
            try:
                data = Path(path).read_bytes()
            except OSError:
                data = b""
            count += index.update(path, stamp, data)
        return count

    def debug(self, payload: None, cancelled: IsCancelled) -> dict[str, object]:
        """What is loaded here, for the command that shows it."""
        return {
            "pid": os.getpid(),
            "bundles": {task: [_name(bundle) for bundle in held] for task, held in self.bundles().items()},
            "loaded": [
                *(self._detectors.open if self._detectors is not None else ()),
                *([_name(self._generation)] if self._generator is not None and self._generation is not None else []),
            ],
        }

    def cards(self, payload: None, cancelled: IsCancelled) -> tuple[str, ...]:
        """Paths of the model cards of the bundles in use; a bundle without one gives its manifest."""
        self._open_detectors()
        self._generation_bundle()
        found = []
        for bundle in (bundle for held in self.bundles().values() for bundle in held):
            card = bundle.path / "MODEL_CARD.md"
            found.append(str(card if card.is_file() else bundle.path / "manifest.json"))
        return tuple(found)

    def bundles(self) -> dict[str, list[Bundle]]:
        """The bundles that were opened so far, by task."""
        generation = [self._generation] if self._generation is not None else []
        return {
            "defects": list(self._detectors.bundles) if self._detectors is not None else [],
            "generation": generation,
        }

    def _open_detectors(self) -> Detectors:
        if self._detectors is None:
            from codehunch.defects.models import Detectors

            self._detectors = Detectors(
                self._options.models,
                self._options.threads,
                lambda bundle: self._emit("loading", "defects"),
                lambda bundle: self._emit("loaded", "defects"),
                endpoint=self._options.endpoint,
                notify=lambda text: self._emit("warning", text),
                cached=self._options.cached,
            )
            for text in self._detectors.warnings:
                self._emit("warning", text)
        return self._detectors

    def _generation_bundle(self) -> Bundle:
        if self._generation is None:
            warnings: list[str] = []
            name = self._options.generation_model
            if name is not None:
                try:
                    bundle = open_entry(find(name))
                    bundle.verify()
                    self._generation = bundle if bundle.manifest.task == "generation" else None
                    if self._generation is None:
                        warnings.append(f"{name} is no model that writes code; it is not used")
                except BundleError as error:
                    warnings.append(f"{error} (the setting `generation-model` names it)")
            self._generation = self._generation or active_bundle("generation", warnings)
            for text in warnings:
                self._emit("warning", text)
        return self._generation

    def _checker(self, language: str) -> IncrementalChecker:
        if language not in self._checkers:
            from codehunch.lsp.incremental import IncrementalChecker

            self._checkers[language] = IncrementalChecker(self._open_detectors().detector(language))
        return self._checkers[language]

    def _open_generator(self, bundle: Bundle) -> Generator:
        if self._generator is None:
            from codehunch.generation.generator import Generator

            self._emit("loading", "generation")
            try:
                self._generator = Generator(bundle, threads=self._options.threads, judge=self._reads_clean)
            finally:
                self._emit("loaded", "generation")
        return self._generator

    def _open_index(self) -> FunctionIndex | None:
        if self._index is None and self._options.index is not None:
            from codehunch.generation.index import FunctionIndex

            self._index = FunctionIndex(Path(self._options.index))
        return self._index

    def _similar(self, asked: Asked, path: str) -> tuple[Sample, ...]:
        """Functions of other files that look like what is asked; none where the index cannot be used."""
        try:
            index = self._open_index()
            return index.similar(asked, path) if index is not None else ()
        except OSError as error:
            logger.warning("%s", error)
            return ()

    def _reads_clean(self, source: SourceText, span: Span) -> bool:
        """The defect model reads what the other one wrote; where there is none, nothing is held back."""
        try:
            detector = self._open_detectors().detector("python")
        except (BundleError, KeyError):
            return True
        from codehunch.defects.detector import reads_clean_in_place

        return reads_clean_in_place(detector, source, span)

    def follow(self, payload: None, cancelled: IsCancelled) -> None:
        """The store may hold another choice: begin to load it, or switch to what is loaded."""
        self._follow_store()

    def _follow_store(self) -> None:
        """When a person has chosen other bundles, load those beside the ones in use; switch once they are there."""
        state = store_state()
        if state != self._store_state:
            self._store_state = state
            if self._detectors is None and self._generation is None:  # Nothing serves yet.
                self._emit("bundles-changed", None)
            else:
                self._successor.begin(self._load_successor)
        taken = self._successor.take()
        if taken is None:
            return
        (other,) = taken
        self._checkers.clear()
        self._detectors = other._detectors if other is not None else None
        self._generation = other._generation if other is not None else None
        self._generator = None

    def _load_successor(self) -> ModelService:
        """The same models opened anew. Runs in a thread: touches nothing of this service but what it is."""
        other = ModelService(self._options, self._emit)
        if self._detectors is not None:
            detectors = other._open_detectors()
            for language in [each for each in self._checkers if each in detectors.languages]:
                detectors.detector(language).check(SourceText(_SMALL), language)  # Opens the session.
        if self._generation is not None:
            other._generation_bundle()
        return other


def create(options: object, emit: Emit) -> ModelService:
    """The factory a worker is given."""
    return ModelService(cast(ServiceOptions, options), emit)


def _name(bundle: Bundle) -> str:
    return f"{bundle.manifest.id} {bundle.manifest.version}"
