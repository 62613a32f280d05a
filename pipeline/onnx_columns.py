"""Networks as canonical columns: operation ids, one row of numbers per node, output shapes, and the isomorphism hash.

The columns of `attrs` are BASE, then every other attribute that occurs in the data set, sorted by name. A tuple has a
column per entry (`pads_0`, `pads_1`, ...; the first 8), a string one column per value, 1 where it holds
(`mode=linear`). 0 stands for an attribute that a node does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import polars as pl

from pipeline.cells import iso_hash
from pipeline.errors import BenchError
from pipeline.features import OPS
from pipeline.onnx_graph import INPUT, OnnxGraph
from pipeline.schema import GRAPHS

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


def vocabulary(graphs: Iterable[OnnxGraph]) -> tuple[str, ...]:
    """BASE_OPS, then every other operation of `graphs`, sorted."""
    found = {op for graph in graphs for op in graph.ops}
    return (*BASE_OPS, *sorted(found.difference(BASE_OPS)))


def attribute_names(graphs: Iterable[OnnxGraph]) -> tuple[str, ...]:
    """BASE, then every other attribute column that `graphs` need. Raises BenchError when they are absurdly many."""
    found = {name for graph in graphs for values in graph.attributes for name in _flat(values)}
    extra = sorted(found.difference(BASE))
    if len(extra) > MAX_EXTRA:
        raise BenchError(
            f"{len(extra)} different attributes, over the limit of {MAX_EXTRA}; check where the models came from"
        )
    return (*BASE, *extra)


def op_ids(graph: OnnxGraph, vocab: Sequence[str]) -> np.ndarray:
    """(n,) positions of the operations in `vocab`."""
    position = {op: index for index, op in enumerate(vocab)}
    return np.array([position[op] for op in graph.ops], dtype=np.uint16)


def attribute_rows(graph: OnnxGraph, names: Sequence[str] = BASE) -> np.ndarray:
    """(n, len(names)) float32: one row per node. Attributes that are not in `names` are left out."""
    position = {name: index for index, name in enumerate(names)}
    rows = np.zeros((len(graph.ops), len(names)), dtype=np.float32)
    for cost in COSTS:
        rows[:, position[cost]] = getattr(graph, cost)
    rows[:, position["in_channels"]] = graph.in_channels
    nodes, columns, numbers = [], [], []
    for node, values in enumerate(graph.attributes):
        for name, number in _flat(values).items():
            if name in position:
                nodes.append(node)
                columns.append(position[name])
                numbers.append(number)
    rows[nodes, columns] = np.nan_to_num(np.clip(np.array(numbers, dtype=np.float64), -_LARGEST, _LARGEST))
    return rows


def shape_rows(graph: OnnxGraph, rank: int = MIN_RANK) -> np.ndarray:
    """(n, rank) int32: the shape of each node's first output, 0 behind its last dimension."""
    return np.array([(*shapes[0], *(0,) * rank)[:rank] for shapes in graph.out_shapes], dtype=np.int32)


def max_rank(graphs: Iterable[OnnxGraph]) -> int:
    """The largest rank of a first output, at least MIN_RANK."""
    return max(MIN_RANK, *(len(shapes[0]) for graph in graphs for shapes in graph.out_shapes))


def class_hash(graph: OnnxGraph) -> int:
    """64-bit hash of the network: equal for the same operations, attributes, shapes and wiring in any node order."""
    labels = [
        blake2b(repr((op, sorted(values.items()), shapes)).encode(), digest_size=16).hexdigest()
        for op, values, shapes in zip(graph.ops, graph.attributes, graph.out_shapes, strict=True)
    ]
    return iso_hash(labels, zip(graph.src.tolist(), graph.dst.tolist(), strict=True))


def frame(
    graphs: Sequence[OnnxGraph],
    names: Sequence[str],
    families: Sequence[str],
    isos: Sequence[int],
    vocab: Sequence[str],
    attrs: Sequence[str],
    rank: int,
) -> pl.DataFrame:
    """The canonical graphs table (`pipeline.schema.GRAPHS`); graph_id = position."""

    def lists(column: str, arrays: Iterable[np.ndarray]) -> pl.Series:
        series = [pl.Series(np.ascontiguousarray(array).ravel(), dtype=GRAPHS[column].inner) for array in arrays]
        return pl.Series(column, series, dtype=GRAPHS[column])

    return pl.DataFrame(
        {
            "graph_id": pl.Series(range(len(graphs)), dtype=pl.UInt32),
            "name": names,
            "family": families,
            "iso": pl.Series(isos, dtype=pl.UInt64),
            "n_nodes": [len(graph.ops) for graph in graphs],
            "op": lists("op", (op_ids(graph, vocab) for graph in graphs)),
            "src": lists("src", (graph.src for graph in graphs)),
            "dst": lists("dst", (graph.dst for graph in graphs)),
            "attrs": lists("attrs", (attribute_rows(graph, attrs) for graph in graphs)),
            "out_shape": lists("out_shape", (shape_rows(graph, rank) for graph in graphs)),
            "flops": [graph.flops.sum() for graph in graphs],
            "macs": [graph.macs.sum() for graph in graphs],
            "params": [graph.params.sum() for graph in graphs],
        },
        schema=GRAPHS,
    )


def _flat(values: dict[str, tuple]) -> dict[str, float]:
    """Attribute values as numbers, one per column name; see the module's docstring."""
    flat: dict[str, float] = {}
    for name, entries in values.items():
        if name in _SCALAR and entries:
            flat[name] = entries[0]
            continue
        for position, entry in enumerate(entries[:MAX_ENTRIES]):
            if isinstance(entry, str):
                flat[f"{name}={entry[:40]}"] = 1.0
            else:
                flat[name if len(entries) == 1 and name not in _TUPLES else f"{name}_{position}"] = entry
    return flat


_SCALAR = frozenset({"has_bias", "group"})
_TUPLES = frozenset({"kernel_shape", "strides", "pads", "dilations", "output_padding", "perm", "axes"})
