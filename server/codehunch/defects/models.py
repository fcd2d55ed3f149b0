"""Which bundle checks which language: the active one, and those that the settings name for a language of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from codehunch.bundles.store import BundleError, active_bundle, find, open_entry
from codehunch.inference.placement import placement_of

if TYPE_CHECKING:
    from codehunch.bundles.bundle import Bundle
    from codehunch.defects.detector import Detector


class Detectors:
    """The detectors of a run, each opened by its first use."""

    def __init__(
        self,
        chosen: Iterable[tuple[str, str]] = (),
        threads: int | None = None,
        opening: Callable[[Bundle], None] = lambda bundle: None,
        opened: Callable[[Bundle], None] = lambda bundle: None,
        *,
        endpoint: str | None = None,
        notify: Callable[[str], None] | None = None,
        cached: bool = False,
    ) -> None:
        """``chosen`` are pairs of language and the name of an installed bundle. One that cannot be used is told in
        ``warnings`` and left out. Raises BundleError where there is no bundle at all.

        ``endpoint`` is a model server that is asked first; ``notify`` hears when it fails. ``cached`` keeps findings
        on disk.
        """
        self.warnings: list[str] = []
        """Why a bundle that was chosen is not the one that is used; for the person."""
        self._placement = placement_of(threads, endpoint, notify)
        self._cached = cached
        self._opening, self._opened = opening, opened
        self._detectors: dict[str, Detector] = {}
        active = active_bundle("defects", self.warnings)
        self._bundles = dict.fromkeys(active.manifest.languages, active)
        for language, name in chosen:
            try:
                bundle = open_entry(find(name))
                bundle.verify()
            except BundleError as error:
                self.warnings.append(f"{error} (the setting `models` names it for {language})")
                continue
            if bundle.manifest.task != "defects" or language not in bundle.manifest.languages:
                reads = ", ".join(bundle.manifest.languages)
                self.warnings.append(f"{name} is no model that checks {language} (it reads {reads}); it is not used")
            else:
                self._bundles[language] = bundle

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that is checked."""
        return tuple(self._bundles)

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """The bundles in use, each once."""
        return tuple({str(bundle.path): bundle for bundle in self._bundles.values()}.values())

    def bundle(self, language: str) -> Bundle | None:
        """What checks a language; ``None`` where nothing does."""
        return self._bundles.get(language)

    def detector(self, language: str) -> Detector:
        """The detector of a language, opened when first asked for. KeyError where nothing checks it."""
        from codehunch.defects.cache import open_cache
        from codehunch.defects.detector import Detector

        bundle = self._bundles[language]
        key = str(bundle.path)
        if key not in self._detectors:
            self._opening(bundle)
            try:
                cache = open_cache(bundle) if self._cached else None
                self._detectors[key] = Detector(bundle, cache=cache, placement=self._placement)
            finally:
                self._opened(bundle)
        return self._detectors[key]

    @property
    def open(self) -> tuple[str, ...]:
        """Ids and versions of the bundles whose models are in memory."""
        held = {
            str(bundle.path): f"{bundle.manifest.id} {bundle.manifest.version}" for bundle in self._bundles.values()
        }
        return tuple(held[path] for path in self._detectors)
