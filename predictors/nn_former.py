"""NN-Former (Xu et al., CVPR 2025, arXiv 2507.00880): a transformer whose heads look along edges and at siblings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.data import Dense, Graphs
from pipeline.errors import BenchError
from predictors._devices import op_table
from predictors._encodings import depth, laplacian_encoding
from predictors._features import op_counts
from predictors._layers import Packing, dropout
from predictors._neural import NeuralPredictor
from predictors._train_loop import Recipe

MASKS = ("adj", "adj_t", "share_child", "share_parent")
MAX_DEPTH = 63
PAPER = {
    "layers": 12, "dim": 160, "dropout": 0.1, "tokens": True, "loss": "mse+0.2*pair_l1", "epochs": 3000,
    "batch_size": 128, "lr": 1e-4, "weight_decay": 0.01, "ema": 0.99, "table": False,
}  # fmt: skip
LATENCY = {
    "layers": 2, "dim": 128, "dropout": 0.0, "cost_loss": "mspe", "steps": 8000, "batch_size": 16, "lr": 1e-3,
    "weight_decay": 0.01, "grad_clip": 5.0, "ema": 0.99,
}  # fmt: skip
RELEASED_LATENCY = {
    **LATENCY, "dim": 512, "dropout": 0.05, "epochs": 50, "ema": 0.0, "consistency": 0.01,
}  # fmt: skip


def attention_masks(adj: Tensor, mask: Tensor, kinds: tuple[str, ...]) -> Tensor:
    """One 0/1 mask a kind, (n, kinds, N, N), self loops included (section 3.2).

    ``adj``: (n, N, N) without tokens, ``adj[i, j]`` = edge i -> j; ``mask``: (n, N), real nodes. Siblings come from the
    bare adjacency: A A^T links nodes that share a child, A^T A nodes that share a parent.
    """
    a = adj.float()
    of = {
        "adj": lambda: a,
        "adj_t": lambda: a.mT,
        "share_child": lambda: a @ a.mT,
        "share_parent": lambda: a.mT @ a,
        "global": lambda: mask[:, None, :].float().expand_as(a),
    }
    eye = torch.eye(a.shape[-1], dtype=torch.bool, device=a.device)
    return torch.stack([(of[k]() > 0) | eye for k in kinds], 1)


class ASMA(nn.Module):
    """Adjacency-sibling multi-head attention: each head is softmax(Q K^T / sqrt(d)) V within its own mask (eq. 3-6)."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, bias: Tensor, rows: Packing) -> Tensor:
        (b, n), d = rows.shape, x.shape[-1]
        qkv = rows.pad(self.qkv(x)).view(b, n, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (b, h, N, d/h)
        score = q @ k.mT * (d // self.heads) ** -0.5 + bias  # (b, h, N, N)
        x = rows.pack((score.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))  # (T, d)
        return dropout(self.out(x), self.dropout, self.training)


class BGIFFN(nn.Module):
    """Bidirectional graph isomorphism feed-forward: H = x W1 + [A x Wg_1 ; A^T x Wg_2], ReLU(H) W2 (eq. 7-8).

    As A (x Wg) = (A x) Wg, each half of H is one product of [x ; A x] with stacked weights. ``x`` holds the nodes of
    ``rows``, the output those of ``keep``.
    """

    def __init__(self, dim: int, hidden: int, dropout: float, kind: str = "both") -> None:
        super().__init__()
        self.kind, self.dropout = kind, dropout
        self.up = nn.ModuleList(nn.Linear((1 if kind == "plain" else 2) * dim, hidden // 2) for _ in range(2))
        self.down = nn.Linear(hidden, dim)

    def forward(self, x: Tensor, adj: Tensor, rows: Packing, keep: Packing) -> Tensor:
        wide = rows.pad(x)  # (b, N, d)
        x = x if keep is rows else keep.pack(wide)
        if self.kind == "plain":
            h = torch.cat([up(x) for up in self.up], -1)
        else:
            first = adj.mT if self.kind == "adj_t" else adj
            second = adj if self.kind == "adj" else adj.mT
            halves = zip(self.up, (first, second), strict=True)
            h = torch.cat([up(torch.cat([x, keep.pack(a @ wide)], -1)) for up, a in halves], -1)
        return dropout(self.down(dropout(F.relu(h), self.dropout, self.training)), self.dropout, self.training)


class Block(nn.Module):
    """x + ASMA(LN(x)), then x + BGIFFN(LN(x))."""

    def __init__(self, c: Predictor.Config) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.dim), nn.LayerNorm(c.dim)
        self.attention = ASMA(c.dim, c.heads, c.dropout)
        self.ffn = BGIFFN(c.dim, c.ffn_ratio * c.dim, c.dropout, c.ffn)

    def forward(self, x: Tensor, adj: Tensor, bias: Tensor, rows: Packing, keep: Packing) -> Tensor:
        x = x + self.attention(self.norm1(x), bias, rows)
        kept = x if keep is rows else keep.pack(rows.pad(x))
        return kept + self.ffn(self.norm2(x), adj, rows, keep)


class NNFormer(nn.Module):
    """Operations (b, N), adjacency (b, N, N), head masks (b, k, N, N) and real nodes (b, N) -> one number a graph (b,).

    With ``tokens`` a class token and a depth token lead the sequence, linked with every node both ways, and the head
    reads the class token; without, it reads the mean over nodes.
    """

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(n_ops, c.dim)
        if c.tokens:
            self.class_token = nn.Parameter(torch.randn(1, 1, c.dim))
            self.depth_token = nn.Embedding(MAX_DEPTH + 1, c.dim)
        if c.laplacian:
            self.position = nn.Linear(c.laplacian, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.dim)
        self.head = nn.Linear(c.dim, 1)

    def forward(
        self, op: Tensor, adj: Tensor, masks: Tensor, mask: Tensor, depth: Tensor, position: Tensor | None = None
    ) -> Tensor:
        x = self.embed(op)
        if position is not None:
            x = x + self.position(position)
        nodes = mask
        if self.c.tokens:
            x = torch.cat([self.class_token.expand(len(x), -1, -1), self.depth_token(depth)[:, None], x], 1)
            adj, masks, mask = with_tokens(adj, nodes), with_tokens(masks, nodes), F.pad(nodes, (2, 0), value=True)
        bias = torch.zeros_like(masks, dtype=x.dtype).masked_fill_(~masks, float("-inf"))
        bias = bias.repeat(1, self.c.heads // masks.shape[1], 1, 1)
        adj = adj.to(x.dtype)
        rows = last = Packing(mask)
        if self.c.tokens:  # after the last block only the class token is read
            last = Packing(F.pad(mask[:, :1], (0, mask.shape[1] - 1)))
        x = rows.pack(x)
        for block in self.blocks:
            x = block(x, adj, bias, rows, last if block is self.blocks[-1] else rows)
        x = self.norm(x)
        pooled = x if self.c.tokens else rows.pad(x).sum(1) / mask.sum(1, keepdim=True)
        return self.head(pooled).squeeze(-1)


def with_tokens(links: Tensor, mask: Tensor, k: int = 2) -> Tensor:
    """``links`` (b, ..., N, N) bool with ``k`` tokens in front that are linked with all real nodes and each other."""
    out = F.pad(links, (k, 0, k, 0))
    real = F.pad(mask, (k, 0), value=True).view(len(mask), *[1] * (links.ndim - 3), -1)
    out[..., :k, :] = real[..., None, :]
    out[..., :, :k] = real[..., :, None]
    diagonal = torch.eye(out.shape[-1], dtype=torch.bool, device=out.device)
    return out | diagonal if links.ndim == 4 else out & ~diagonal


class Predictor(NeuralPredictor):
    """NN-Former: for cells here, for ONNX graphs by the latency model of `predictors._nn_former_latency`.

    Presets: ``paper``: the published accuracy model and optimiser (12 layers, dim 160, class and depth tokens, MSE plus
    differences, dropout, 3000 epochs). ``released``: the same with the released code's second pass over every sample
    (a consistency loss; as the model sees no node order, the two passes differ by dropout alone). Both form sibling
    masks from the bare adjacency and mask the padding, which the released code does not.
    The default departs in size, in a mean readout without tokens, and in learning the order by pairs. For costs of
    cells it multiplies a table of costs (as `layerwise`), so that it learns only what a sum over operations leaves out.
    For ONNX graphs: ``latency``, recommended (dim 128, no dropout, averaged weights), and ``released_latency``: the
    released latency model and optimiser (dim 512, dropout, second pass, 50 epochs).
    """

    transfers: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(Recipe):
        """``masks``: one kind a head (or heads / 4 heads each): adj, adj_t, share_child, share_parent, global.

        ``ffn``: both, adj, adj_t or plain. ``laplacian``: number of eigenvectors added as positions, 0 for none.
        ``tokens``: class and depth token. ``table``: costs of cells as multiples of a sum over operations.
        ``cost_steps``: ``steps`` for costs.
        """

        layers: int = 4
        dim: int = 64
        heads: int = 4
        ffn_ratio: int = 4
        dropout: float = 0.1
        masks: tuple = MASKS
        ffn: str = "both"
        laplacian: int = 0
        tokens: bool = False
        table: bool = True
        loss: str = "hinge"
        cost_loss: str = "l1"
        epochs: int = 0
        steps: int = 600
        cost_steps: int = 200
        batch_size: int = 128
        lr: float = 2e-3
        weight_decay: float = 0.05
        ema: float = 0.99

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": PAPER,
        "released": {**PAPER, "consistency": 1.0},
        "latency": LATENCY,
        "released_latency": RELEASED_LATENCY,
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        c = self.config
        unknown = set(c.masks) - {*MASKS, "global"}
        if unknown or not c.masks or c.heads % len(c.masks) or c.dim % c.heads:
            raise BenchError(
                f"nn_former: {len(c.masks)} masks {c.masks}, {c.heads} heads, dim {c.dim}: masks must divide "
                f"heads, heads must divide dim; masks: {', '.join(MASKS)}, global"
            )
        if c.ffn not in ("both", "adj", "adj_t", "plain"):
            raise BenchError(f"nn_former: ffn {c.ffn!r} must be both, adj, adj_t or plain")

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if not train.attrs.shape[1]:
            own = train.platform == len(train.platforms) - 1
            train, y = train if own.all() else train[own], y[own]
            if self.task == "cost" and self.config.table:
                entries, fixed = op_table(train, y)
                least = float(y.quantile(0.05)) / 2
                self.notes["table"] = {"entries": entries.tolist(), "fixed": float(fixed), "least": least}
                y = y / self._table(train)
                y_val = y_val / self._table(val) if val is not None else None
            super().fit(train, y, val, y_val)
            return
        self.networks = self._latency_model()
        self.networks.fit(train, y, val, y_val)
        self.tensors, self.notes = self.networks.tensors, self.networks.notes

    def predict(self, graphs: Graphs) -> Tensor:
        if "platforms" in self.notes:
            return self.networks.predict(graphs)
        return super().predict(graphs) * (self._table(graphs) if "table" in self.notes else 1.0)

    def restored(self) -> None:
        if "platforms" not in self.notes:
            super().restored()
            return
        self.networks = self._latency_model()
        self.networks.tensors, self.networks.notes = self.tensors, self.notes
        self.networks.restored()

    def _table(self, graphs: Graphs) -> Tensor:
        """What the table says that each graph costs, (n,) float64, above zero."""
        table = self.notes["table"]
        cost = op_counts(graphs) @ torch.tensor(table["entries"], dtype=torch.float64) + table["fixed"]
        return cost.clamp(min=table["least"])

    def _latency_model(self) -> NeuralPredictor:
        from predictors._nn_former_latency import Networks

        return Networks(asdict(self.config), self.task, self.seed, self.torch_device)

    def recipe(self, n: int) -> Recipe:
        """At most ``steps``, and no more than 100 and one a label: few labels are learned sooner."""
        steps = self.config.cost_steps if self.task == "cost" else self.config.steps
        return replace(super().recipe(n), steps=min(steps, 100 + n))

    def build(self, n_ops: int) -> nn.Module:
        module = NNFormer(n_ops, self.config)
        if self.task == "cost" and self.config.table:  # at first the table alone answers
            nn.init.zeros_(module.head.weight)
            nn.init.zeros_(module.head.bias)
        return module

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        masks = attention_masks(dense.adj, dense.mask, self.config.masks)
        depths = depth(dense.adj).clamp(max=MAX_DEPTH)
        tensors = (dense.op, dense.adj, masks, dense.mask, depths)
        if self.config.laplacian:
            tensors += (laplacian_encoding(dense.adj, dense.mask, self.config.laplacian),)
        return tensors
