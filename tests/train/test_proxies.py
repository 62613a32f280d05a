"""A cell whose label asks for zero-cost proxies is given those of its data set's table, and no other cell is."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import torch

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.train.cell import Tables, train
from tests.helpers.tiny_tables import N, tiny_tables, write

TABLE = pl.DataFrame({"graph_id": range(N), "zen": [float(i % 7) for i in range(N)]}).cast(
    {"graph_id": pl.UInt32, "zen": pl.Float32}
)


def spec(label: str, **settings) -> CellSpec:
    return CellSpec.from_values("tiny", "test_acc", label, "n12", overrides=settings)


def test_a_label_that_asks_is_given_them():
    trained = train(spec("proxy-zen", proxies=True, which="zen"), replace(tiny_tables(), proxies=TABLE), "cpu")
    assert trained.about["status"] == "ok", trained.about["message"]
    assert torch.equal(trained.prediction, torch.from_numpy(TABLE["zen"].to_numpy()).double())


@pytest.mark.parametrize("table", [None, TABLE.select("graph_id")])
def test_a_data_set_without_them_is_unsupported(table):
    trained = train(spec("gbdt-proxies", proxies=True), replace(tiny_tables(), proxies=table), "cpu")
    assert (trained.about["status"], trained.about["message"]) == ("unsupported", "the data set lacks proxies")


def test_a_predictor_that_takes_none_says_so():
    trained = train(spec("op_counts", proxies=True), replace(tiny_tables(), proxies=TABLE), "cpu")
    assert trained.about["status"] == "error" and "takes no proxies" in trained.about["message"]


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (TABLE.head(5), "5 rows for 60 graphs"),
        (TABLE.reverse(), "graph_id is not 0, 1, 2"),
        (TABLE.with_columns(zen=pl.lit(float("nan"), pl.Float32)), "NaN"),
        (TABLE.with_columns(zen=pl.lit("a")), "column zen is String"),
    ],
)
def test_a_spoilt_table_is_one_clear_line(spoilt, message):
    with pytest.raises(BenchError, match=message):
        schema.check_proxies(spoilt, N)


def test_the_table_is_read_where_it_is_asked_for(tmp_path):
    write(tmp_path)
    files = tmp_path, tmp_path / "split.parquet", "tiny", 0
    assert Tables.read(*files).proxies is None
    with pytest.raises(BenchError, match=r"proxies\.parquet"):
        Tables.read(*files, proxies=True)
    path, graphs = tmp_path / "proxies.parquet", io.read_meta(tmp_path / "graphs.parquet")["content"]
    table_checks.write(path, TABLE, {}, graphs)
    assert Tables.read(*files, proxies=True).proxies.equals(TABLE)
    for table, of, said in (
        (TABLE, "0" * 32, "of other graphs than those in graphs.parquet"),
        (TABLE.with_columns(pl.col("zen").reverse()), graphs, "changed since it was written"),
    ):
        table_checks.write(path, TABLE, {}, of)
        io.write_parquet(path, table, io.read_meta(path))
        with pytest.raises(BenchError, match=f"{said}; delete the file and make it again"):
            Tables.read(*files, proxies=True)
    table_checks.write(path, TABLE.head(5), {}, graphs)
    with pytest.raises(BenchError, match=r"proxies\.parquet: 5 rows for 60 graphs"):
        Tables.read(*files, proxies=True)
