"""Results from outside: a method that nobody here has run, by its predictions.

A folder `external/<name>/` has result.yaml, which says who predicts what from which labels, and a table of predictions
a seed; docs/external_results.md describes both. They are scored like our own predictions, and shown apart from them.
"""

from __future__ import annotations

import argparse
import io as bytes_io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from pipeline.config import datasets
from pipeline.config import grid as grids
from pipeline.config.overrides import MAX_SEED
from pipeline.config.strict_yaml import read_yaml
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError, quoted, run_cli, short
from pipeline.score import metrics, score_table
from pipeline.split import splits

FILE = "result.yaml"
OUT = "external.json"  # beside the table of scores
COLUMNS = ("network", "prediction")
MAX_BYTES, ROW_BYTES = 2**16, 2**9  # of one table of predictions, and more for every network
MAX_SEEDS = 100
MAX_SCORES = 2**26  # bytes of the scores of all results
SPLITS = ("all", "test")
MOST = 2  # rows a network that are read, to name those that stand there twice
MAX_REASON = 200  # letters of what a reader of tables says
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # gzip, zstd, zlib: unpacked unasked
Text = Annotated[StrictStr, Field(min_length=1, max_length=300)]
Word = Annotated[StrictStr, Field(min_length=1, max_length=80, pattern=r"\A[^/\\\s]+\z")]


class Predictions(BaseModel):
    """A table of predictions and the seed whose split it belongs to."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)]
    file: Word


class Result(BaseModel):
    """result.yaml. `labels`: networks whose label was used in any way, those for validation included.

    `training_set`: `suite`, the first `labels` networks that `nnfb.Dataset.split` gives for the seed, or `own`, which
    the column `trained` of each table marks. `other_labels`: what else was learned from, in words. `predictions`: one
    a seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[StrictStr, Field(pattern=r"\A[a-z][a-z0-9_-]{0,39}\z")]
    by: Text
    source: Text
    dataset: Word
    version: Word
    target: Word
    device: Word = "any"
    labels: Annotated[StrictInt, Field(ge=1)]
    training_set: Literal["suite", "own"]
    other_labels: Text
    predictions: Annotated[list[Predictions], Field(min_length=1, max_length=MAX_SEEDS)]


@dataclass(frozen=True)
class Tables:
    """What a result is held against: the canonical tables of its data set."""

    graphs: pl.DataFrame
    targets: pl.DataFrame
    version: str

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """From a folder with graphs.parquet and targets.parquet. Raises BenchError: not as they were converted."""
        graphs, meta, targets = table_checks.read(folder)
        return cls(graphs, targets, meta["version"])


@dataclass(frozen=True)
class Scored:
    """A result that was found right. `scores`: by seed, split (`all`, `test`) and metric."""

    about: Result
    n_networks: int
    scores: dict[int, dict[str, dict[str, float | None]]]

    def mean(self, split: str, metric: str) -> float | None:
        """Mean over seeds; None where a seed has no value."""
        values = [by_split[split].get(metric) for by_split in self.scores.values()]
        return None if None in values else float(np.mean(values))

    def dump(self) -> dict:
        """As JSON values, for `parse`."""
        scores = {str(seed): by_split for seed, by_split in self.scores.items()}
        return {"about": self.about.model_dump(mode="json"), "n_networks": self.n_networks, "scores": scores}


def parse(raw: dict) -> Scored:
    """What `Scored.dump` made. Raises ValueError, KeyError, TypeError or AttributeError otherwise."""
    about, n = Result.model_validate(raw["about"]), raw["n_networks"]
    scores = {int(seed): {split: by_split[split] for split in SPLITS} for seed, by_split in raw["scores"].items()}
    values = [value for by_split in scores.values() for by_metric in by_split.values() for value in by_metric.values()]
    if type(n) is not int or not all(value is None or score_table.is_number(value) for value in (n, *values)):
        raise ValueError("not all scores are numbers")
    if not scores:
        raise ValueError("a result without scores")
    return Scored(about, n, scores)


def read(path: Path) -> Result:
    """result.yaml, or that of a folder. Raises BenchError naming the key that is wrong or missing."""
    path = path / FILE if path.is_dir() else path
    raw = read_yaml(path, "see docs/external_results.md")
    try:
        about = Result.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top level"
        raise BenchError(f"{path}: {where}: {first['msg']}; see docs/external_results.md") from None
    if len({made.seed for made in about.predictions}) < len(about.predictions):
        raise BenchError(f"{path}: predictions: a seed stands there twice; give one table a seed")
    known = datasets.get(about.dataset)
    if about.device not in known.targets.get(about.target, ()):
        devices = ", ".join(f"{name} on {', '.join(on)}" for name, on in known.targets.items())
        raise BenchError(f"{path}: {about.dataset} has no {about.target} on {about.device}; it has: {devices}")
    return about


def check(path: Path, tables: Tables) -> Scored:
    """The scores of the result at `path`, if it is complete and right.

    Raises:
        BenchError: a network without a prediction, with two, or that the data set lacks; a number that is not finite;
            more or fewer trained networks than `labels`, or all that are held out; another version of the data set.
    """
    about = read(path)
    folder = path if path.is_dir() else path.parent
    if about.version != tables.version:
        raise BenchError(
            f"{path}: of version {about.version} of {about.dataset}, the data are version {tables.version}"
        )
    names = tables.graphs["name"]
    if names.is_duplicated().any():
        names = tables.graphs["graph_id"].cast(pl.String)
    scores = {}
    for made in about.predictions:
        file = folder / made.file
        frame = _ordered(file, _read_table(file, about.training_set == "own", names.len()), names)
        scores[made.seed] = _scores(file, about, made.seed, frame, tables)
    return Scored(about, names.len(), scores)


def _read_table(path: Path, own: bool, n: int) -> pl.DataFrame:
    """A CSV or Parquet file of ``n`` networks: the columns of `COLUMNS`, and `trained` where a method has a training
    set of its own."""
    content = io.read_bytes(path, MAX_BYTES + ROW_BYTES * n)
    if content.startswith(PACKED):
        raise BenchError(f"{path}: packed; give a plain CSV or Parquet file")
    kinds = {"network": pl.String, "prediction": pl.Float64} | ({"trained": pl.Boolean} if own else {})
    try:
        if path.suffix == ".parquet":
            frame = io.parse_parquet(content, path)
        else:
            frame = pl.read_csv(bytes_io.BytesIO(content), schema_overrides={"network": pl.String}, n_rows=MOST * n + 1)
        if frame.height > MOST * n:
            raise BenchError(f"{path}: over {MOST * n:,} rows for {n:,} networks; give one a network")
        if sorted(frame.columns) != sorted(kinds):
            raise BenchError(f"{path}: columns are {short(frame.columns)}, expected {list(kinds)}; rename or drop some")
        frame = frame.select(pl.col(name).cast(kind) for name, kind in kinds.items())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0][:MAX_REASON]
        raise BenchError(f"{path}: no table of {', '.join(kinds)}: {reason}; see docs/external_results.md") from error
    if (longest := frame["network"].str.len_bytes().max() or 0) > ROW_BYTES:
        raise BenchError(
            f"{path}: the name of a network has {longest:,} bytes, over {ROW_BYTES}; give that of the table"
        )
    return frame


def _ordered(path: Path, frame: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """`frame` in the order of graph_id. Raises BenchError unless every network has one finite prediction."""
    twice = frame.filter(pl.col("network").is_duplicated())
    if twice.height:
        raise BenchError(
            f"{path}: {twice['network'].n_unique()} networks stand there twice, such as {short(twice[0, 'network'])}"
        )
    strange = frame.filter(~pl.col("network").is_in(names.implode()) | pl.col("network").is_null())
    if strange.height:
        raise BenchError(
            f"{path}: {strange.height} networks are none of the data set's, such as {short(strange[0, 'network'])}"
        )
    missing = names.filter(~names.is_in(frame["network"].implode()))
    if missing.len():
        raise BenchError(
            f"{path}: {missing.len()} of {names.len()} networks have no prediction, such as {missing[0]!r}"
        )
    bad = frame.filter(~pl.col("prediction").is_finite() | pl.any_horizontal(pl.all().is_null()))
    if bad.height:
        raise BenchError(f"{path}: {bad.height} rows are empty or not finite, such as that of {bad[0, 'network']!r}")
    return names.alias("network").to_frame().join(frame, on="network", how="left", maintain_order="left")


def _scores(path: Path, about: Result, seed: int, frame: pl.DataFrame, tables: Tables) -> dict[str, dict]:
    labels = schema.sound(tables.targets).filter(target=about.target, device=about.device).sort("graph_id")
    dataset = datasets.get(about.dataset)
    split = splits.make_split(tables.graphs.height, about.dataset, seed, dataset.test_fraction)
    if about.training_set == "own":
        trained = np.flatnonzero(frame["trained"].to_numpy())
        if len(trained) != about.labels:
            raise BenchError(
                f"{path}: {len(trained)} networks are marked as trained on, result.yaml says {about.labels}"
            )
    else:
        trained = splits.training_ids(split, labels["graph_id"], about.labels).to_numpy()
    held_out = np.setdiff1d(split.filter(role="test")["graph_id"].to_numpy(), trained)
    if not len(held_out):
        raise BenchError(f"{path}: all networks that seed {seed} holds out were trained on; nothing is left to score")
    ids, true = labels["graph_id"].to_numpy(), labels["value"].to_numpy()
    predicted = frame["prediction"].to_numpy()[ids]
    masks = dict(zip(SPLITS, (np.ones(len(ids), dtype=bool), np.isin(ids, held_out)), strict=True))
    by_name = metrics.for_target(about.target)
    return {
        name: {metric: score(predicted[mask], true[mask]) for metric, score in by_name.items()}
        for name, mask in masks.items()
    }


def beside(scores: Path | str) -> list[Scored]:
    """The external results that belong to a table of scores; none without the file. Raises BenchError: not readable."""
    path = Path(scores).with_name(OUT)
    if not path.is_file():
        return []
    try:
        return [parse(raw) for raw in json.loads(io.read_bytes(path, MAX_SCORES))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BenchError(f"{path}: not readable ({quoted(error)}); delete it and score again") from error


def of_grid(results: Path, grid: grids.Grid, data: Path) -> list[Scored]:
    """The results below a folder that a grid has the data set, target and device of, scored. Raises BenchError."""
    asked = {(cell.dataset, cell.target, cell.device) for cell in grid.cells}
    found = {path: read(path) for path in sorted(results.glob(f"*/{FILE}"))}
    for path, about in found.items():
        if about.name != path.parent.name:
            raise BenchError(f"{path}: its name is {about.name!r}, its folder's is not; rename one of the two")
    fitting = {p: a.dataset for p, a in found.items() if (a.dataset, a.target, a.device) in asked}
    tables = {dataset: Tables.read(data / "parquet" / dataset) for dataset in set(fitting.values())}
    return [check(path, tables[dataset]) for path, dataset in fitting.items()]


def main() -> None:
    """Command line: score the external results that a grid's board shows."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.score.external", description="Score results from outside."
    )
    parser.add_argument("--grid", required=True, type=Path, help="a grid, e.g. config/benchmark.yaml")
    parser.add_argument("--external", default=Path("external"), type=Path, help="folder of results (default: external)")
    parser.add_argument("--data", default=Path("data"), type=Path, help="folder with parquet/")
    parser.add_argument("--out", required=True, type=Path, help="results/<grid>/external.json")
    args = parser.parse_args()
    made = of_grid(args.external, grids.load_grid(args.grid), args.data)
    io.write_bytes(args.out, json.dumps([result.dump() for result in made], indent=1, sort_keys=True).encode() + b"\n")


if __name__ == "__main__":
    run_cli(main)
