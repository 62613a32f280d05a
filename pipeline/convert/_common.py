"""What all converters share: the command line, checks of known facts, and putting both tables in place together."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.core import schema, table_checks
from pipeline.core.errors import BenchError, run_cli
from pipeline.spaces import cells

Sanity = Callable[[pl.DataFrame, pl.DataFrame], None]


def cli(name: str, convert: Callable[[Path, Path], None]) -> None:
    """Run a converter: `python -m pipeline.convert.<name> --raw data/raw/<name> --out data/parquet/<name>`."""

    def main() -> None:
        parser = argparse.ArgumentParser(prog=f"python -m pipeline.convert.{name}")
        parser.add_argument("--raw", type=Path, required=True, help="folder of the source files")
        parser.add_argument("--out", type=Path, required=True, help="folder for graphs.parquet and targets.parquet")
        args = parser.parse_args()
        convert(args.raw, args.out)

    run_cli(main)


def publish(
    name: str, out: Path, graphs: pl.DataFrame, targets: pl.DataFrame, vocab: Sequence[str], sanity: Sanity
) -> None:
    """Check both tables against schema, config and known facts, and only then put both in place."""
    dataset = datasets.get(name)
    meta = {"dataset": name, "version": dataset.version, "op_vocab": list(vocab), "attr_names": [], "out_shape_rank": 0}
    schema.check_graphs(graphs, meta, f"{name}: graphs")
    schema.check_targets(targets, graphs.height, f"{name}: targets")
    expect(name, "number of graphs", graphs.height, dataset.n_graphs)
    devices_of = {target: set(devices) for target, devices in targets.group_by("target").agg("device").iter_rows()}
    expect(
        name, "targets and devices", devices_of, {target: set(devices) for target, devices in dataset.targets.items()}
    )
    sanity(graphs, targets)
    table_checks.publish(out, graphs, meta, targets)


def target_frame(target: str, device: str, values: pl.Series | Sequence[float], batch_size: int = 1) -> pl.DataFrame:
    """Rows of the targets table: one value per graph in order of graph_id; a null is left out."""
    values = pl.Series(values, dtype=pl.Float64)
    return pl.DataFrame(
        {
            "graph_id": range(len(values)),
            "target": [target] * len(values),
            "device": [device] * len(values),
            "batch_size": [batch_size] * len(values),
            "value": values,
            "stage": [None] * len(values),
        },
        schema=schema.TARGETS,
    ).drop_nulls("value")


def expect(name: str, fact: str, actual: object, expected: object, tolerance: float = 0.0) -> None:
    """Raise BenchError unless a known fact of data set `name` holds, numbers within `tolerance`."""
    holds = actual == expected if tolerance == 0 else abs(actual - expected) <= tolerance
    if not holds:
        raise BenchError(f"{name}: known fact does not hold: {fact} is {actual}, expected {expected}; fetch again")


def expect_space_201(name: str, graphs: pl.DataFrame, executed: bool = False) -> None:
    """The known facts of the NAS-Bench-201 space: every cell once, distinct inputs, isomorphism classes."""
    expect(name, "number of cells", graphs["name"].n_unique(), cells.N_CELLS_201)
    expect(name, "distinct inputs", graphs.select("op", "src", "dst").n_unique(), cells.N_INPUTS_201[executed])
    expect(name, "isomorphism classes", graphs["iso"].n_unique(), cells.N_CLASSES_201[executed])


def values_of(targets: pl.DataFrame, target: str, device: str = "any") -> pl.Series:
    """The values of one target and device, in order of graph_id."""
    return targets.filter((pl.col("target") == target) & (pl.col("device") == device))["value"]


def read_csv(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """The named columns of a CSV file. Raises BenchError naming the file when it can't be read or lacks a column."""
    columns = list(columns)
    try:
        return pl.read_csv(path, columns=columns)
    except FileNotFoundError as error:
        raise BenchError(f"{path}: no such file; fetch the data set first") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BenchError(f"{path}: not a CSV file with columns {columns}: {reason}; fetch it again") from error
