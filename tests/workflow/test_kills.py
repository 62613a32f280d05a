"""Killed runs, and two runs at once."""

from __future__ import annotations

import subprocess
import time

import pytest

from pipeline.plan.run_lock import take_over
from tests.helpers.project_copy import (
    GRID,
    HOW,
    NOTHING,
    copy_project,
    environment,
    errors,
    fitting,
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

GO_ON = ("stop and continue", "a run beside it")  # what ends no run
CELLS_END = ("main process terminated", "hang-up")  # Snakemake may wait for the cells at work
MADE_IN_TURN = (
    "data/raw/*/*",
    "data/parquet/*/*.parquet",
    "data/splits/*/*.parquet",
    "results/predictions/**/*.parquet",
    "results/*/scores.parquet",
)


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
        ["snakemake", "train", "--cores", "1"],
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
    assert NOTHING in snakemake(copy, "train").stdout


def test_an_interrupt_while_the_run_is_planned_is_one_word(copy):
    """Of its own files Snakemake would show a traceback."""
    said = copy / "logs/interrupted.log"
    stopped, output = kill(copy, lambda: "Building DAG" in said.read_text(), "interrupt")
    assert stopped and "Traceback" not in output and output.endswith("\ninterrupted\n")


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
