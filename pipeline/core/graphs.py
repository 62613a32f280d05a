"""Canonical Parquet to tensors: the only place where Parquet meets torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import polars as pl  # a tenth of a second to import; one prediction does without


@dataclass(frozen=True)
class Dense:
    """Graphs padded to one size N.

    ``op``: (n, N), 0 at padding. ``adj``: (n, N, N), ``adj[g, i, j]`` = edge i -> j. ``mask``: (n, N), real nodes.
    """

    op: Tensor
    adj: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Graphs:
    """n graphs of any size, their nodes and edges laid end to end.

    ``graph_id``, ``iso``, ``flops``, ``macs``, ``params``: (n,), NaN where a cost is unknown. ``node_ptr``,
    ``edge_ptr``: (n + 1,). ``op``: (nodes,), ids into ``vocab``. ``attrs``: (nodes, A). ``out_shape``: (nodes, R).
    ``src``, ``dst``: (edges,), node numbers within their own graph. Node order is topological: input first, output
    last. ``platform``: (n,), ids into ``platforms``: the device of a row's label, all zero where there is one device.
    ``proxies``: (n, P) zero-cost proxies (`pipeline.proxies`), called ``proxy_names``, where a predictor asked for
    them, else None; graphs of the same operations and adjacency have the same. ``tag``: (n,) ids into ``tags``, what
    the source says of how a network was trained (`pipeline.core.schema.TAG`); None where it says nothing.
    """

    vocab: tuple[str, ...]
    attr_names: tuple[str, ...]
    platforms: tuple[str, ...]
    platform: Tensor
    graph_id: Tensor
    iso: Tensor
    flops: Tensor
    macs: Tensor
    params: Tensor
    node_ptr: Tensor
    op: Tensor
    attrs: Tensor
    out_shape: Tensor
    edge_ptr: Tensor
    src: Tensor
    dst: Tensor
    proxy_names: tuple[str, ...] = ()
    proxies: Tensor | None = None
    tags: tuple[str, ...] = ()
    tag: Tensor | None = None

    def __len__(self) -> int:
        return len(self.graph_id)

    def __getitem__(self, index: Tensor | slice) -> Graphs:
        """The graphs at ``index`` (integer or boolean tensor, or a slice), in that order."""
        rows = torch.arange(len(self))[index]
        nodes, node_ptr = map(torch.from_numpy, segment_items(self.node_ptr.numpy(), rows.numpy()))
        edges, edge_ptr = map(torch.from_numpy, segment_items(self.edge_ptr.numpy(), rows.numpy()))
        picked = {"node_ptr": node_ptr, "edge_ptr": edge_ptr}
        picked |= {k: getattr(self, k)[rows] for k in ("platform", "graph_id", "iso", "flops", "macs", "params")}
        picked |= {k: getattr(self, k)[nodes] for k in ("op", "attrs", "out_shape")}
        picked |= {k: getattr(self, k)[edges] for k in ("src", "dst")}
        picked |= {k: v[rows] for k in ("proxies", "tag") if (v := getattr(self, k)) is not None}
        return replace(self, **picked)

    def on_platform(self, platform: str, platforms: tuple[str, ...]) -> Graphs:
        """The same graphs, asked about on one of ``platforms``."""
        ids = torch.full((len(self),), platforms.index(platform))
        return replace(self, platforms=platforms, platform=ids)

    def with_tags(self, words: Sequence[str]) -> Graphs:
        """The same graphs with a tag each, n ``words``."""
        tags = tuple(sorted(set(words)))
        number = {word: i for i, word in enumerate(tags)}
        return replace(self, tags=tags, tag=torch.tensor([number[word] for word in words]))

    @property
    def n_nodes(self) -> Tensor:
        """Number of nodes of each graph, (n,)."""
        return self.node_ptr.diff()

    def dense(self, size: int | None = None) -> Dense:
        """Pad to ``size`` nodes (default: the largest graph)."""
        n, counts = len(self), self.n_nodes
        size = size or int(counts.max())
        mask = torch.arange(size) < counts[:, None]
        op = torch.zeros(n, size, dtype=torch.long)
        op[mask] = self.op
        adj = torch.zeros(n, size, size, dtype=torch.bool)
        graph = torch.repeat_interleave(torch.arange(n), self.edge_ptr.diff())
        adj[graph, self.src, self.dst] = True
        return Dense(op, adj, mask)

    def distinct(self) -> tuple[Tensor, Tensor]:
        """``(first, inverse)``: one index for each distinct (platform, operations, adjacency); for every graph, which.

        Models that see nothing else predict ``self[first]`` and spread the answers by ``inverse``. Graphs with
        attributes, shapes or tags all count as distinct.
        """
        if self.attrs.shape[1] or self.out_shape.shape[1] or self.tag is not None:
            return torch.arange(len(self)), torch.arange(len(self))
        dense = self.dense()
        parts = [self.platform[:, None], (dense.op + 1) * dense.mask, dense.adj.flatten(1)]
        key = torch.cat([p.long() for p in parts], 1).numpy()
        if key.max(initial=0) < 256:
            key = key.astype(np.uint8)
        rows = np.ascontiguousarray(key).view(np.dtype((np.void, key.dtype.itemsize * key.shape[1])))[:, 0]
        _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        return torch.from_numpy(first), torch.from_numpy(inverse)


def segment_items(ptr: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the items of the segments ``index`` (segment i: ``ptr[i]`` to ``ptr[i + 1]``), and their own ptr."""
    counts = ptr[index + 1] - ptr[index]
    own_ptr = np.concatenate([np.zeros(1, dtype=np.int64), counts.cumsum()])
    return np.arange(own_ptr[-1]) + np.repeat(ptr[index] - own_ptr[:-1], counts), own_ptr


def from_frame(df: pl.DataFrame, meta: dict) -> Graphs:
    """Graphs from canonical rows (`pipeline.core.schema`) and their file metadata."""
    import polars as pl

    def flat(name: str, dtype: torch.dtype) -> Tensor:
        values = df[name].explode(empty_as_null=False) if df[name].len() else pl.Series([], dtype=pl.Float32)
        return torch.from_numpy(values.drop_nulls().to_numpy().astype(_NUMPY[dtype]))

    def pointer(name: str) -> Tensor:
        counts = torch.from_numpy(df[name].list.len().to_numpy().astype(np.int64))
        return torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])

    def cost(name: str) -> Tensor:
        return torch.from_numpy(df[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy())

    n_attrs, rank = len(meta["attr_names"]), int(meta["out_shape_rank"])
    op = flat("op", torch.long)
    return Graphs(
        vocab=tuple(meta["op_vocab"]),
        attr_names=tuple(meta["attr_names"]),
        platforms=("any",),
        platform=torch.zeros(len(df), dtype=torch.long),
        graph_id=torch.from_numpy(df["graph_id"].to_numpy().astype(np.int64)),
        iso=torch.from_numpy(df["iso"].to_numpy().copy().view(np.int64)),
        flops=cost("flops"),
        macs=cost("macs"),
        params=cost("params"),
        node_ptr=pointer("op"),
        op=op,
        attrs=flat("attrs", torch.float32).view(len(op), n_attrs),
        out_shape=flat("out_shape", torch.int32).view(len(op), rank),
        edge_ptr=pointer("src"),
        src=flat("src", torch.long),
        dst=flat("dst", torch.long),
    )


_NUMPY = {torch.long: np.int64, torch.int32: np.int32, torch.float32: np.float32}


def to_device(item, device: str):
    """``item`` (a dataclass of tensors) with every tensor on ``device``."""
    moved = {f.name: getattr(item, f.name) for f in fields(item)}
    return type(item)(**{k: v.to(device) if isinstance(v, Tensor) else v for k, v in moved.items()})
