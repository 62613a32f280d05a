"""Proxies of every network of a search space, one row a function that its cells compute.

    python -m pipeline.proxies --out data/kept/proxies/nasbench201.parquet

Networks that compute the same function (`pipeline.spaces.cells.function_classes`) have the same proxies and are built
once. The table is kept with the clone, for making it takes minutes of CPU time.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import polars as pl
import torch
from tqdm import tqdm

from pipeline.core import io
from pipeline.proxies.measures import NAMES, proxies
from pipeline.proxies.networks import Network, Skeleton
from pipeline.spaces import cells

SPACE = "nasbench201"
IDENTITY = ("skip_connect",)
SEED = 0  # of weights, images and classes: the same for all networks, so that chance favours none
PORTION = 100  # networks a file: what a killed run loses
SCHEMA = pl.Schema(
    {"function": pl.UInt64(), **dict.fromkeys(NAMES, pl.Float32()), **{f"{name}_s": pl.Float32() for name in NAMES}}
)


def functions() -> dict[int, cells.Cell]:
    """A folded cell of every function of NAS-Bench-201, by its hash, sorted by it."""
    drawn = {cells.cell_201(ops) for ops in product(cells.OPS_201, repeat=6)}
    folded = sorted({cells.fold(*cell, IDENTITY) for cell in drawn})
    return dict(sorted({cells.iso_hash(*cell): cell for cell in reversed(folded)}.items()))


def rows(networks: dict[int, cells.Cell], skeleton: Skeleton) -> Iterator[dict[str, float]]:
    """A row of `SCHEMA` a network."""
    for function, cell in networks.items():
        found, seconds = proxies(Network(cell, skeleton, SEED), skeleton, SEED)
        yield {"function": function, **found, **{f"{name}_s": value for name, value in seconds.items()}}


def compute(networks: dict[int, cells.Cell], skeleton: Skeleton, out: Path) -> pl.DataFrame:
    """Write and return the table of the networks. Portions that a killed run left beside it are taken over."""
    parts, tables, items = out.with_name(f"{out.stem}.parts"), [], list(networks.items())
    with tqdm(total=len(networks), unit="network", mininterval=5) as bar:
        for start in range(0, len(items), PORTION):
            portion, path = items[start : start + PORTION], parts / f"{start}.parquet"
            if not path.exists():
                io.write_parquet(path, pl.DataFrame(rows(dict(portion), skeleton), schema=SCHEMA))
            tables.append(io.read_parquet(path))
            bar.update(len(portion))
    table = pl.concat(tables)
    io.write_parquet(out, table, {"space": SPACE, "seed": SEED, "skeleton": skeleton._asdict()})
    shutil.rmtree(parts)
    return table


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.proxies", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="table to write; portions go beside it until then")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{args.out}: {compute(functions(), Skeleton(), args.out).height} networks")
