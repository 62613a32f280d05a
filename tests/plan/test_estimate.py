"""The cost of a grid before it is run, from hand-worked timings."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import datasets
from pipeline.config.grid import load_grid
from pipeline.core.paths import ROOT
from pipeline.plan import estimate
from pipeline.plan.estimate import Timing
from pipeline.score import score_table
from tests.helpers.score_fixtures import score_rows_of


def test_fit_is_interpolated_between_sizes_and_grows_in_proportion_beyond():
    timing = Timing(np.array([100, 300]), np.array([10.0, 30.0]), 0.001)
    assert timing.cell_s(200, 1000) == pytest.approx(20 + 1)
    assert timing.cell_s(600, 0) == pytest.approx(60)
    assert timing.cell_s(10, 0) == pytest.approx(10)


def test_timings_are_means_over_runs(tmp_path):
    rows = score_rows_of({("mean", "0.05", 0): 0.5, ("mean", "0.05", 1): 0.4, ("mlp", "0.1", 0): "timeout"})
    score_table.write(tmp_path / "scores.parquet", rows)
    timed = estimate.timings([tmp_path / "scores.parquet"], {rows["dataset"][0]: 500})
    assert set(timed) == {"mean"}
    assert timed["mean"].labels.tolist() == [50]
    assert timed["mean"].fit_s.tolist() == [10.0]
    assert timed["mean"].predict_s == pytest.approx(1 / 500)


def test_done_cells_cost_nothing_and_untimed_ones_are_named():
    grid = load_grid(ROOT / "config" / "benchmark.yaml")
    timed = {name: Timing(np.array([1]), np.array([36.0]), 0.0) for name in ("mean", "mlp")}
    one = [cell for cell in grid.cells if cell.label == "mean" and cell.seed == 0]
    lines = estimate.table(grid, datasets.load(), timed, {cell.path for cell in one})
    mean = next(line for line in lines if line.startswith("mean "))
    sizes = [78, 156, 781, 1563]
    assert mean.split() == ["mean", "12", "8", f"{2 * sum(sizes) * 36 / 3600:.2f}"]
    assert "not timed" in next(line for line in lines if line.startswith("gbdt "))
    assert any("never timed" in line for line in lines)


def test_labels_of_other_devices_count_where_the_predictor_learns_from_them():
    grid = load_grid(ROOT / "config" / "transfer.yaml")
    cell = next(cell for cell in grid.cells if cell.protocol == "nasflat_nd")
    about = datasets.load()[cell.dataset]
    assert cell.budget.amount == "10" and len(cell.sources.devices) == 9 and cell.sources.labels == 900
    assert estimate.cell_labels(cell, about, transfers=True) == 9 * 900 + 10
    assert estimate.cell_labels(cell, about, transfers=False) == 10


def test_timings_know_who_learns_from_other_devices(tmp_path):
    rows = score_rows_of({("help", "n10", 0): 0.5}, n_source=90).vstack(score_rows_of({("mlp", "n10", 0): 0.4}))
    score_table.write(tmp_path / "scores.parquet", rows)
    timed = estimate.timings([tmp_path / "scores.parquet"], {rows["dataset"][0]: 500})
    assert {name: (timing.labels.tolist(), timing.transfers) for name, timing in timed.items()} == {
        "help": ([100], True), "mlp": ([10], False),
    }  # fmt: skip
