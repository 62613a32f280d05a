"""Information that flows through a cell and is gated by its operations: shared by GATES, TA-GATES and FLAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictors.kit.layers import dropout, softmax

SCALE = 0.1  # of an update of an operation's embedding, as in the released code of TA-GATES and FLAN


class GatedFlow(nn.Module):
    """x -> sigmoid(o W_o) * (P x W) + x W + b: what the parents say, gated by the node's operation (GATES, eq. 2).

    ``x``: (b, N, n_in); ``op``: (b, N, n_op) embedded operations; ``parents``: (b, N, N), P[i, j] = 1 for an edge
    j -> i. The own term is the residual of the released code.
    """

    def __init__(self, n_in: int, n_out: int, n_op: int) -> None:
        super().__init__()
        self.info, self.gate = nn.Linear(n_in, n_out, bias=False), nn.Linear(n_op, n_out)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor, parents: Tensor, op: Tensor) -> Tensor:
        message = self.info(x)
        return self.gate(op).sigmoid() * (parents @ message) + message + self.bias


class GatedAttention(nn.Module):
    """x -> LN(sigmoid(o W_o) * (a x W)), a_ij = softmax over parents j and i itself of LeakyReLU(v . (W x_i * W x_j))
    (FLAN, section 4.1). The released code leaves other nodes in the softmax with a score of zero; here they are out."""

    def __init__(self, n_in: int, n_out: int, n_op: int) -> None:
        super().__init__()
        self.info, self.gate = nn.Linear(n_in, n_out, bias=False), nn.Linear(n_op, n_out)
        self.score = nn.Parameter(torch.randn(n_out) / n_out)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor, parents: Tensor, op: Tensor) -> Tensor:
        message = self.info(x)
        score = F.leaky_relu((message * self.score) @ message.mT, 0.2)
        near = (parents > 0) | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        message = softmax(score.masked_fill(~near, float("-inf"))) @ message
        return self.norm(self.gate(op).sigmoid() * message)


class Mean(nn.Module):
    """The mean of a gated flow and a gated attention of the same size (FLAN, section 4.1)."""

    def __init__(self, n_in: int, n_out: int, n_op: int) -> None:
        super().__init__()
        self.flow, self.attention = GatedFlow(n_in, n_out, n_op), GatedAttention(n_in, n_out, n_op)

    def forward(self, x: Tensor, parents: Tensor, op: Tensor) -> Tensor:
        return (self.flow(x, parents, op) + self.attention(x, parents, op)) / 2


class Encoder(nn.Module):
    """Operations (b, N), adjacency (b, N, N) and real nodes (b, N) -> information at every node (b, N, width).

    Every node starts from one vector, the sources (nodes without a parent) from another. With ``times`` > 1 the passes
    imitate training (TA-GATES, section 3.1): after each pass but the last, the output's information flows back against
    the edges, and each node's operation is changed by what it heard from both sides. ``layer`` makes a layer of the
    passes along the edges, ``against`` one of those against them.
    """

    def __init__(
        self,
        n_ops: int,
        width: int,
        layers: int,
        n_op: int,
        times: int = 1,
        layer: type[nn.Module] = GatedFlow,
        against: type[nn.Module] = GatedFlow,
    ) -> None:
        super().__init__()
        self.times = times
        self.op = nn.Embedding(n_ops, n_op)
        self.start = nn.Parameter(torch.randn(2, width) * width**-0.5)
        self.along = nn.ModuleList(layer(width, width, n_op) for _ in range(layers))
        if times > 1:
            self.turn = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            self.against = nn.ModuleList(against(width, width, n_op) for _ in range(layers))
            self.update = nn.Sequential(nn.Linear(2 * width + n_op, width), nn.ReLU(), nn.Linear(width, n_op))

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        children = adj.to(self.start.dtype)
        parents = children.mT
        kinds, output_node = self.op(op), at_output(mask)
        start = self.start[(parents.sum(-1) == 0).long()]
        x = _pass(self.along, start, parents, kinds)
        for _ in range(self.times - 1):
            returned = _pass(self.against, self.turn(x) * output_node[..., None], children, kinds)
            kinds = kinds + SCALE * self.update(torch.cat([kinds.detach(), x.detach(), returned], -1))
            x = _pass(self.along, start, parents, kinds)
        return x


def _pass(layers: nn.ModuleList, x: Tensor, links: Tensor, kinds: Tensor) -> Tensor:
    for i, layer in enumerate(layers):
        x = layer(x, links, kinds)
        x = F.relu(x) if i < len(layers) - 1 else x
    return x


def at_output(mask: Tensor) -> Tensor:
    """(b, N), 1 at each graph's last real node, which is its output, and 0 elsewhere."""
    return F.one_hot(mask.sum(1) - 1, mask.shape[1]).float()


class Head(nn.Module):
    """(b, n_in) -> (b,): hidden layers with ReLU and dropout, then one number."""

    def __init__(self, n_in: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        sizes = (n_in, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.out, self.dropout = nn.Linear(sizes[-1], 1), dropout

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = dropout(F.relu(layer(x)), self.dropout, self.training)
        return self.out(x).squeeze(-1)
