"""The real Snakefile, profile and DVC stages, run end to end on a copy of the project with a grid of seconds."""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline.core.errors import BenchError
from pipeline.plan.code_keys import code_files
from pipeline.plan.run_lock import take_over
from tests.helpers.project_copy import (
    GRID,
    ROOT,
    TINY_PREDICTOR,
    copy_project,
    kill_when,
    leftovers,
    predictions,
    quality,
    run,
    snakemake,
    with_predictor,
    write_grid,
)
from tests.helpers.small_disk import small_disk

NOTHING = "Nothing to be done"
MADE_IN_TURN = (
    "data/raw/*/*",
    "data/parquet/*/*.parquet",
    "data/splits/*/*.parquet",
    "results/predictions/**/*.parquet",
    "results/*/scores.parquet",
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy in which the default run has ended. Read only: tests that change something take `copy`."""
    folder = copy_project(tmp_path_factory.mktemp("finished") / "bench")
    snakemake(folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A copy of `finished`, time stamps and Snakemake's records included."""
    return Path(shutil.copytree(finished, tmp_path / "bench"))


def errors(output: str) -> list[str]:
    """The lines that begin with `error:`."""
    return [line.strip() for line in output.splitlines() if line.strip().startswith("error:")]


def touch_everything(folder: Path) -> None:
    """Give code, configs and tables new time stamps, the code newer than the predictions."""
    patterns = ["results/**/*.parquet", "data/**/*.parquet", "data/raw/*/.fetched", "**/*.py", "config/*"]
    for number, pattern in enumerate(patterns):
        for path in folder.glob(pattern):
            os.utime(path, (time.time() + number - 6, time.time() + number - 6))


def test_a_run_makes_everything(finished):
    assert len(predictions(finished)) == 2
    scores = pl.read_parquet(finished / "results/benchmark/scores.parquet")
    assert set(scores["predictor"]) == {"mean", "op_counts"}
    board = (finished / "results/benchmark/leaderboard.md").read_text()
    assert "op_counts" in board
    assert (finished / "results/leaderboard.md").is_file()
    assert list((finished / "results/benchmark/plots").iterdir())
    assert not leftovers(finished)


def test_a_second_run_does_nothing(copy):
    before = predictions(copy)
    assert NOTHING in snakemake(copy).stdout
    assert predictions(copy) == before


def test_new_time_stamps_train_nothing(copy):
    """As after a `git checkout` or `dvc checkout`, which do not keep them."""
    touch_everything(copy)
    before = predictions(copy)
    assert NOTHING in snakemake(copy).stdout
    assert predictions(copy) == before


def test_limits_and_comments_of_the_grid_train_nothing(copy):
    before = predictions(copy)
    write_grid(copy, {**GRID, "timeout_s": 600, "torch_device": "auto"})
    assert NOTHING in snakemake(copy, "train").stdout
    assert predictions(copy) == before


def test_a_new_predictor_trains_only_its_own_cells(copy):
    before = predictions(copy)
    (copy / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    write_grid(copy, with_predictor(GRID, "node_count"))
    snakemake(copy)
    after = predictions(copy)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {"results/predictions/synthetic201/test_acc/any/node_count/n60/0.parquet"}
    assert "node_count" in (copy / "results/leaderboard.md").read_text()


def test_the_board_shows_what_nn_former_looks_at(copy):
    write_grid(copy, {**GRID, "predictors": {**GRID["predictors"], "nn_former": {"steps": 5, "layers": 1}}})
    snakemake(copy)
    assert pl.read_parquet(copy / "results/benchmark/attention.parquet")["head"].n_unique() == 4
    picture = "benchmark-what-NNFormer-looks-at"
    assert (copy / f"results/benchmark/html/{picture}.svg").is_file()
    assert f"plots/{picture}.png" in (copy / "results/benchmark/leaderboard.md").read_text()
    assert NOTHING in snakemake(copy).stdout


def test_changed_code_of_a_predictor_trains_only_its_own_cells(copy):
    before = predictions(copy)
    with (copy / "predictors/mean.py").open("a") as file:
        file.write("\n# changed\n")
    snakemake(copy, "train")
    changed = {path for path, stamp in predictions(copy).items() if stamp != before[path]}
    assert changed == {path for path in before if "/mean/" in path}


def test_changed_code_of_the_fetcher_and_the_converter_is_one_run(copy):
    for name in ("fetch.py", "convert/synthetic201.py"):
        with (copy / "pipeline" / name).open("a") as file:
            file.write("\n# changed\n")
    shutil.rmtree(copy / "data/splits")
    assert "The grid benchmark is complete" in snakemake(copy).stdout
    assert list((copy / "data/splits").rglob("*.parquet"))
    assert NOTHING in snakemake(copy).stdout


def test_changed_code_of_the_fetcher_trains_nothing_when_the_data_are_made_first(copy):
    before = predictions(copy)
    with (copy / "pipeline/fetch/fetch.py").open("a") as file:
        file.write("\n# changed\n")
    assert "Fetch the source files" in snakemake(copy, "data").stdout
    assert NOTHING in snakemake(copy, "train").stdout
    assert predictions(copy) == before


def test_a_failing_cell_does_not_stop_the_others(copy):
    (copy / "predictors/broken.py").write_text(TINY_PREDICTOR.replace("return", "raise RuntimeError('no luck')  #"))
    (copy / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    write_grid(copy, with_predictor(with_predictor(GRID, "broken"), "node_count"))
    scores = (copy / "results/benchmark/scores.parquet").read_bytes()
    done = snakemake(copy, check=False)
    assert done.returncode != 0
    assert "no luck" in done.stdout
    made = predictions(copy)
    assert sum("/node_count/" in path for path in made) == 1
    assert not any("/broken/" in path for path in made)
    assert (copy / "results/benchmark/scores.parquet").read_bytes() == scores
    assert not leftovers(copy)


def test_killed_at_each_step_a_run_goes_on_where_it_stopped(finished, tmp_path):
    folder = copy_project(tmp_path / "bench")
    for made in MADE_IN_TURN:
        assert kill_when(folder, made), f"the run ended before it had made {made}"
    assert not (folder / "results/leaderboard.md").exists()
    snakemake(folder)
    assert quality(folder).equals(quality(finished))
    assert not leftovers(folder)
    assert NOTHING in snakemake(folder).stdout


def test_what_a_killed_run_left_is_removed(copy):
    leftover = copy / "results/predictions/.0.parquet.123.tmp"
    leftover.write_text("half")
    part = copy / "data/raw/synthetic201/.file.part"
    part.write_text("half a download")
    with take_over(copy):
        assert not leftover.exists()
        assert part.exists()


def test_one_run_at_a_time(copy):
    (copy / "results/leaderboard.md").unlink()
    with take_over(copy), pytest.raises(BenchError, match="another run is at work"):
        take_over(copy)
    with take_over(copy):
        done = snakemake(copy, check=False)
    assert done.returncode == 1
    assert errors(done.stdout) == [
        f"error: {copy.resolve()}: another run is at work in this folder; wait until it ends"
    ]
    assert "Traceback" not in done.stdout
    snakemake(copy)


def test_a_full_disk_is_a_clear_error_and_no_half_file(finished, tmp_path):
    folder = copy_project(tmp_path / "bench")
    with small_disk(tmp_path) as disk:
        (folder / "results").symlink_to(disk)
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        done = snakemake(folder, "train", check=False)
        assert done.returncode != 0
        assert any("no space left on device" in line for line in errors(done.stdout))
        assert not predictions(folder)
        assert not leftovers(folder)
        filler.unlink()
        snakemake(folder, "train")
        assert len(predictions(folder)) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "unknown key colour"),
        ({"predictors": {"no_such": {}}}, "there is no predictors/no_such.py"),
        ({"seeds": "three"}, "seeds"),
    ],
)
def test_a_broken_grid_is_one_line(copy, change, says):
    write_grid(copy, {**GRID, **change})
    done = snakemake(copy, "-n", check=False)
    assert done.returncode == 1
    assert len(errors(done.stdout)) == 1
    assert "config/benchmark.yaml: " in errors(done.stdout)[0]
    assert says in errors(done.stdout)[0]
    assert "Traceback" not in done.stdout


def test_another_grid_shares_the_cells_it_has_in_common(copy):
    before = predictions(copy)
    (copy / "config/other.yaml").write_text(yaml.safe_dump({**GRID, "grid": "other", "timeout_s": 60}))
    output = snakemake(copy, "--configfile", "config/other.yaml").stdout
    assert "Train" not in output
    assert predictions(copy) == before
    assert (copy / "results/other/leaderboard.md").is_file()
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


def test_dvc_runs_records_and_brings_back(finished, tmp_path):
    """`dvc repro` is the same as `snakemake`, trains nothing twice, and a clone that pulls trains nothing at all."""
    folder = copy_project(tmp_path / "bench", dvc=True)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    run(folder, *git, "init", "-q")
    run(folder, "dvc", "repro")
    assert quality(folder).equals(quality(finished))
    assert "up to date" in run(folder, "dvc", "status").stdout
    before = predictions(folder)

    (folder / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    write_grid(folder, with_predictor(GRID, "node_count"))
    run(folder, "dvc", "repro")
    after = predictions(folder)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 1
    assert "didn't change, skipping" in run(folder, "dvc", "repro").stdout
    assert predictions(folder) == after

    run(folder, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    run(folder, "dvc", "push")
    run(folder, *git, "add", "--all")
    run(folder, *git, "commit", "-q", "-m", "Results")
    tracked = run(folder, "git", "ls-files").stdout.split()
    assert "results/benchmark/scores.parquet" in tracked
    ignored = ("data/", "results/predictions/", "results/benchmark/html/", ".snakemake/", "logs/")
    assert not [path for path in tracked if path.startswith(ignored)]

    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(folder), str(clone))
    run(clone, "make", "--assume-old", ".venv/.installed", "pull")
    pulled = predictions(clone)
    assert set(pulled) == set(after)
    touch_everything(clone)
    pulled = predictions(clone)
    assert NOTHING in snakemake(clone).stdout
    assert "didn't change, skipping" in run(clone, "dvc", "repro").stdout
    assert predictions(clone) == pulled

    vega = run(clone, "dvc", "plots", "show", "--show-vega", "quality against labels").stdout
    assert '"predictor": "op_counts"' in vega and '"field": "n_train"' in vega and "DVC_METRIC" not in vega
    assert "index.html" in run(clone, "dvc", "plots", "diff", "HEAD").stdout
    numbers = clone / "results/benchmark/metrics.json"
    shown = json.loads(numbers.read_text())
    shown["synthetic201/test_acc"]["op_counts"]["n60"] = -1.0
    numbers.write_text(json.dumps(shown))
    changed = run(clone, "dvc", "metrics", "diff").stdout.split()
    assert "synthetic201/test_acc.op_counts.n60" in changed and "-1.0" in changed


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


def test_code_files_follow_imports_but_no_predictor_found_by_name():
    code = code_files("predictors/nn_former.py")
    assert "predictors/base.py" in code
    assert "predictors/mean.py" not in code
    shared = {"predictors/base.py", "predictors/kit/ensemble.py"}
    assert {path for path in code_files("pipeline/train/cell.py") if path.startswith("predictors/")} == shared
    assert "pipeline/core/io.py" not in code_files("pipeline/score/score.py")
