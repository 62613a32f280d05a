"""Local changes of a network: what evolution mutates and local search tries, one choice of its space changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from pipeline.core.errors import BenchError
from pipeline.spaces import blocks, cells, gnn


def _cells_201(name: str) -> list[str]:
    """The 24 cells with another operation on one edge."""
    ops = cells.parse_arch(name)
    return [
        cells.format_arch((*ops[:edge], op, *ops[edge + 1 :]))
        for edge in range(len(ops))
        for op in cells.OPS_201
        if op != ops[edge]
    ]


def _macro(name: str) -> list[str]:
    """The 16 networks with another block in one place."""
    choices = map(str, range(len(blocks.BLOCKS_MACRO)))
    return [
        name[:place] + other + name[place + 1 :]
        for other in choices
        for place in range(len(name))
        if other != name[place]
    ]


def _gnn(name: str) -> list[str]:
    """The 40 networks with one other operation, or with the operations in another shape."""
    first, *ops = name.split("|")
    links = tuple(map(int, first.split(",")))
    changed = [gnn.name(links, (*ops[:k], op, *ops[k + 1 :])) for k in range(4) for op in gnn.OPS if op != ops[k]]
    return changed + [gnn.name(other, tuple(ops)) for other in gnn.LINKS if other != links]


def _gnn_key(name: str) -> Hashable:
    """Networks of NAS-Bench-Graph are written in several ways, of which the table has one."""
    first, *ops = name.split("|")
    return cells.iso_hash(*gnn.graph(tuple(map(int, first.split(","))), tuple(ops)))


_CHANGES: dict[str, Callable[[str], list[str]]] = {
    "nasbench201": _cells_201,
    "nasbench_macro": _macro,
    "nasbench_graph": _gnn,
}
_KEYS: dict[str, Callable[[str], Hashable]] = {"nasbench_graph": _gnn_key}


def changes(family: str, name: str) -> list[str]:
    """Names of the networks of `family` that differ from `name` in one choice; a table may lack some of them.

    Raises BenchError: nothing is known of this family.
    """
    if family not in _CHANGES:
        raise BenchError(
            f"no local changes are known of networks of {family}, only of {', '.join(_CHANGES)}; search another one"
        )
    return _CHANGES[family](name)


def key(family: str, name: str) -> Hashable:
    """What two names of the same network of `family` have in common."""
    return _KEYS.get(family, str)(name)
