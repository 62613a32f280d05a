"""The proxies of a data set's networks, looked up by the function that each computes.

python -m pipeline.proxies.table --graphs GRAPHS --kept data/kept/proxies/nasbench201.parquet --out PROXIES
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

from pipeline.core import io, table_checks
from pipeline.core.errors import BenchError, run_cli
from pipeline.proxies.measures import NAMES
from pipeline.proxies.run import IDENTITY, SCHEMA
from pipeline.spaces import cells

AGREE = {("params", "flops"): (0.95, 1.0), ("synflow", "params"): (0.6, 1.0), ("naswot", "zen"): (0.3, 1.0)}


def known_facts(kept: pl.DataFrame, where: Path) -> None:
    """Raise BenchError unless the table has every function of NAS-Bench-201 once, and ranks as it should (Spearman)."""
    if dict(kept.schema) != dict(SCHEMA):
        raise BenchError(f"{where}: columns are {kept.columns}, expected {list(SCHEMA)}; delete it to make it again")
    if kept["function"].n_unique() != cells.N_FUNCTIONS_201 or kept.height != cells.N_FUNCTIONS_201:
        raise BenchError(f"{where}: {kept.height} rows, not one a function of {cells.N_FUNCTIONS_201}; delete it")
    for (one, other), (low, high) in AGREE.items():
        rho = kept.select(pl.corr(one, other, method="spearman")).item()
        if not low <= rho <= high:
            raise BenchError(f"{where}: {one} and {other} agree to {rho:.3f}, not {low} to {high}; delete it")


def look_up(graphs: pl.DataFrame, vocab: list[str], kept: pl.DataFrame) -> pl.DataFrame:
    """graph_id and a column a proxy of every graph; graph_id alone where one of them is of no function in ``kept``."""
    table = graphs.select("graph_id")
    if not set(vocab) <= set(cells.VOCAB_201):
        return table
    keys = pl.Series("function", cells.function_classes(graphs, vocab, IDENTITY))
    found = table.with_columns(keys).join(
        kept.select("function", *NAMES), on="function", how="left", maintain_order="left"
    )
    return table if found[NAMES[0]].null_count() else found.drop("function")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.proxies.table", description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=Path, required=True, help="graphs table of the data set")
    parser.add_argument("--kept", type=Path, required=True, help="table of `python -m pipeline.proxies`")
    parser.add_argument("--out", type=Path, required=True, help="table to write")
    args = parser.parse_args()
    kept = io.read_parquet(args.kept)
    known_facts(kept, args.kept)
    graphs, meta = table_checks.read_graphs(args.graphs)
    table_checks.write(args.out, look_up(graphs, meta["op_vocab"], kept), {}, meta[table_checks.CONTENT])


if __name__ == "__main__":
    run_cli(main)
