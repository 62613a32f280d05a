"""Search with few queries: python -m pipeline.search [--space nasbench201] [--method gbdt]

Runs the searches of a grid that are not there yet, in the grid's order, in one process. A search that has ended is on
disk: started again after a kill, it goes on with the next.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import torch

from pipeline.config import search_grid
from pipeline.config.search_grid import SearchGrid
from pipeline.core import io, provenance
from pipeline.core.errors import BenchError
from pipeline.search import loop, space

OUT = Path("results/searches")


def run_all(grid: SearchGrid, names: Iterable[tuple[str, str]], data: Path, out: Path, code: str = "") -> None:
    """The searches of pairs (space, method) that are not under `out`, a file each. Raises BenchError."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    tables: dict[str, tuple] = {}
    for where, name in names:
        method, path = grid.methods[name], out / where / f"{name}.parquet"
        if where not in tables:
            tables[where] = space.read(grid.tasks[where], data)
        networks, labels, version = tables[where]
        facts = {**grid.facts(where, name), "version": version, "code": code}
        if path.exists() and io.read_meta(path).get("facts") == facts:
            continue
        parts = [_part(grid, method, networks, labels, seed, facts, path.with_suffix("")) for seed in range(grid.seeds)]
        meta = {
            "facts": facts, **labels.facts(),
            "measures": [row for part in parts for row in io.read_meta(part)["measures"]],
            "failures": [row for part in parts for row in io.read_meta(part)["failures"]],
            "host_cpu": provenance.cpu(), "torch_version": torch.__version__, "code_rev": provenance.code_rev(),
        }  # fmt: skip
        io.write_parquet(path, pl.concat(io.read_parquet(part) for part in parts), meta)
        for part in parts:
            part.unlink()
        path.with_suffix("").rmdir()


def _part(grid, method, networks, labels, seed: int, facts: dict, folder: Path) -> Path:
    """The file of one seed's search, run unless it is there."""
    path = folder / f"{seed}.parquet"
    if path.exists() and io.read_meta(path).get("facts") == facts:
        return path
    trace = loop.run(grid, method, networks, labels, seed)
    frame = pl.DataFrame(
        {
            "seed": [seed] * len(trace.networks),
            "query": range(1, len(trace.networks) + 1),
            "graph_id": networks.graphs.graph_id[trace.networks].numpy(),
            "queried": labels.value[trace.networks],
            "reported": labels.judged[trace.networks],
            "cost": np.nan if labels.cost is None else labels.cost[trace.networks],
            "cpu_s": trace.cpu_s,
            "failed": trace.failed,
        }
    ).cast({"seed": pl.UInt32, "query": pl.UInt32, "graph_id": pl.UInt32})
    measures = [[seed, queries, name, value] for (queries, name), value in trace.measures.items()]
    failures = [[seed, text] for text in trace.failures]
    io.write_parquet(path, frame, {"facts": facts, "measures": measures, "failures": failures})
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.search", description=__doc__.partition("\n")[0])
    parser.add_argument("--grid", default=search_grid.CONFIG, type=Path, help="what to search and how")
    parser.add_argument("--space", help="one space of the grid")
    parser.add_argument("--method", help="one method of the grid")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/")
    parser.add_argument("--out", default=OUT, type=Path, help="folder for <space>/<method>.parquet")
    parser.add_argument("--code", default="", help="key of the code; traces of another one are made again")
    args = parser.parse_args()
    grid = search_grid.load(args.grid)
    for what, asked, known in (("space", args.space, grid.tasks), ("method", args.method, grid.methods)):
        if asked and asked not in known:
            raise BenchError(f"{args.grid}: no {what} {asked!r}; known: {', '.join(known)}")
    pairs = [
        pair for pair in grid.pairs if args.space in (None, pair[0]) and args.method in (None, pair[1])
    ]  # fmt: skip
    if not pairs:
        raise BenchError(f"{args.grid}: {args.method} does not search {args.space}; mend spaces of the method")
    run_all(grid, pairs, args.data, args.out, args.code)
