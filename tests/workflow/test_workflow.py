"""The real Snakefile and profile, run end to end on a copy of the project with a grid of seconds."""

from __future__ import annotations

import shutil
import tomllib

import polars as pl
import yaml

from tests.helpers.project_copy import (
    GRID,
    NOTHING,
    ROOT,
    TINY_PREDICTOR,
    errors,
    leftovers,
    predictions,
    run,
    snakemake,
    write_grid,
)


def test_a_run_makes_everything(finished):
    assert len(predictions(finished)) == 2
    scores = pl.read_parquet(finished / "results/benchmark/scores.parquet")
    assert set(scores["predictor"]) == {"mean", "op_counts"}
    board = (finished / "results/benchmark/leaderboard.md").read_text()
    assert "op_counts" in board
    assert (finished / "results/leaderboard.md").is_file()
    assert list((finished / "results/benchmark/plots").iterdir())
    assert not leftovers(finished)


def test_new_predictors_train_only_their_own_cells_and_the_board_shows_what_nn_former_looks_at(copy):
    before = predictions(copy)
    (copy / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    labels = {**GRID["predictors"], "node_count": {}, "nn_former": {"steps": 5, "layers": 1}}
    write_grid(copy, {**GRID, "predictors": labels})
    snakemake(copy)
    after = predictions(copy)
    assert {path: after[path] for path in before} == before
    one, other = sorted(set(after) - set(before))
    assert other == "results/predictions/synthetic201/test_acc/any/node_count/n60/0.parquet"
    assert "/nn_former" in one
    assert "node_count" in (copy / "results/leaderboard.md").read_text()
    assert pl.read_parquet(copy / "results/benchmark/attention.parquet")["head"].n_unique() == 4
    picture = "benchmark-what-NNFormer-looks-at"
    assert (copy / f"results/benchmark/html/{picture}.svg").is_file()
    assert f"plots/{picture}.png" in (copy / "results/benchmark/leaderboard.md").read_text()
    assert NOTHING in snakemake(copy).stdout


def test_a_broken_grid_is_one_line(copy):
    """What else breaks a grid: tests/config/test_grid.py."""
    write_grid(copy, {**GRID, "colour": "red"})
    done = snakemake(copy, "-n", check=False)
    assert done.returncode == 1
    (said,) = errors(done.stdout)
    assert "config/benchmark.yaml: " in said and "unknown key colour" in said
    assert "Traceback" not in done.stdout


def test_another_grid_shares_the_cells_it_has_in_common(copy):
    """One value for all networks is no ranking: nothing is drawn, and the board is written."""
    before = predictions(copy)
    grid = {**GRID, "grid": "other", "timeout_s": 60, "predictors": {"mean": {}}}
    (copy / "config/other.yaml").write_text(yaml.safe_dump(grid))
    output = snakemake(copy, "--configfile", "config/other.yaml").stdout
    assert "Train" not in output
    assert predictions(copy) == before
    assert "undefined" in (copy / "results/other/leaderboard.md").read_text()
    assert "[other](other/leaderboard.md)" in (copy / "results/leaderboard.md").read_text()


def test_all_boards_are_made_again_without_data_or_predictions(copy):
    board, front_page = copy / "results/benchmark/leaderboard.md", copy / "results/leaderboard.md"
    before = board.read_bytes(), front_page.read_bytes()
    for folder in ("data", "results/predictions", "results/benchmark/html"):
        shutil.rmtree(copy / folder)
    board.unlink()
    front_page.write_text("edited")
    snakemake(copy, "boards")
    assert (board.read_bytes(), front_page.read_bytes()) == before
    assert (copy / "results/benchmark/html/leaderboard.html").is_file()


def test_snakemake_report(copy):
    snakemake(copy, "--report", "report.html")
    assert (copy / "report.html").stat().st_size > 0


def test_workflow_is_clean():
    assert "in a good condition" in run(ROOT, "snakemake", "--lint").stdout
    run(ROOT, "snakefmt", "--check", "Snakefile", "workflow")
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60


def test_conda_environment_has_the_pins_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    environment_file = yaml.safe_load((ROOT / "workflow/envs/bench.yaml").read_text())
    assert set(environment_file["dependencies"][-1]["pip"]) <= set(project)
    assert all("==" in pin for pin in project)


def test_make_help():
    lines = run(ROOT, "make", "help", "--no-print-directory").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["help", "leaderboard", "test", "pull"]
