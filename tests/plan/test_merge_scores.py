"""Scores of cells that were not run again stay exactly where a repeat of their kind says what it said."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import grid as grids
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.plan import merge_scores
from pipeline.score import score, score_table
from tests.helpers.board_fixtures import ABOUT
from tests.helpers.score_fixtures import DATASET, N_GRAPHS, make_cell, make_data, write_predictions

IDS = np.arange(N_GRAPHS, dtype=float)
OUT = Path("results/tiny/scores.parquet")


@pytest.fixture
def cells(tmp_path, monkeypatch) -> list:
    """Two kinds of two seeds each, one of which failed; scored once, their predictions gone since."""
    monkeypatch.chdir(tmp_path)
    data = score.Data(make_data(tmp_path, seeds=2))
    monkeypatch.setattr(score.datasets, "load", lambda: {DATASET: ABOUT})
    cells = [make_cell(label=label, seed=seed) for label in ("gbdt", "mlp") for seed in (0, 1)]
    grid = grids.Grid("tiny", "config/tiny.yaml", "cpu", 60, None, tuple(cells))
    monkeypatch.setattr(grids, "load_grid", lambda path: grid)
    for cell in cells[:-1]:
        write_predictions(cell, IDS * (-1) ** cell.seed)
    write_predictions(cells[-1], [], status="timeout", message="too slow")
    score_table.write(OUT, score.score(cells, data), [], [[DATASET, "val_acc", "any", "mlp", "n4", 1, "too slow"]])
    for cell in cells:
        Path(cell.path).unlink()
    return cells


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["merge_scores", "--grid", "config/tiny.yaml", *arguments])
    merge_scores.main()


def missing(monkeypatch, capsys) -> list[str]:
    command(monkeypatch, "--missing")
    return capsys.readouterr().out.split()


def paths(*cells) -> list[str]:
    return [cell.path for cell in cells]


def test_before_any_repeat_one_cell_a_kind_is_missing(cells, monkeypatch, capsys):
    assert missing(monkeypatch, capsys) == paths(cells[0], cells[2])
    with pytest.raises(BenchError, match="1 more: missing"):
        command(monkeypatch)


def test_rows_are_taken_over_where_the_repeat_is_the_same(cells, monkeypatch, capsys):
    before = score_table.read(OUT)
    for cell in (cells[0], cells[2]):
        write_predictions(cell, IDS, code_rev="another", fit_cpu_s=99.0)
    assert missing(monkeypatch, capsys) == []
    command(monkeypatch)
    after = score_table.read(OUT)
    old, new = after.filter(seed=1), after.filter(seed=0)
    assert old.equals(before.filter(seed=1)) and set(new["code_rev"]) == {"another"}
    assert set(new.filter(metric="fit_cpu_s")["value"]) == {99.0}
    assert io.read_meta(OUT)["messages"] == [[DATASET, "val_acc", "any", "mlp", "n4", 1, "too slow"]]


def test_rows_taken_over_have_the_hash_of_todays_settings(cells, monkeypatch):
    for cell in (cells[0], cells[2]):
        write_predictions(cell, IDS, config_hash="deadbeef")
    command(monkeypatch)
    assert set(score_table.read(OUT)["config_hash"]) == {"deadbeef"}


def test_none_is_taken_over_where_the_repeat_differs(cells, monkeypatch, capsys):
    """Two networks in another order are enough."""
    swapped = [0, 1, 2, 3, 5, 4, *range(6, N_GRAPHS)]
    write_predictions(cells[0], IDS[swapped])
    write_predictions(cells[2], IDS)
    assert missing(monkeypatch, capsys) == paths(cells[1])
    with pytest.raises(BenchError, match="missing"):
        command(monkeypatch)
    write_predictions(cells[1], IDS)
    command(monkeypatch)
    assert not score_table.read(OUT).filter(predictor="gbdt", seed=1, metric="kendall_tau", value=-1).height


def test_cells_that_never_ran_are_missing_beside_the_repeat(cells, monkeypatch, capsys):
    score_table.write(OUT, score_table.read(OUT).filter(predictor="gbdt", seed=1))
    assert missing(monkeypatch, capsys) == paths(*cells)
    OUT.unlink()
    assert missing(monkeypatch, capsys) == paths(*cells)
