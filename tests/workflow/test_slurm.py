"""The Slurm profile on a Slurm of one node: the same bits, and of a lost job unfinished cells alone train again."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.paths import ROOT
from tests.helpers import slurm_cluster
from tests.helpers.project_copy import (
    GRID,
    NOTHING,
    TINY_PREDICTOR,
    copy_project,
    environment,
    errors,
    leftovers,
    predictions,
    quality,
    snakemake,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm_cluster.missing()), reason=slurm_cluster.missing()),
]
RAISES = TINY_PREDICTOR.replace("self.tensors", "raise RuntimeError('no luck'); self.tensors", 1)
WAITS = TINY_PREDICTOR.replace(
    "self.tensors",
    """
        import pathlib, time
        with open("begun", "a") as file:
            file.write("x")
        while pathlib.Path("begun").stat().st_size > 2 and not pathlib.Path("go").exists():
            time.sleep(0.1)
        self.tensors""".lstrip(),
    1,
)


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster.slurm_cluster() as found:
        yield found


def start(cluster, folder: Path) -> subprocess.Popen:
    """The documented command; its output is collected."""
    return subprocess.Popen(
        slurm_cluster.RUN,
        cwd=folder,
        env={**environment(), **cluster.environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(cluster, folder: Path) -> tuple[int, str]:
    """Exit status and output of the documented command."""
    with start(cluster, folder) as process:
        output = process.communicate(timeout=900)[0]
    return process.returncode, output


def test_same_scores_as_on_this_machine_and_a_failing_cell_costs_itself_alone(cluster, tmp_path):
    """The smoke grid's predictors and one that fails, in one job: the same scores, bit for bit."""
    smoke = read_yaml(ROOT / "config/smoke.yaml")
    task = {**smoke["tasks"][0], "budgets": [60]}
    labels = [*smoke["predictors"], "raises"]
    grid = {**smoke, "grid": "benchmark", "seeds": 1, "tasks": [task], "predictors": labels}
    here, there = (copy_project(tmp_path / name, grid) for name in ("here", "there"))
    for folder in (here, there):
        (folder / "predictors/raises.py").write_text(RAISES)
    snakemake(here)
    status, output = run(cluster, there)
    assert status == 0, output
    assert quality(there).equals(quality(here))
    assert "no luck" in (there / "results/benchmark/leaderboard.md").read_text()
    assert "group_cells_train_cell" in output and not leftovers(there)
    status, output = run(cluster, there)
    assert status == 0 and NOTHING in output


def test_finished_cells_of_a_lost_job_stay(cluster, tmp_path):
    """The third cell of a job waits; the job is cancelled, then the run is killed beside it."""
    folder = copy_of_waiting_cells(tmp_path)
    with start(cluster, folder) as process:
        begun(folder, 3)
        (job,) = cluster.jobs()
        cluster.run("scancel", job)
        output = process.communicate(timeout=300)[0]
    assert process.returncode != 0, output
    kept = predictions(folder)
    assert len(kept) == 2

    with start(cluster, folder) as process:
        begun(folder, 4)
        process.send_signal(signal.SIGKILL)
    (job,) = cluster.jobs()
    status, output = run(cluster, folder)
    assert status != 0
    (said,) = errors(output)
    assert said.endswith(f"still in Slurm; wait until they end, or: scancel {job}") and "Traceback" not in output
    cluster.run("scancel", job)
    slurm_cluster.wait_for(lambda: not cluster.jobs(), "scancel")

    (folder / "go").touch()
    status, output = run(cluster, folder)
    assert status == 0, output
    assert kept.items() <= predictions(folder).items() and len(predictions(folder)) == 3
    assert (folder / "begun").stat().st_size == 5


def test_finished_cells_of_a_node_that_fails_stay(cluster, tmp_path):
    """Its daemon is killed while the third cell of a job waits; the node comes back and the run is started again."""
    folder = copy_of_waiting_cells(tmp_path)
    with start(cluster, folder) as process:
        begun(folder, 3)
        cluster.kill("slurmd")
        output = process.communicate(timeout=300)[0]
    assert process.returncode != 0, output
    kept = predictions(folder)
    assert len(kept) == 2
    cluster.start_slurmd()
    (folder / "go").touch()
    status, output = run(cluster, folder)
    assert status == 0, output
    assert kept.items() <= predictions(folder).items() and len(predictions(folder)) == 3
    assert (folder / "begun").stat().st_size == 4


def copy_of_waiting_cells(tmp_path: Path) -> Path:
    """A copy whose grid has three cells, one job, of which the third that begins waits for a file `go`."""
    folder = copy_project(tmp_path / "bench", {**GRID, "seeds": 3, "timeout_s": 600, "predictors": {"waits": {}}})
    (folder / "predictors/waits.py").write_text(WAITS)
    return folder


def begun(folder: Path, cells: int) -> None:
    """Wait until so many cells have begun."""
    file = folder / "begun"
    slurm_cluster.wait_for(lambda: file.exists() and file.stat().st_size >= cells, f"{cells} cells", 600)
    time.sleep(0.2)
