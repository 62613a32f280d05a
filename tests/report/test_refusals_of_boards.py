"""What a board can't be made from, and what it shows as such: duplicates, gaps, NaN, mixed versions; and --check."""

import math
from pathlib import Path

import polars as pl
import pytest

from pipeline.core.errors import BenchError
from pipeline.report import report, sections
from pipeline.score import score_table, scores
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, grid_of, table_of
from tests.helpers.score_fixtures import DATASET, score_rows_of


def changed(column: str, value: object, predictor: str = "gbdt", seed: int = 0) -> pl.DataFrame:
    """TAUS with one column of one predictor's seed changed."""
    rows = score_rows_of(TAUS)
    at = (pl.col("seed") == seed) & (pl.col("predictor") == predictor)
    return rows.with_columns(pl.when(at).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def test_duplicate_rows_are_refused():
    rows = score_rows_of(TAUS)
    with pytest.raises(
        BenchError, match=r"scores: 2 rows share their key, for one dataset=synthetic_toy.*list each cell"
    ):
        table_of(TAUS, pl.concat([rows, rows.head(1)]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_are_refused(value):
    with pytest.raises(BenchError, match="scores: column value holds NaN or infinity; score again"):
        table_of(TAUS, changed("value", value))


def test_an_unknown_status_is_refused():
    with pytest.raises(BenchError, match="scores: unknown status lost"):
        table_of(TAUS, changed("status", "lost"))


def test_a_missing_column_is_refused():
    with pytest.raises(BenchError, match="scores: wrong, missing or misplaced columns"):
        table_of(TAUS, score_rows_of(TAUS).drop("n_val"))


def test_two_versions_of_a_data_set_are_refused():
    with pytest.raises(BenchError, match=r"scores: synthetic_toy was run with two versions of the data \(v0 and v1\)"):
        table_of(TAUS, changed("dataset_version", "v1"))


def test_a_label_with_two_configurations_is_refused():
    with pytest.raises(BenchError, match="gbdt was run with two configurations"):
        table_of(TAUS, changed("config_hash", "0000"))


def test_scores_of_another_grid_are_refused():
    rows = score_rows_of({**TAUS, ("mlp", "0.01", 0): 0.5})
    with pytest.raises(BenchError, match="synthetic_toy direct test_acc any mlp .* is not a cell of the grid"):
        table_of(TAUS, rows)


def test_two_code_revisions_stand_in_the_line_below_the_table():
    assert "code abc1234, def5678" in sections.provenance_line(table_of(TAUS, changed("code_rev", "def5678")))


def test_a_missing_cell_prints_as_a_dash_and_is_named():
    rows = score_rows_of(TAUS).filter(~((pl.col("predictor") == "gbdt") & (pl.col("budget") == "0.05")))
    table = table_of(TAUS, rows)
    row = next(line for line in sections.main_table(table) if "`gbdt`" in line)
    assert row == "| `gbdt` | 0.710 ± 0.127 | – | – | – | – | – |"
    assert "- `gbdt`, 50 labels: missing (seed 0, 1)" in sections.failures(table, {})


def command(monkeypatch, out: Path, *more: str) -> None:
    arguments = ["--scores", f"{out}/scores.parquet", "--grid", "config/tiny.yaml", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["report", *arguments, *more])
    report.main()


@pytest.fixture
def board(tmp_path, monkeypatch):
    """The folder of a finished board of made-up scores; the working folder is its root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scores.grids, "load_grid", lambda path: grid_of(RANKED))
    monkeypatch.setattr(scores.datasets, "load", lambda: {DATASET: ABOUT})
    out = Path("results/tiny")
    score_table.write(out / "scores.parquet", score_rows_of(RANKED))
    command(monkeypatch, out)
    return out


def test_a_board_follows_from_its_scores(board, monkeypatch, capsys):
    command(monkeypatch, board, "--check")
    assert "follows from" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["leaderboard.md", "metrics.json"])
def test_an_edited_board_does_not(board, monkeypatch, name):
    path = board / name
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "0.8" in line)
    path.write_text("\n".join([*lines[:at], lines[at].replace("0.8", "0.9"), *lines[at + 1 :]]) + "\n")
    with pytest.raises(BenchError, match=rf"{Path(name).name}: line {at + 1} does not follow from the scores"):
        command(monkeypatch, board, "--check")


def test_changed_scores_make_the_board_stale(board, monkeypatch):
    rows = score_table.read(board / "scores.parquet")
    score_table.write(board / "scores.parquet", rows.with_columns(value=pl.col("value") * 0.99))
    with pytest.raises(BenchError, match="does not follow from the scores; run the report step"):
        command(monkeypatch, board, "--check")


def test_a_board_without_one_of_its_files_is_found_out(board, monkeypatch):
    (board / "metrics.json").unlink()
    with pytest.raises(BenchError, match="metrics.json: cannot read"):
        command(monkeypatch, board, "--check")
    command(monkeypatch, board)
    next((board / "plots").glob("*.png")).unlink()
    with pytest.raises(BenchError, match="leaderboard.md: line"):
        command(monkeypatch, board, "--check")


def test_check_writes_nothing(board, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in board.parent.rglob("*")}
    command(monkeypatch, board, "--check")
    assert {path: path.stat().st_mtime_ns for path in board.parent.rglob("*")} == before
