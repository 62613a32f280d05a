"""Scores are of the graphs their split names: predictions that are right on some graphs and wrong on the others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.score import score
from tests.helpers.score_fixtures import DATASET, N_GRAPHS, make_cell, make_data, write_predictions

# The cell is trained on graphs 0 to 3, which are the same networks as 10 to 13; 16 to 19 are held out.
OF_SPLIT = {"test": {16, 17, 18, 19}, "novel": {*range(4, 10), *range(14, 20)}, "all": set(range(N_GRAPHS))}


@pytest.mark.parametrize("split", OF_SPLIT)
def test_a_split_is_scored_on_its_own_graphs(tmp_path, monkeypatch, split):
    """Predictions are right on the split's graphs alone: tau is 1 there and below 1 on a split with others."""
    monkeypatch.chdir(tmp_path)
    data, cell = score.Data(make_data(tmp_path)), make_cell()
    ids = np.arange(N_GRAPHS, dtype=float)  # labels grow with the id
    write_predictions(cell, np.where(np.isin(ids, list(OF_SPLIT[split])), 50 + ids, 50 - ids))
    taus = dict(score.score([cell], data).filter(metric="kendall_tau").select("split", "value").iter_rows())
    right = {name for name, graphs in OF_SPLIT.items() if graphs <= OF_SPLIT[split]}
    assert {name for name, tau in taus.items() if tau == pytest.approx(1.0)} == right


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("parquet/synthetic_toy/graphs", "iso"),
        ("parquet/synthetic_toy/targets", "value"),
        ("splits/synthetic_toy/0", "rank"),
    ],
)
def test_tables_changed_since_they_were_written_are_not_scored(tmp_path, monkeypatch, file, column):
    monkeypatch.chdir(tmp_path)
    data = score.Data(make_data(tmp_path, seeds=2))
    write_predictions(make_cell(), 50.0 + np.arange(N_GRAPHS))
    path = data.root / f"{file}.parquet"
    key = "role" if column == "rank" else pl.lit(0)
    changed = io.read_parquet(path).with_columns(pl.col(column).reverse().over(key))
    io.write_parquet(path, changed, io.read_meta(path))
    with pytest.raises(BenchError, match=f"{path}: changed since it was written; delete the file and"):
        score.score([make_cell()], data)


@pytest.mark.hostile("tables")
def test_the_split_of_another_seed_is_not_scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = score.Data(make_data(tmp_path, seeds=2))
    write_predictions(make_cell(), 50.0 + np.arange(N_GRAPHS))
    path = data.root / "splits" / DATASET / "0.parquet"
    path.write_bytes(path.with_name("1.parquet").read_bytes())
    with pytest.raises(BenchError, match=f"{path}: of seed 1, not 0; delete the file and split again"):
        score.score([make_cell()], data)
