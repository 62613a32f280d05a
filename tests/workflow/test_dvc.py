"""The stages of dvc.yaml: run, recorded, brought back."""

from __future__ import annotations

import json

from tests.helpers.project_copy import (
    GRID,
    NOTHING,
    TINY_PREDICTOR,
    copy_project,
    predictions,
    quality,
    run,
    snakemake,
    touch_everything,
    with_predictor,
    write_grid,
)


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
