"""Scoring: the right graphs in each split, honest rows for failed runs, refusal of files that are not the cell's."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.core import io, schema
from pipeline.core.errors import BenchError
from pipeline.score import score, score_table
from tests.helpers.board_fixtures import ABOUT
from tests.helpers.score_fixtures import (
    DATASET,
    N_GRAPHS,
    make_cell,
    make_data,
    rewrite,
    score_rows_of,
    write_predictions,
)

IDS = np.arange(N_GRAPHS, dtype=float)


@pytest.fixture
def data(tmp_path, monkeypatch) -> score.Data:
    monkeypatch.chdir(tmp_path)
    return score.Data(make_data(tmp_path, seeds=2))


def value(rows: pl.DataFrame, metric: str, split: str = "all", **where) -> float | None:
    picked = rows.filter(metric=metric, split=split, **where)
    assert picked.height == 1
    return picked["value"][0]


def test_the_splits_hold_the_right_graphs(data):
    cell = make_cell()
    write_predictions(cell, 50 + IDS)
    rows = score.score([cell], data)
    # Trained on 0..3: their classes are also those of 10..13, so 20 - 8 classes are new.
    assert {s: value(rows, "n_scored", s) for s in ("test", "all", "novel")} == {"test": 4, "all": 20, "novel": 12}
    assert value(rows, "kendall_tau") == pytest.approx(1.0)


def test_networks_whose_labels_were_for_validation_are_not_novel(data):
    cell = make_cell(budget="n2-val2")
    write_predictions(cell, 50 + IDS, n_val=2)
    assert value(score.score([cell], data), "n_scored", "novel") == 12  # as if all four had been trained on


def test_networks_that_compute_what_a_training_network_computes(data, tmp_path, monkeypatch):
    """Graphs 2 k and 2 k + 1 are chains of k convolutions, the second with a skip: of 0 to 2, one more is known."""
    chains = [[0, *[3] * (i // 2), *[2] * (i % 2), 1] for i in range(N_GRAPHS)]
    ends = [list(range(len(chain))) for chain in chains]
    change = lambda graphs: graphs.with_columns(  # noqa: E731
        iso=pl.col("graph_id").cast(pl.UInt64), op=pl.Series(chains), n_nodes=pl.Series(map(len, chains)),
        src=pl.Series([nodes[:-1] for nodes in ends]), dst=pl.Series([nodes[1:] for nodes in ends]),
    ).cast(dict(schema.GRAPHS))  # fmt: skip
    rewrite(tmp_path / "data", change, op_vocab=["input", "output", "skip", "conv"])
    cells = [make_cell(budget="n3"), make_cell(budget="n3", target="lat_ms", device="phone")]
    for cell in cells:
        write_predictions(cell, 50 + IDS)
    monkeypatch.setattr(score.datasets, "load", lambda: {DATASET: replace(ABOUT, identity=("skip",))})
    rows = score.score(cells, data)
    counts = {s: value(rows, "n_scored", s, target="val_acc") for s in ("novel", "novel_function")}
    assert counts == {"novel": 17, "novel_function": 16}
    assert set(rows.filter(target="lat_ms")["split"]) == {"test", "all", "novel", "run"}  # an identity costs time


def test_without_identity_operations_there_is_no_split_by_function(data):
    write_predictions(make_cell(), 50 + IDS)
    assert "novel_function" not in set(score.score([make_cell()], data)["split"])


def test_a_missing_label_is_neither_trained_on_nor_scored(data):
    cell = make_cell(target="lat_ms", device="phone")
    write_predictions(cell, 1.1 * (1 + IDS))
    rows = score.score([cell], data)
    # Graph 1 has no latency: trained on 0, 2, 3, 4; not new: those, and 10, 12, 13.
    assert value(rows, "n_scored") == 19
    assert value(rows, "n_scored", "novel") == 12
    assert value(rows, "mape") == pytest.approx(10.0, abs=1e-4)
    assert value(rows, "acc5") == 0.0


def test_a_faulty_label_is_left_out_and_counted_unless_the_budget_takes_it(data, tmp_path):
    faulty = (pl.col("target") == "lat_ms") & pl.col("graph_id").is_in([0, 19])
    rewrite(tmp_path / "data", targets=lambda labels: labels.with_columns(faulty=faulty))
    cells = [make_cell(target="lat_ms", device="phone", budget=word) for word in ("n4", "n4-faulty")]
    for cell in cells:
        write_predictions(cell, 1.1 * (1 + IDS))
    rows = score.score(cells, data)
    assert value(rows, "n_scored", budget="n4") == 17 and value(rows, "n_scored", budget="n4-faulty") == 19
    assert [data.training_set(cell).rows["graph_id"].to_list() for cell in cells] == [[2, 3, 4, 5], [0, 2, 3, 4]]
    assert data.n_faulty(DATASET, "lat_ms", "phone") == 2 and data.n_faulty(DATASET, "val_acc", "any") == 0


def test_tnasp_scores_one_file_on_both_labels(data):
    cells = [make_cell(protocol="direct"), make_cell(protocol="tnasp")]
    write_predictions(cells[0], 50 + IDS)
    rows = score.score(cells, data)
    score_table.check(rows, "rows")
    assert value(rows, "kendall_tau", protocol="tnasp", scored_on="val_acc") == pytest.approx(1.0)
    assert value(rows, "kendall_tau", protocol="tnasp", scored_on="test_acc") == pytest.approx(-1.0)
    assert set(rows["target"]) == {"val_acc"}


def test_run_costs_are_carried_over(data):
    cell = make_cell()
    write_predictions(cell, 50 + IDS)
    rows = score.score([cell], data)
    assert value(rows, "fit_cpu_s", "run") == 2.5
    assert value(rows, "n_params", "run") == 7
    assert rows.filter(split="run").height == len(score_table.RUN_METRICS)


def test_constant_predictions_have_no_tau_and_no_nan(data):
    cell = make_cell()
    write_predictions(cell, np.full(N_GRAPHS, 60.0))
    rows = score.score([cell], data)
    assert value(rows, "kendall_tau") is None
    assert rows["value"].drop_nulls().is_finite().all()
    assert set(rows["status"]) == {"ok"}


@pytest.mark.parametrize("status", ["diverged", "timeout", "unsupported"])
def test_a_run_that_failed_has_rows_without_values(data, status):
    cell = make_cell()
    write_predictions(cell, [], status=status, predict_s=None, n_params=None)
    rows = score.score([cell], data)
    assert set(rows["status"]) == {status}
    assert rows.filter(pl.col("split") != "run")["value"].null_count() == 9
    assert value(rows, "fit_s", "run") == 1.5


def test_a_missing_file_is_named(data):
    write_predictions(make_cell(), 50 + IDS)
    with pytest.raises(BenchError, match=r"linear/n4/1\.parquet: predictions are missing"):
        score.score([make_cell(), make_cell(seed=1)], data)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("dataset", "other"), ("dataset_version", "v1"), ("target", "test_acc"), ("device", "phone"), ("seed", 1),
        ("predictor", "mean"), ("budget", "n5"), ("n_train", 5), ("status", "fine"),
    ],
)  # fmt: skip
def test_a_file_of_another_cell_is_refused(data, name, wrong):
    path = write_predictions(make_cell(), 50 + IDS, **{name: wrong})
    with pytest.raises(BenchError, match=rf"^{path}: .*{name}"):
        score.score([make_cell()], data)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("name", ["dataset_version", "predictor", "status", "seed"])
@pytest.mark.parametrize("wrong", ["x" * 10**5, [[0] * 10**5], {"x" * 10**5: 0}])
def test_a_long_value_is_not_quoted_whole(data, name, wrong):
    path = write_predictions(make_cell(), 50 + IDS, **{name: wrong})
    with pytest.raises(BenchError, match=rf"^{path}: .*{name}") as caught:
        score.score([make_cell()], data)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_a_file_of_another_configuration_is_refused(data):
    cell = make_cell(label="linear-deep", overrides={"depth": 3, "preset": "paper"})
    write_predictions(cell, 50 + IDS)
    with pytest.raises(BenchError, match=r"config\.depth is 2, the grid and data say 3"):
        score.score([cell], data)
    write_predictions(cell, 50 + IDS, config={"depth": 3})
    assert score.score([cell], data).height


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("n_val", None), ("n_val", "0"), ("n_source", -1), ("n_val", 10**400), ("config_hash", 7), ("message", ["x"]),
        ("fit_cpu_s", "fast"), ("n_params", [7]), ("host_cpu", {"a": 1}), ("finished_at", 5),
        ("host_cpu", "\udcff"), ("config_hash", "\ud800"), ("fit_s", -1e-9), ("n_params", -7), ("peak_mem_mb", -1),
        ("predict_cpu_s", 1e101), ("n_val", "x" * 10**5),
    ],
)  # fmt: skip
def test_metadata_of_another_kind_is_one_line(data, name, wrong):
    path = write_predictions(make_cell(), 50 + IDS, **{name: wrong})
    with pytest.raises(BenchError, match=rf"^{path}: {name} is ") as caught:
        score.score([make_cell()], data)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", [pl.Float64, pl.String])
def test_predictions_of_another_type_are_one_line(data, kind):
    frame = pl.DataFrame({"graph_id": range(N_GRAPHS), "prediction": IDS}).cast({"prediction": kind})
    write_predictions(make_cell(), [], frame)
    with pytest.raises(BenchError, match="columns are .*; delete it and run again"):
        score.score([make_cell()], data)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_nan_and_infinite_predictions_are_refused(data, bad):
    write_predictions(make_cell(), [*(50 + IDS[:-1]), bad])
    with pytest.raises(BenchError, match="NaN, infinite or missing"):
        score.score([make_cell()], data)


def test_one_prediction_for_each_graph(data):
    for ids in ([*range(N_GRAPHS - 1)], [0, *range(N_GRAPHS - 1)]):
        frame = pl.DataFrame(
            {"graph_id": pl.Series(ids, dtype=pl.UInt32), "prediction": pl.Series(ids, dtype=pl.Float32)}
        )
        write_predictions(make_cell(), [], frame)
        with pytest.raises(BenchError, match="not one for each of 20 graphs"):
            score.score([make_cell()], data)


def test_the_order_of_rows_in_a_file_does_not_matter(data):
    cell = make_cell()
    write_predictions(cell, 50 + IDS + np.sin(IDS))
    first = score.score([cell], data)
    write_predictions(cell, [], io.read_parquet(cell.path).reverse())
    assert score.score([cell], data).equals(first)


def test_a_truncated_file_is_named(data):
    path = write_predictions(make_cell(), 50 + IDS)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BenchError, match=f"{path}: "):
        score.score([make_cell()], data)


def test_a_label_given_twice_is_refused(data):
    rewrite(data.root, targets=lambda labels: pl.concat([labels, labels.head(1)]))
    write_predictions(make_cell(), 50 + IDS)
    with pytest.raises(BenchError, match="two labels"):
        score.score([make_cell()], data)


def test_the_same_input_gives_the_same_bytes(data, tmp_path, monkeypatch):
    cells = [make_cell(), make_cell(seed=1)]
    for cell in cells:
        write_predictions(cell, 50 + IDS)
    fake = type("FakeGrid", (), {"cells": tuple(cells)})
    monkeypatch.setattr(score.grids, "load_grid", lambda path: fake)
    monkeypatch.setattr(score.datasets, "load", lambda: {DATASET: ABOUT})
    outputs = []
    for name in ("a.parquet", "b.parquet"):
        arguments = ["score", "--grid", "g.yaml", "--data", str(tmp_path / "data"), "--out", str(tmp_path / name)]
        monkeypatch.setattr("sys.argv", arguments)
        score.main()
        outputs.append(Path(name).read_bytes())
    assert outputs[0] == outputs[1]
    assert score_table.read(Path("a.parquet")).columns == list(score_table.SCHEMA)


def test_duplicate_rows_are_never_written(tmp_path):
    rows = score_rows_of({("mean", "n4", 0): 0.5})
    with pytest.raises(BenchError, match="share their key"):
        score_table.write(tmp_path / "s.parquet", pl.concat([rows, rows]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.drop("seed"), "columns"),
        (lambda r: r.with_columns(value=pl.lit(math.nan)), "NaN"),
        (lambda r: r.with_columns(value=pl.lit(1e101)), r"a number beyond 1e\+100; score again"),
        (lambda r: r.with_columns(value=pl.lit(-1e101)), r"a number beyond 1e\+100; score again"),
        (lambda r: r.with_columns(status=pl.lit("fine")), "unknown status fine"),
        (lambda r: r.with_columns(seed=pl.lit(None, dtype=pl.UInt32)), "column seed has empty cells"),
    ],
)
def test_a_table_that_breaks_the_schema_is_refused(tmp_path, change, message):
    path = tmp_path / "s.parquet"
    io.write_parquet(path, change(score_rows_of({("mean", "n4", 0): 0.5})), {})
    with pytest.raises(BenchError, match=message):
        score_table.read(path)
