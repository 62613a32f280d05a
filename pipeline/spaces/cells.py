"""Cells as graphs of operations: NAS-Bench-201 cells, pruning, and a hash of the isomorphism class.

A graph is a pair (labels, edges): one operation name per node, nodes in topological order (input first, output last),
edges a sorted list of (source, target) node indices along the data, so source < target always.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import product
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.core.errors import BenchError
from pipeline.core.schema import GRAPHS

# Edges of a NAS-Bench-201 cell (Dong and Yang, ICLR 2020) in the order of its architecture string.
EDGES_201 = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
VOCAB_201 = ("input", "output", *OPS_201[1:])
VOCAB_101 = ("input", "output", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")

# NASLib's codes and edge order, used by HW-NAS-Bench's tables and AnalogNAS-Bench.
EDGES_NASLIB = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
OPS_NASLIB = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")

N_CELLS_201 = 15_625  # 5 ** 6
# Distinct (op, src, dst) and isomorphism classes, by whether the cells are as executed or pruned (see cell_201).
N_INPUTS_201 = {False: 9_365, True: 15_425}
N_CLASSES_201 = {False: 8_765, True: 14_125}
N_FUNCTIONS_201 = 5_425  # isomorphism classes once skip_connect is folded


class Cell(NamedTuple):
    """A graph of operations; see the module's docstring."""

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


def parse_arch(arch: str) -> tuple[str, ...]:
    """The 6 operations, in the order of EDGES_201, of `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`. Raises BenchError."""
    fields = [field.partition("~") for field in arch.replace("+", "").strip("|").replace("||", "|").split("|")]
    ops = tuple(field[0] for field in fields)
    if len(ops) != 6 or not set(ops) <= set(OPS_201) or format_arch(ops) != arch:
        raise BenchError(f"{arch!r}: not a NAS-Bench-201 architecture string; expected |op~0|+|op~0|op~1|+...")
    return ops


def format_arch(ops: Sequence[str]) -> str:
    """The architecture string of 6 operations given in the order of EDGES_201."""
    a, b, c, d, e, f = ops
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def from_naslib(codes: Sequence[int]) -> tuple[str, ...]:
    """The 6 operations, in the order of EDGES_201, of a 6-tuple in NASLib's codes and edge order. Raises BenchError."""
    if len(codes) != 6 or not all(isinstance(code, int) and 0 <= code < 5 for code in codes):
        raise BenchError(f"{codes!r}: not 6 operation codes between 0 and 4")
    by_edge = dict(zip(EDGES_NASLIB, codes, strict=True))
    return tuple(OPS_NASLIB[by_edge[edge]] for edge in EDGES_201)


def cell_201(ops: Sequence[str], executed: bool = False) -> Cell:
    """The op-on-node graph of a NAS-Bench-201 cell: input, the live operations, output; 2 to 8 nodes.

    The node of edge (i, j) feeds the node of every edge (j, k); `none` is dropped, and so is every operation that is
    not on a path from the input to the output. A disconnected cell is the two nodes input and output without an edge.
    With `executed`, operations off every such path are kept: they do not change the accuracy, but a network run as it
    is written spends time on them, so this is the form for latency and energy.
    """
    nodes = [(edge, op) for edge, op in zip(EDGES_201, ops, strict=True) if op != "none"]
    labels = ["input", *(op for _, op in nodes), "output"]
    ends = [(None, 0), *(edge for edge, _ in nodes), (3, None)]
    edges = [(a, b) for a in range(len(ends)) for b in range(a + 1, len(ends)) if ends[a][1] == ends[b][0]]
    return Cell(tuple(labels), tuple(edges)) if executed else prune(labels, edges)


def prune(labels: Sequence[str], edges: Iterable[tuple[int, int]]) -> Cell:
    """Keep the nodes that lie on a path from the first node to the last, and always these two. Order is kept."""
    edges = sorted(set(edges))
    last = len(labels) - 1
    from_input, to_output = {0}, {last}
    for source, target in edges:
        if source in from_input:
            from_input.add(target)
    for source, target in reversed(edges):
        if target in to_output:
            to_output.add(source)
    on_path = sorted((from_input & to_output) | {0, last})
    position = {node: index for index, node in enumerate(on_path)}
    return Cell(
        tuple(labels[node] for node in on_path),
        tuple((position[a], position[b]) for a, b in edges if a in position and b in position),
    )


def fold(labels: Sequence[str], edges: Iterable[tuple[int, int]], identity: Collection[str]) -> Cell:
    """The cell without its identity operations: what fed one feeds whatever it fed. Unused nodes are dropped first.

    Nodes add up their inputs, so this computes the same function. An edge stands as often as its source is added: with
    skips, a node may get x twice, and 2 x + conv(x) is not x + conv(x). Nodes keep their order. Cells with isomorphic
    folded graphs compute the same function of the same trained operations. The reverse is not claimed: two poolings of
    one input, or a pooling of a sum, could be merged further.
    """
    cell = prune(labels, edges)
    times = Counter(cell.edges)  # of each edge
    for node, label in enumerate(cell.labels):
        if label in identity:
            parents = {a: times.pop((a, b)) for a, b in list(times) if b == node}
            children = {b: times.pop((a, b)) for a, b in list(times) if a == node}
            for (a, into), (b, out) in product(parents.items(), children.items()):
                times[a, b] += into * out
    kept = [node for node, label in enumerate(cell.labels) if label not in identity]
    position = {node: index for index, node in enumerate(kept)}
    folded = sorted((position[a], position[b]) for a, b in times.elements())
    return Cell(tuple(cell.labels[node] for node in kept), tuple(folded))


def iso_hash(labels: Sequence[str], edges: Iterable[tuple[int, int]]) -> int:
    """A 64-bit hash that is equal for isomorphic labelled graphs, always; the same on every machine.

    Weisfeiler-Lehman colour refinement, in- and out-neighbourhoods kept apart, swept along the data and then against
    it, so that a deep graph is stable after a few sweeps: O(edges) each, and at most one per node. Exact wherever all
    colours come to differ, and on the cell spaces used here (8,765 classes on NAS-Bench-201). Two large graphs that are
    not isomorphic may collide; that can only make the split `novel` stricter (it leaves out one graph more).
    Nodes must be in topological order (source < target in each edge); an edge may stand more than once.
    """
    n_nodes = len(labels)
    parents: list[list[int]] = [[] for _ in range(n_nodes)]
    children: list[list[int]] = [[] for _ in range(n_nodes)]
    for source, target in edges:
        if not 0 <= source < target < n_nodes:
            raise ValueError(f"edge ({source}, {target}) of a graph of {n_nodes} nodes is not in topological order")
        children[source].append(target)
        parents[target].append(source)
    colours = [_label_colour(label) for label in labels]
    n_colours = -1
    while n_colours < len(set(colours)):
        n_colours = len(set(colours))
        for node in range(n_nodes):
            colours[node] = _colour(_IN, colours[node], *sorted([colours[other] for other in parents[node]]))
        for node in reversed(range(n_nodes)):
            colours[node] = _colour(_OUT, colours[node], *sorted([colours[other] for other in children[node]]))
    return int.from_bytes(_colour(_GRAPH, *sorted(colours)), "little")


def function_classes(graphs: pl.DataFrame, vocab: Sequence[str], identity: Collection[str]) -> np.ndarray:
    """A hash (n,) uint64 of the function that each of n graphs computes: `iso_hash` of the graph once folded.

    `graphs`: op, src and dst of canonical rows; `vocab`: the names of op; `identity`: see `fold`.
    """

    @cache
    def of(op: tuple[int, ...], src: tuple[int, ...], dst: tuple[int, ...]) -> int:
        return iso_hash(*fold([vocab[i] for i in op], zip(src, dst, strict=True), identity))

    rows = graphs.select("op", "src", "dst").iter_rows()
    return np.array([of(*map(tuple, row)) for row in rows], dtype=np.uint64)


# A colour is the BLAKE2b digest of its parts, 8 bytes long; in front of each part stands its length.
_COLOUR_LENGTH = (8).to_bytes(4, "little")


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(4, "little") + part


_OP, _IN, _OUT, _GRAPH = map(_with_length, (b"op", b"in", b"out", b"graph"))


@lru_cache(maxsize=4096)
def _label_colour(label: str) -> bytes:
    return blake2b(_OP + _with_length(label.encode()), digest_size=8).digest()


def _colour(kind: bytes, *colours: bytes) -> bytes:
    return blake2b(_COLOUR_LENGTH.join((kind, *colours)), digest_size=8).digest()


def graphs_frame(
    names: Sequence[str],
    family: str,
    cells: Sequence[Cell],
    vocab: Sequence[str],
    flops: Sequence[float] | None = None,
    params: Sequence[float] | None = None,
) -> pl.DataFrame:
    """The canonical graphs table of cells, graph_id = position; no attributes and no output shapes."""
    ids = {name: index for index, name in enumerate(vocab)}
    hash_of = cache(iso_hash)  # a cell space repeats the same pruned graphs
    n = len(cells)
    return pl.DataFrame(
        {
            "graph_id": range(n),
            "name": names,
            "family": [family] * n,
            "iso": pl.Series([hash_of(*cell) for cell in cells], dtype=pl.UInt64),
            "n_nodes": [len(cell.labels) for cell in cells],
            "op": [[ids[label] for label in cell.labels] for cell in cells],
            "src": [[source for source, _ in cell.edges] for cell in cells],
            "dst": [[target for _, target in cell.edges] for cell in cells],
            "attrs": [[]] * n,
            "out_shape": [[]] * n,
            "flops": [None] * n if flops is None else flops,
            "macs": [None] * n,
            "params": [None] * n if params is None else params,
        },
        schema=GRAPHS,
    )
