"""The real Snakefile, profile and DVC stages, run end to end on a copy of the project with a grid of seconds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline.core import io
from pipeline.plan.run_lock import take_over
from tests.helpers.project_copy import (
    GRID,
    ROOT,
    TINY_PREDICTOR,
    copy_project,
    environment,
    kill,
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


def append(path: Path, line: str) -> None:
    """Add a line at the end of a file."""
    with path.open("a") as file:
        file.write(f"\n{line}\n")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is there, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


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
    picture = "plots/benchmark-what-NNFormer-looks-at"
    assert (copy / f"results/benchmark/{picture}.svg").is_file()
    assert f"{picture}.png" in (copy / "results/benchmark/leaderboard.md").read_text()
    assert NOTHING in snakemake(copy).stdout


def test_comments_and_words_train_nothing(copy):
    before = predictions(copy)
    for path in [*copy.glob("pipeline/*/*.py"), *copy.glob("predictors/**/*.py")]:
        append(path, "# a comment")
    edit(copy / "predictors/mean.py", '"""', '"""Reworded. ')
    edit(copy / "pipeline/train/command.py", "predictions file to write", "file to write")
    assert NOTHING in snakemake(copy).stdout
    assert predictions(copy) == before


def test_a_constant_of_a_predictor_trains_only_its_own_cells(copy):
    before = predictions(copy)
    append(copy / "predictors/mean.py", "CHANGED = 1")
    snakemake(copy, "train")
    changed = {path for path, stamp in predictions(copy).items() if stamp != before[path]}
    assert changed == {path for path in before if "/mean/" in path}


def test_a_constant_of_the_training_trains_every_cell(copy):
    before = predictions(copy)
    append(copy / "pipeline/split/training_set.py", "CHANGED = 1")
    snakemake(copy, "train")
    assert all(stamp != before[path] for path, stamp in predictions(copy).items())


def test_changed_code_of_the_fetcher_and_the_converter_is_one_run(copy):
    for name in ("fetch/fetch.py", "convert/synthetic201.py"):
        append(copy / "pipeline" / name, "CHANGED = 1")
    shutil.rmtree(copy / "data/splits")
    assert "The grid benchmark is complete" in snakemake(copy).stdout
    assert list((copy / "data/splits").rglob("*.parquet"))
    assert NOTHING in snakemake(copy).stdout


def test_changed_code_of_the_fetcher_trains_nothing_when_the_data_are_made_first(copy):
    before = predictions(copy)
    append(copy / "pipeline/fetch/fetch.py", "CHANGED = 1")
    assert "Fetch the source files" in snakemake(copy, "data").stdout
    assert NOTHING in snakemake(copy, "train").stdout
    assert predictions(copy) == before


def fitting(code: str) -> str:
    """A predictor that runs `code` first thing in fit."""
    return TINY_PREDICTOR.replace("self.tensors", f"{code}; self.tensors", 1)


FAILING = {
    "raises": fitting("raise RuntimeError('no luck')"),
    "will_not_import": "import no_such_package\n" + TINY_PREDICTOR,
    "has_a_typo": TINY_PREDICTOR.replace("def predict", "dfe predict"),
    "gives_too_few": TINY_PREDICTOR.replace("graphs.n_nodes.float()", "graphs.n_nodes.float()[:3]"),
    "is_killed": fitting("import os; os.kill(os.getpid(), 9)"),
    "hangs_in_c": fitting("import re; re.match('(a+)+$', 'a' * 99 + 'b')"),
}
SAYS = {
    "raises": ("error", "RuntimeError: no luck (at raises.py:8)"),
    "will_not_import": ("error", "ModuleNotFoundError: No module named 'no_such_package' (at will_not_import.py:1)"),
    "has_a_typo": ("error", "SyntaxError: invalid syntax (has_a_typo.py, line 10)"),
    "gives_too_few": ("error", "TypeError: predict gave (3,), not a tensor"),
    "is_killed": ("error", "killed by SIGKILL, most likely for want of memory"),
    "hangs_in_c": ("timeout", "took longer than 2 s"),
    "mean": ("error", "mean: no setting 'colour'"),
}


def test_failed_cells_are_rows_and_block_nothing(copy):
    for name, code in FAILING.items():
        (copy / f"predictors/{name}.py").write_text(code)
    (copy / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    labels = {"mean": {"colour": 1}, "op_counts": {}, "node_count": {}, **dict.fromkeys(FAILING, {})}
    write_grid(copy, {**GRID, "timeout_s": 2, "predictors": labels})
    output = snakemake(copy).stdout
    scores = pl.read_parquet(copy / "results/benchmark/scores.parquet")
    found = dict(scores.select("predictor", "status").unique().iter_rows())
    assert found == {"op_counts": "ok", "node_count": "ok", **{name: status for name, (status, _) in SAYS.items()}}
    messages = {
        io.read_meta(copy / path)["predictor"]: io.read_meta(copy / path)["message"] for path in predictions(copy)
    }
    for name, (status, message) in SAYS.items():
        assert messages[name].startswith(message)
        assert f"{status}: {message}" in output
    assert "node_count" in (copy / "results/leaderboard.md").read_text()
    assert not leftovers(copy)
    assert NOTHING in snakemake(copy).stdout

    (copy / "results/benchmark/scores.parquet").unlink()
    done = snakemake(copy, "--config", "strict=true", check=False)
    assert done.returncode != 0
    (said,) = errors(done.stdout)
    assert all(f"/{name}" in said for name in SAYS) and "/node_count/" not in said


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
    """A second run is refused while the first one is at work, and is fine after it."""
    (copy / "predictors/slow.py").write_text(fitting("import time; time.sleep(6)"))
    write_grid(copy, with_predictor(GRID, "slow"))
    with subprocess.Popen(
        ["snakemake", "--cores", "1"],
        cwd=copy,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as first:
        for line in first.stdout:
            if "Train slow" in line:
                break
        done = snakemake(copy, check=False)
        assert done.returncode == 1
        assert errors(done.stdout) == [
            f"error: {copy.resolve()}: another run is at work in this folder; wait until it ends"
        ]
        assert "Traceback" not in done.stdout
        first.stdout.read()
    assert first.returncode == 0
    assert NOTHING in snakemake(copy).stdout


@pytest.mark.parametrize("how", ["main process", "group", "interrupt", "two interrupts"])
def test_nothing_stays_behind_after_any_kill(copy, how):
    slow = fitting("import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)")
    (copy / "predictors/slow.py").write_text(slow)
    write_grid(copy, with_predictor(GRID, "slow"))
    kill(copy, (copy / "pid").exists, how)
    end = time.monotonic() + 15
    while left := processes_in(copy):
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert not any("/slow/" in path for path in predictions(copy))


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes at work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve() and "Z" not in (process / "stat").read_text().split()[2]:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


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
    assert not [path for path in tracked if path.startswith(("data/", "results/predictions/", ".snakemake/", "logs/"))]

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
