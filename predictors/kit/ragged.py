"""Batches of graphs of any size: block-diagonal, without padding, and equal nodes are computed once.

After l steps of message passing, a node's vector depends on nothing but its own features and, step by step, those of
the nodes it heard from. Nodes for which all of these are the same have the same vector, whether they stand in one graph
or in two, and one row is computed for all of them ("folding": the colours of Weisfeiler and Leman, one refinement a
step). Networks repeat their blocks, so there are about half as many rows as nodes. With dropout, which draws for every
node anew, there is no folding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from pipeline.core.graphs import Graphs, segment_items
from predictors.kit.node_features import Features

PORTION = 8192  # nodes predicted at once


@dataclass(frozen=True)
class Whole:
    """All nodes of a graph hear from all. Of each graph: its rows after the hop, and every node's row before it."""

    rows: tuple[Tensor, ...]
    heard: tuple[Tensor, ...]


@dataclass(frozen=True)
class Hop:
    """One step of message passing, from m rows to n rows.

    ``own_row``: (n,) the row among the m that each of the n rows was. ``pairs``: one a relation, ``(target,
    source)``, both (pairs,): row ``target`` of the n hears from row ``source`` of the m. ``target`` never falls. The
    relation global is a `Whole`, as it has far more pairs than the others.
    """

    own_row: Tensor
    pairs: tuple[tuple[Tensor, Tensor] | Whole, ...]


@dataclass(frozen=True)
class Batch:
    """b graphs of n nodes in all. ``x``: (rows, F), features before the first hop. ``node_rows``: before each hop and
    after the last, (n,) the row of every node. ``graph``: (n,) the graph of every node, ascending. ``static``: (b, S).
    ``platform``: (b,). ``share``: (n,) what a node takes of a table's cost of its graph, or nothing."""

    x: Tensor
    hops: tuple[Hop, ...]
    node_rows: tuple[Tensor, ...]
    graph: Tensor
    static: Tensor
    platform: Tensor
    share: Tensor | None = None

    def __len__(self) -> int:
        return len(self.static)


class Ragged:
    """``graphs``, ready to be cut into batches.

    ``hops``: the relations of each step of message passing, of adj (a node hears from those it has an edge to), adj_t
    (from those that have an edge to it), both (from either), share_child, share_parent (siblings, without itself),
    global (all nodes of its graph). ``platform``: (n,) for `Batch.platform`.
    """

    def __init__(
        self,
        graphs: Graphs,
        hops: Sequence[tuple[str, ...]],
        features: Features,
        platform: Tensor,
        fold: bool = True,
        device: str = "cpu",
    ) -> None:
        self.graphs, self.hops, self.features, self.platform, self.device = graphs, hops, features, platform, device
        self.links = _links(graphs, {name for hop in hops for name in hop})
        self.colours = self._colours() if fold else None
        self.shares: Tensor | None = None  # (nodes,), for `Batch.share`
        self.beside: Tensor | None = None  # (n, T), behind the features of `Batch.static`

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, index: Tensor) -> tuple[Batch]:
        """The batch of the graphs at ``index`` (b,), as the arguments of a module."""
        index = index.cpu().numpy()
        ptr = self.graphs.node_ptr.numpy()
        node, start = segment_items(ptr, index)  # (n,) numbers among all nodes
        graph = np.repeat(np.arange(len(index)), np.diff(start))
        shift = start[:-1] - ptr[index]  # of each graph: number in the batch less number among all nodes
        rows, hops = [], []
        for level in range(len(self.hops) + 1):
            first, inverse = self._fold(level, node)
            if level:
                pairs = tuple(self._pairs(name, node, first, graph, shift, rows[-1]) for name in self.hops[level - 1])
                hops.append(Hop(self._put(rows[-1][first]), pairs))
            else:
                x = self.features.nodes(self.graphs, torch.from_numpy(node[first]))
            rows.append(inverse)
        picked = torch.from_numpy(index)
        static = self.features.static(self.graphs, picked)
        if self.beside is not None:
            static = torch.cat([static, self.beside[picked]], 1)
        return (
            Batch(
                x.to(self.device),
                tuple(hops),
                tuple(self._put(r) for r in rows),
                self._put(graph),
                static.to(self.device),
                self.platform[picked].to(self.device),
                None if self.shares is None else self.shares[torch.from_numpy(node)].to(self.device),
            ),
        )

    def portions(self) -> list[Tensor]:
        """All graphs, in portions of bounded size: small graphs with small ones, `PORTION` nodes or one graph."""
        counts = self.graphs.n_nodes
        order = counts.argsort(stable=True)
        sizes = torch.bincount((counts[order].cumsum(0) - 1) // PORTION)
        return list(order.split(sizes[sizes > 0].tolist()))

    def _put(self, index: np.ndarray) -> Tensor:
        return torch.from_numpy(index).to(self.device)

    def _fold(self, level: int, node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows at ``level``: one node of each (its place in ``node``); and (n,) the row of every node."""
        if self.colours is None:
            return np.arange(len(node)), np.arange(len(node))
        _, first, inverse = np.unique(self.colours[level][node], return_index=True, return_inverse=True)
        return first, inverse

    def _pairs(
        self, name: str, node: np.ndarray, first: np.ndarray, graph: np.ndarray, shift: np.ndarray, rows: np.ndarray
    ) -> tuple[Tensor, Tensor] | Whole:
        if name == "global":
            home = graph[first]
            groups = [(np.flatnonzero(home == g), rows[graph == g]) for g in range(len(shift))]
            return Whole(*(tuple(map(self._put, parts)) for parts in zip(*groups, strict=True)))
        ptr, flat = self.links[name]
        place, start = segment_items(ptr, node[first])
        heard = flat[place]
        target = np.repeat(np.arange(len(first)), np.diff(start))
        return self._put(target), self._put(rows[heard + shift[graph[first]][target]])

    def _colours(self) -> list[np.ndarray]:
        """Per level, a 64-bit hash of all that a node's vector depends on, (nodes,) uint64."""
        colour = self.features.colours(self.graphs)
        levels = [colour]
        for hop in self.hops:
            next_colour = _mix(colour)
            for number, name in enumerate(hop):
                message = _mix(colour + _SALTS[number])
                if name == "global":
                    ptr = self.graphs.node_ptr.numpy()
                    heard = np.repeat(_segment_sums(message, ptr), np.diff(ptr))
                else:
                    ptr, flat = self.links[name]
                    heard = _segment_sums(message[flat], ptr)
                next_colour = _mix(next_colour + heard)
            colour = next_colour
            levels.append(colour)
        return levels


def _links(graphs: Graphs, names: set[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Per relation, whom each node hears from, as (pointer, node numbers among all nodes) in ascending order."""
    start = torch.repeat_interleave(graphs.node_ptr[:-1], graphs.edge_ptr.diff())
    n = len(graphs.op)
    edges = (graphs.src + start).numpy(), (graphs.dst + start).numpy()
    a = sparse.csr_array((np.ones(len(edges[0]), dtype=np.int32), edges), shape=(n, n))
    matrices = {
        "adj": lambda: a,
        "adj_t": lambda: a.T,
        "both": lambda: a + a.T,
        "share_child": lambda: a @ a.T,
        "share_parent": lambda: a.T @ a,
    }
    links = {}
    for name in names - {"global"}:
        matrix = matrices[name]().tocoo()
        off_diagonal = matrix.row != matrix.col
        ones = np.ones(int(off_diagonal.sum()), dtype=np.int32)
        matrix = sparse.csr_array((ones, (matrix.row[off_diagonal], matrix.col[off_diagonal])), shape=(n, n))
        matrix.sum_duplicates()
        links[name] = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    return links


def _segment_sums(values: np.ndarray, ptr: np.ndarray) -> np.ndarray:
    """Sums of the segments of ``values`` (uint64, modulo 2^64)."""
    total = np.concatenate([np.zeros(1, dtype=np.uint64), values.cumsum()])
    return total[ptr[1:]] - total[ptr[:-1]]


_SALTS = np.arange(1, 65, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # tells the relations of a hop apart


def _mix(x: np.ndarray) -> np.ndarray:
    """A one-to-one scramble of 64-bit integers (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
