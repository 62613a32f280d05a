"""Large graphs for models that take padded tensors: padded batch by batch, never the whole data set at once."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pipeline.core.graphs import Dense, Graphs, to_device

SMALL = 32  # nodes: up to here, a data set is padded and encoded once, and kept
PORTION = 2**21  # entries of adjacency matrices that are predicted at once


class Padded:
    """Graphs of any size, padded and encoded batch by batch, each batch to its own largest graph."""

    def __init__(self, graphs: Graphs, encode: Callable[[Dense], tuple[Tensor, ...]], device: str) -> None:
        self.graphs, self.encode, self.device = graphs, encode, device

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, index: Tensor) -> tuple[Tensor, ...]:
        """The module's arguments for the graphs at ``index`` (b,)."""
        return self.encode(to_device(self.graphs[index.cpu()].dense(), self.device))

    def portions(self) -> list[Tensor]:
        """All graphs, in portions of bounded size when padded: small graphs with small ones."""
        order = self.graphs.n_nodes.argsort(stable=True)
        largest = self.graphs.n_nodes[order]
        portions, start = [], 0
        while start < len(order):
            size = min(512, len(order) - start)
            while size > 1 and size * int(largest[start + size - 1]) ** 2 > PORTION:
                size //= 2
            portions.append(order[start : start + size])
            start += size
        return portions
