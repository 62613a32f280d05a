"""ONNX files of networks to one canonical table of graphs: what others need in place of the files, and of timm."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from pipeline.core import io, schema
from pipeline.core.errors import BenchError
from pipeline.export.files import DEPLOYED, Network, read_log
from pipeline.onnx.columns import Packed, frame, pack
from pipeline.onnx.graph import read_graph

VERSION = "1"
# Beside the table of graphs, a row for each graph, and for each network without one, by name.
LIST = pl.Schema(
    {
        "name": pl.String,  # NAME@SIZE, or NAME@SIZE-deployed
        "module": pl.String,  # of timm; null where it is not known
        "params": pl.Int64,  # as torch counts them
        "buffers": pl.Int64,  # numbers in its buffers that are no whole numbers: running statistics, fixed tables
        "message": pl.String,  # why there is no graph; null where there is one
    }
)


def write_tables(networks: Iterable[Network], folder: Path, out: Path) -> int:
    """Write the graphs of the files in `folder` to `out`, the list beside it (.csv), and return how many there are.

    Graphs are in order of module and name; the family is the module. Raises BenchError when there is none.
    """
    packed: dict[tuple[str, str], Packed] = {}
    rows = []
    log = read_log(folder)
    for network in networks:
        about = log.get(network, {"message": "not tried"})
        module = about.get("module")
        for deployed, params, buffers in _forms(about):
            name = f"{network}{DEPLOYED if deployed else ''}"
            graph = _read(network.file(folder, deployed), about["message"])
            if isinstance(graph, Packed):
                packed[module, name] = graph
            rows.append((name, module, params, buffers, graph if isinstance(graph, str) else None))
    if not packed:
        raise BenchError(f"{folder}: no ONNX file of a network in it; see its log")
    keys = sorted(packed)
    table, meta = frame([packed[key] for key in keys], [name for _, name in keys], [module for module, _ in keys])
    meta = {"dataset": "timm", "version": VERSION, **meta}
    schema.check_graphs(table, meta, out)
    listing = pl.DataFrame(rows, schema=LIST, orient="row").sort("name")
    io.write_parquet(out, table, meta)
    io.write_bytes(out.with_suffix(".csv"), listing.write_csv().encode())
    return table.height


def _forms(about: dict) -> list[tuple[bool, int | None, int | None]]:
    """Of a network as built and, where that is another, as deployed: deployed, parameters, buffers."""
    if not about.get("params"):
        return [(False, None, None)]
    return [(number == 1, *counts) for number, counts in enumerate(zip(about["params"], about["buffers"], strict=True))]


def _read(path: Path, message: str) -> Packed | str:
    """The graph of a file at batch size 1, or why there is none."""
    if message:
        return message
    try:
        return pack(read_graph(gzip.decompress(io.read_bytes(path)), path.name, 1))
    except (BenchError, OSError, EOFError, zlib.error) as error:
        return " ".join(str(error).split())
