"""The rules that make a data set on this machine, on a copy of the project with two networks a family."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
import yaml

from pipeline.core import io
from tests.helpers.project_copy import copy_project, run, snakemake

pytestmark = pytest.mark.slow
PLATFORM = "ort-cpu-fp32-1t"
FAMILIES = ["alexnet", "nasbench201", "squeezenet"]
GRID = {
    "grid": "benchmark",
    "seeds": 1,
    "torch_device": "cpu",
    "tasks": [
        {
            "dataset": "measured", "protocol": "in_domain", "target": "latency_ms", "devices": [PLATFORM],
            "budgets": ["0.4", "0.8"],
        },
        {
            "dataset": "measured", "protocol": "leave_one_family_out", "target": "latency_ms", "devices": [PLATFORM],
            "budgets": [f"without-{family}" for family in FAMILIES],
        },
    ],
    "predictors": {"mean": {}, "flops": {}},
}  # fmt: skip


def set_size(folder, per_family):
    """Make the data set small: one platform, three families of `per_family` networks."""
    path = folder / "config" / "datasets.yaml"
    blocks = yaml.safe_load(path.read_text())
    about = blocks["measured"]
    about |= {"families": FAMILIES, "n_graphs": 3 * per_family}
    about["made"]["per_family"] = per_family
    about["targets"] = {target: {"devices": [PLATFORM]} for target in about["targets"]}
    path.write_text(yaml.safe_dump(blocks, sort_keys=False))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy in which the run has ended; its timings are real, and rough."""
    base = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(base))  # its own lock: others may be timing on this machine
        folder = copy_project(base / "bench", GRID)
        set_size(folder, 8)
        snakemake(folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return shutil.copytree(finished, tmp_path / "bench")


def journal(folder):
    return (folder / f"data/parquet/measured/timed/{PLATFORM}.jsonl").read_text().splitlines()


def test_networks_are_made_timed_trained_on_and_scored(finished):
    timed = io.read_parquet(finished / f"data/parquet/measured/timed/{PLATFORM}.parquet")
    assert timed.group_by("pass").len().sort("pass")["len"].to_list() == [24, 3]
    assert timed["status"].unique().to_list() == ["ok"]
    graphs = io.read_parquet(finished / "data/parquet/measured/graphs.parquet")
    assert graphs["family"].unique(maintain_order=True).to_list() == FAMILIES
    scores = pl.read_parquet(finished / "results/benchmark/scores.parquet")
    mape = scores.filter(metric="mape", split="test", protocol="leave_one_family_out")
    assert mape.height == 6 and (mape["value"] > 0).all()
    board = (finished / "results/benchmark/leaderboard.md").read_text()
    assert "**Which predicts the latency of an unseen family best?**\n\n- **`" in board
    assert "(benchmark/leaderboard.md): **`" in (finished / "results/leaderboard.md").read_text()


def test_nothing_is_timed_again(copy):
    before = journal(copy)
    assert "Nothing to be done" in snakemake(copy).stdout
    for path in (copy / "pipeline" / "measure").glob("*.py"):
        path.write_text(path.read_text() + "CHANGED = 1\n")
    assert "Generate the networks" in snakemake(copy, "data").stdout
    assert journal(copy) == before
    assert "Train" not in snakemake(copy, "train").stdout


def test_new_networks_alone_are_timed(copy):
    before = journal(copy)
    set_size(copy, 9)
    snakemake(copy, "data")
    after = journal(copy)
    assert after[: len(before)] == before
    added = [json.loads(line)["network"] for line in after[len(before) :] if json.loads(line)["pass"] == 1]
    assert sorted(set(added)) == [f"{family}/{family}-0-0008" for family in FAMILIES]
    assert io.read_parquet(copy / "data/parquet/measured/graphs.parquet").height == 27


def test_the_timings_can_be_exported(copy):
    run(
        copy, "python", "-m", "pipeline.measure.export", "--networks", "data/raw/measured/networks",
        "--timed", f"data/parquet/measured/timed/{PLATFORM}.parquet", "--out", "measured.tar.gz",
    )  # fmt: skip
    assert (copy / "measured.tar.gz").stat().st_size > 1000
