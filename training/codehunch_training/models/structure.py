"""What a program's tokens have to do with each other, as attention biases, computed inside the graph.

One integer a token is all there is: the identifier it belongs to. From it, and from which tokens assign, follow the
edges of GREAT (Hellendoorn et al. 2020, Global Relational Models of Source Code) and of GraphCodeBERT (Guo et al.
2021): other uses of the identifier, its last read and its last write. Whether a use writes is told by what follows it
(``=`` and its kin); writes of other forms (``for x in``, unpacking, parameters) count as reads. Every weight is zero at
the start, so that a pre-trained encoder begins unchanged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codehunch_training.models.encoder import BIAS_SCALE, MOST_USES, occurrences

SAME, LAST_WRITE, WRITTEN_FOR, LAST_READ, READ_FOR = range(5)
RELATIONS = {"none": 0, "same": 1, "edges": 5}
"""Relations of each setting of ``model.structure``. ``edges`` has each edge in both directions."""
ASSIGNING = ("=", "+=", "-=", "*=", "/=", "//=", "%=", "**=", "|=", "&=", "^=", ">>=", "<<=", "@=", ":=", "++", "--")


def relations(identifier_ids: Tensor, assigns: Tensor, kinds: int) -> Tensor:
    """Which token stands in which relation to which: [batch, kinds, tokens, tokens] of 0 and 1, row to column.

    ``identifier_ids`` [batch, tokens], equal above 0 for tokens of one identifier; ``assigns`` [batch, tokens] true at
    tokens that assign to what stands before them.
    """
    length = identifier_ids.shape[1]
    place = torch.arange(length, device=identifier_ids.device)
    inside = identifier_ids > 0
    # Tokens of one lexeme are neighbours with one number, and no two identifiers touch in code.
    begins = inside & (identifier_ids != F.pad(identifier_ids[:, :-1], (1, 0)))
    same = (identifier_ids[:, :, None] == identifier_ids[:, None, :]) & inside[:, :, None]
    found = [same & (place[:, None] != place[None, :])]
    if kinds > 1:
        use = begins.long().cumsum(1)
        same_use = same & (use[:, :, None] == use[:, None, :])
        ends = inside & (identifier_ids != F.pad(identifier_ids[:, 1:], (0, 1)))
        written_at_end = ends & F.pad(assigns[:, 1:], (0, 1)).bool()
        written = (same_use & written_at_end[:, None, :]).any(-1)
        earlier = same & begins[:, None, :] & (use[:, None, :] < use[:, :, None])
        for chosen in (written, ~written):
            usable = earlier & chosen[:, None, :]
            last = torch.where(usable, place[None, None, :], torch.full_like(place, -1)[None, None, :]).amax(-1)
            edge = usable & (place[None, None, :] == last[:, :, None])
            found += [edge, edge.transpose(1, 2)]
    return torch.stack(found[:kinds], dim=1)


class StructureBias(nn.Module):
    """A learned bias of each layer, head and relation."""

    def __init__(self, layers: int, heads: int, kinds: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers, heads, kinds))

    def forward(self, layer: int, edges: Tensor) -> Tensor:
        """[batch, heads, tokens, tokens] from ``edges`` [batch, kinds, tokens, tokens]."""
        return torch.einsum("hk,bkij->bhij", self.weight[layer] * BIAS_SCALE, edges.to(self.weight.dtype))


class Occurrence(nn.Module):
    """Embeddings of how often a token's identifier stands in the window, and how often up to here; zero at first."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.uses = nn.Parameter(torch.zeros(MOST_USES + 1, size))
        self.ranks = nn.Parameter(torch.zeros(MOST_USES + 1, size))

    def forward(self, identifier_ids: Tensor) -> Tensor:
        """[batch, tokens, hidden]."""
        uses, ranks = occurrences(identifier_ids)
        return F.embedding(uses, self.uses) + F.embedding(ranks, self.ranks)
