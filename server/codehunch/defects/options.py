"""How strict a check is and which rules it reports."""

from __future__ import annotations

from typing import Literal

import attrs

from codehunch.defects.kinds import KINDS

Sensitivity = Literal["low", "medium", "high"]


@attrs.frozen
class CheckOptions:
    """What a check reports. Codes and kind names may be mixed, in any case."""

    sensitivity: Sensitivity = "medium"
    select: tuple[str, ...] = ()
    """Report only these; empty reports all."""
    ignore: tuple[str, ...] = ()
    """Never report these; outranks ``select``."""

    def reports(self, code: str, kind: str) -> bool:
        """Whether a rule is on."""
        asked = {code.lower(), kind.lower()}
        chosen = not self.select or bool(asked & {name.lower() for name in self.select})
        return chosen and not asked & {name.lower() for name in self.ignore}


def known_rules() -> frozenset[str]:
    """Every code and kind name, lower case."""
    return frozenset(name.lower() for kind in KINDS for name in (kind.code, kind.name))
