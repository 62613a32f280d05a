"""Networks as canonical columns: operation ids, one row of numbers per node, output shapes, and the isomorphism hash.

The columns of `attrs` are BASE, then every other attribute that occurs in the data set, sorted by name. A tuple has a
column per entry (`pads_0`, `pads_1`, ...; the first 8), a string one column per value, 1 where it holds
(`mode=linear`). 0 stands for an attribute that a node does not have.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.core.errors import BenchError
from pipeline.core.node_features import OPS
from pipeline.onnx.graph import INPUT, OnnxGraph

if TYPE_CHECKING:
    import polars as pl  # imported where a table is made: a single network needs none

COSTS = ("flops", "macs", "params", "memory_bytes")
BASE = (
    *COSTS,  # of the node, for the whole batch
    "in_channels",  # dimension 1 of the first input
    "has_bias",  # of Conv, ConvTranspose, Gemm
    *("kernel_shape_0", "kernel_shape_1", "strides_0", "strides_1", "pads_0", "pads_1", "pads_2", "pads_3"),
    *("dilations_0", "dilations_1", "group", "output_padding_0", "output_padding_1"),
    *(f"perm_{axis}" for axis in range(8)),
)
# First ids of every vocabulary: the input, then NNLQP's operations (Liu et al., ICPP 2022) in the order of its table.
BASE_OPS = (INPUT, *OPS)
MIN_RANK = 4
MAX_ENTRIES = 8
MAX_EXTRA = 256
_LARGEST = float(np.finfo(np.float32).max)


class Packed(NamedTuple):
    """One network in little memory. n nodes, e edges; `ops` and `names` are what `op` and `column` point into."""

    ops: tuple[str, ...]
    op: np.ndarray  # (n,) uint16
    src: np.ndarray  # (e,) uint16
    dst: np.ndarray
    names: tuple[str, ...]  # attribute columns that are not all zero
    node: np.ndarray  # (k,) uint16: value[i] is attribute names[column[i]] of node[i]
    column: np.ndarray  # (k,) uint16
    value: np.ndarray  # (k,) float32
    out_shape: np.ndarray  # (n, rank) int32: the first output, 0 behind its last dimension
    flops: float
    macs: float
    params: float
    iso: int


def pack(graph: OnnxGraph) -> Packed:
    """The columns of one network."""
    ops = tuple(sorted(set(graph.ops)))
    position = {op: index for index, op in enumerate(ops)}
    node, names, value = _entries(graph)
    columns = tuple(sorted(set(names)))
    number = {name: index for index, name in enumerate(columns)}
    return Packed(
        ops=ops,
        op=np.array([position[op] for op in graph.ops], dtype=np.uint16),
        src=graph.src.astype(np.uint16),
        dst=graph.dst.astype(np.uint16),
        names=columns,
        node=np.array(node, dtype=np.uint16),
        column=np.array([number[name] for name in names], dtype=np.uint16),
        value=value,
        out_shape=shape_rows(graph),
        flops=float(graph.flops.sum()),
        macs=float(graph.macs.sum()),
        params=float(graph.params.sum()),
        iso=class_hash(graph),
    )


def vocabulary(ops: Iterable[str]) -> tuple[str, ...]:
    """BASE_OPS, then every other operation of `ops`, sorted."""
    return (*BASE_OPS, *sorted(set(ops).difference(BASE_OPS)))


def attribute_names(names: Iterable[str]) -> tuple[str, ...]:
    """BASE, then every other of `names`, sorted. Raises BenchError when they are absurdly many."""
    extra = sorted(set(names).difference(BASE))
    if len(extra) > MAX_EXTRA:
        raise BenchError(f"{len(extra)} different attributes, over the limit of {MAX_EXTRA}; check the models")
    return (*BASE, *extra)


def op_ids(graph: OnnxGraph, vocab: Sequence[str]) -> np.ndarray:
    """(n,) positions of the operations in `vocab`."""
    position = {op: index for index, op in enumerate(vocab)}
    return np.array([position[op] for op in graph.ops], dtype=np.uint16)


def attribute_rows(graph: OnnxGraph, names: Sequence[str] = BASE) -> np.ndarray:
    """(n, len(names)) float32: one row per node. Attributes that are not in `names` are left out."""
    position = {name: index for index, name in enumerate(names)}
    rows = np.zeros((len(graph.ops), len(names) + 1), dtype=np.float32)
    node, columns, value = _entries(graph)
    rows[node, [position.get(name, -1) for name in columns]] = value
    return rows[:, :-1]


def shape_rows(graph: OnnxGraph) -> np.ndarray:
    """(n, rank) int32, rank at least 4: the shape of each node's first output, 0 behind its last dimension."""
    firsts = [shapes[0] for shapes in graph.out_shapes]
    rank = max(MIN_RANK, *map(len, firsts))
    padding = (0,) * rank
    return np.array([(*shape, *padding)[:rank] for shape in firsts], dtype=np.int32)


def class_hash(graph: OnnxGraph) -> int:
    """64-bit hash of the network: equal for the same operations, attributes, shapes and wiring in any node order."""
    from pipeline.spaces.cells import iso_hash

    labels = [
        blake2b(repr((op, sorted(values.items()), shapes)).encode(), digest_size=16).hexdigest()
        for op, values, shapes in zip(graph.ops, graph.attributes, graph.out_shapes, strict=True)
    ]
    return iso_hash(labels, zip(graph.src.tolist(), graph.dst.tolist(), strict=True))


def frame(networks: Sequence[Packed], names: Sequence[str], families: Sequence[str]) -> tuple[pl.DataFrame, dict]:
    """The canonical graphs table (`pipeline.core.schema.GRAPHS`), graph_id = position, and its metadata op_vocab,
    attr_names and out_shape_rank."""
    import polars as pl

    from pipeline.core.schema import GRAPHS

    vocab = vocabulary(op for network in networks for op in network.ops)
    attr_names = attribute_names(name for network in networks for name in network.names)
    rank = max(network.out_shape.shape[1] for network in networks)
    counts = np.array([len(network.op) for network in networks])
    nodes = np.concatenate([[0], counts.cumsum()])
    edges = np.concatenate([[0], np.cumsum([len(network.src) for network in networks])])
    op = np.empty(nodes[-1], dtype=np.uint16)
    attrs = np.zeros((nodes[-1], len(attr_names)), dtype=np.float32)
    out_shape = np.zeros((nodes[-1], rank), dtype=np.int32)
    for network, start, stop in zip(networks, nodes[:-1], nodes[1:], strict=True):
        op[start:stop] = np.array([vocab.index(name) for name in network.ops], dtype=np.uint16)[network.op]
        columns = np.array([attr_names.index(name) for name in network.names], dtype=np.int64)
        attrs[start + network.node.astype(np.int64), columns[network.column]] = network.value
        out_shape[start:stop, : network.out_shape.shape[1]] = network.out_shape
    table = pl.DataFrame(
        {
            "graph_id": pl.Series(range(len(networks)), dtype=pl.UInt32),
            "name": names,
            "family": families,
            "iso": pl.Series([network.iso for network in networks], dtype=pl.UInt64),
            "n_nodes": counts,
            "op": _lists(op, nodes),
            "src": _lists(np.concatenate([network.src for network in networks]), edges),
            "dst": _lists(np.concatenate([network.dst for network in networks]), edges),
            "attrs": _lists(attrs.ravel(), nodes * len(attr_names)),
            "out_shape": _lists(out_shape.ravel(), nodes * rank),
            "flops": [network.flops for network in networks],
            "macs": [network.macs for network in networks],
            "params": [network.params for network in networks],
        },
        schema_overrides=GRAPHS,
    )
    return table, {"op_vocab": list(vocab), "attr_names": list(attr_names), "out_shape_rank": rank}


def _lists(values: np.ndarray, starts: np.ndarray) -> pl.Series:
    """A column of lists: row i is values[starts[i] : starts[i + 1]]. No copy of the values."""
    import polars as pl
    import pyarrow as pa

    return pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(starts.astype(np.int64)), pa.array(values)))


def _entries(graph: OnnxGraph) -> tuple[list[int], list[str], np.ndarray]:
    """All numbers of all nodes: node, column name, float32 value (finite)."""
    nodes: list[int] = []
    names: list[str] = []
    values: list[float] = []
    for name in (*COSTS, "in_channels"):
        cost = getattr(graph, name)
        filled = cost.nonzero()[0].tolist()
        nodes += filled
        names += [name] * len(filled)
        values += cost[filled].tolist()
    for node, attributes in enumerate(graph.attributes):
        flat = _flat(attributes)
        nodes += [node] * len(flat)
        names += flat
        values += flat.values()
    return (
        nodes,
        names,
        np.nan_to_num(np.clip(np.array(values, dtype=np.float64), -_LARGEST, _LARGEST)).astype(np.float32),
    )


def _flat(values: dict[str, tuple]) -> dict[str, float]:
    """Attribute values as numbers, one per column name; see the module's docstring."""
    flat: dict[str, float] = {}
    for name, entries in values.items():
        if len(entries) == 1 and name not in _TUPLES and not isinstance(entries[0], str):
            flat[name] = entries[0]
            continue
        for entry, column in zip(entries, _columns(name), strict=False):
            if isinstance(entry, str):
                flat[f"{name}={entry[:40]}"] = 1.0
            else:
                flat[column] = entry
    return flat


@functools.lru_cache(maxsize=1024)
def _columns(name: str) -> tuple[str, ...]:
    return tuple(f"{name}_{position}" for position in range(MAX_ENTRIES))


_TUPLES = frozenset({"kernel_shape", "strides", "pads", "dilations", "output_padding", "perm", "axes"})
