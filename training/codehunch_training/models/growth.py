"""Depth for a model that is trained already: more layers, and at first the same answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, zeros_like


def grown(
    state: Mapping[str, Tensor], layers: str, wanted: int, silent: tuple[str, ...], shared: Callable[[str], bool]
) -> dict[str, Tensor]:
    """Weights of a model with ``wanted`` layers that computes what ``state`` computes. Every layer that is new repeats
    the one before it, but adds nothing at first: its output projections are 0 (Chen et al. 2016, "Net2Net", keep the
    function alike; Bachlechner et al. 2021, "ReZero", let layers begin as nothing). New ones are spread evenly.

    ``layers``: what the names of layers' weights begin with, up to the number. ``silent``: endings of the names of
    output projections. ``shared``: whether a weight, named within its layer, is the first layer's and serves all.

    Raises ValueError where ``state`` has more layers, or none.
    """
    found: dict[str, Tensor] = {}
    blocks: dict[int, dict[str, Tensor]] = {}
    for name, weight in state.items():
        if name.startswith(layers):
            number, _, rest = name.removeprefix(layers).partition(".")
            blocks.setdefault(int(number), {})[rest] = weight
        else:
            found[name] = weight
    if not 0 < len(blocks) <= wanted:
        kind = layers.split(".")[0].replace("layers", "encoder")
        raise ValueError(f"the model to begin with has {len(blocks)} {kind} layers, the recipe {wanted}")
    for place in range(wanted):
        # Place 0 is the first old layer, and each old one takes the first of the places that fall to it.
        own = place * len(blocks) // wanted
        new = place > 0 and (place - 1) * len(blocks) // wanted == own
        for rest, weight in blocks[own].items():
            if not (new and shared(rest)):
                nothing = new and rest.endswith(silent)
                found[f"{layers}{place}.{rest}"] = zeros_like(weight) if nothing else weight.clone()
    return found
