"""Graph neural networks of NAS-Bench-Graph (Qin et al., NeurIPS 2022, arXiv:2206.09166): four operations each.

An operation has one input, the network's or an earlier operation's output. Outputs that none takes form the network's.
"""

from __future__ import annotations

from pipeline.spaces.cells import Cell

# What feeds each of the four operations: 0 the network's input, k the k-th operation. No two shapes are isomorphic.
LINKS = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3),
    (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3),
)  # fmt: skip
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
VOCAB = ("input", "output", *OPS)
N_NETWORKS = 26_206


def decode(key: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Links and operations of a key of the tables: five digits, the shape's and the operations'.

    Raises ValueError: no such network.
    """
    if not 0 <= key < len(LINKS) * 10**4 or "9" in f"{key:05}":
        raise ValueError(f"{key} names no network: not five digits from 0 to {len(OPS) - 1}")
    shape, *ops = map(int, f"{key:05}")
    return LINKS[shape], tuple(OPS[op] for op in ops)


def graph(links: tuple[int, ...], ops: tuple[str, ...]) -> Cell:
    """The six nodes: input, the operations, output."""
    last = len(ops) + 1
    leaves = set(range(1, last)) - set(links)
    edges = [(source, node) for node, source in enumerate(links, 1)] + [(leaf, last) for leaf in leaves]
    return Cell(("input", *ops, "output"), tuple(sorted(edges)))


def name(links: tuple[int, ...], ops: tuple[str, ...]) -> str:
    """A network's name: what feeds each operation, then the operations, as in `0,0,1,2|gcn|gat|fc|skip`."""
    return "|".join((",".join(map(str, links)), *ops))
