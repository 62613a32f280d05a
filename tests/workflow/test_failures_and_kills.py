"""Failed cells, killed runs, two runs at once, a full disk."""

from __future__ import annotations

import subprocess
import time

import polars as pl
import pytest

from pipeline.core import io
from pipeline.plan.run_lock import take_over
from tests.helpers.project_copy import (
    GRID,
    HOW,
    NOTHING,
    TINY_PREDICTOR,
    append,
    copy_project,
    environment,
    errors,
    kill,
    kill_when,
    leftovers,
    predictions,
    processes_in,
    quality,
    snakemake,
    with_predictor,
    write_grid,
)
from tests.helpers.small_disk import small_disk

GO_ON = ("stop and continue", "a run beside it")  # what ends no run
CELLS_END = ("main process terminated", "hang-up")  # Snakemake may wait for the cells at work
MADE_IN_TURN = (
    "data/raw/*/*",
    "data/parquet/*/*.parquet",
    "data/splits/*/*.parquet",
    "results/predictions/**/*.parquet",
    "results/*/scores.parquet",
)


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
    board = (copy / "results/benchmark/leaderboard.md").read_text()
    for name, (status, message) in SAYS.items():
        assert f"- `{name}`, 60 labels: {status} (seed 0): `{message}" in board
    assert "node_count" in (copy / "results/leaderboard.md").read_text()
    assert not leftovers(copy)
    assert NOTHING in snakemake(copy).stdout

    (copy / "results/benchmark/scores.parquet").unlink()
    done = snakemake(copy, "--config", "strict=true", check=False)
    assert done.returncode != 0
    (said,) = errors(done.stdout)
    assert all(f"/{name}" in said for name in SAYS) and "/node_count/" not in said


def test_a_grid_without_any_rank_has_a_board(copy):
    """One value for all networks is no ranking: nothing is drawn, and the board is written."""
    write_grid(copy, {**GRID, "predictors": {"mean": {}}})
    snakemake(copy)
    assert "undefined" in (copy / "results/benchmark/leaderboard.md").read_text()


def test_only_a_true_word_is_strict(copy):
    (copy / "predictors/bad.py").write_text(TINY_PREDICTOR.replace("return", "return None  #"))
    write_grid(copy, with_predictor(GRID, "bad"))
    snakemake(copy, "--config", "strict=false")
    assert "predict gave NoneType" in (copy / "results/benchmark/leaderboard.md").read_text()


def test_an_nn_former_that_cannot_be_read_blocks_no_board(copy):
    append(copy / "predictors/nn_former.py", "def broken(:")
    write_grid(copy, with_predictor(GRID, "nn_former"))
    snakemake(copy)
    assert "SyntaxError" in (copy / "results/benchmark/leaderboard.md").read_text()


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


@pytest.mark.parametrize("how", [how for how in HOW if how not in GO_ON])
def test_nothing_stays_behind_after_any_kill(copy, how):
    slow = fitting("import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(SECONDS)")
    (copy / "predictors/slow.py").write_text(slow.replace("SECONDS", "5" if how in CELLS_END else "60"))
    write_grid(copy, with_predictor(GRID, "slow"))
    output = kill(copy, (copy / "pid").exists, how)[1]
    said = output.partition("Exception ignored in")[0]  # an interrupt may meet the end of Python itself
    assert "Traceback" not in said, said
    end = time.monotonic() + 15
    while left := processes_in(copy):
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert how in CELLS_END or not any("/slow/" in path for path in predictions(copy))


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
