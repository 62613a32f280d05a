"""A result and a predictor from outside reach a board by the steps that the pages show, and by nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.plan.code_keys import code_key, predictor_key
from tests.helpers import project_copy
from tests.helpers.project_copy import GRID, NOTHING, ROOT, run, snakemake, with_predictor, write_grid


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """The package of docs/adding_a_predictor.md, installed where this process and those it starts look for packages."""
    source, target = tmp_path / "my_package", tmp_path / "installed"
    (source / "my_predictors").mkdir(parents=True)
    (source / "pyproject.toml").write_text(blocks("adding_a_predictor.md", "toml")[0])
    (source / "my_predictors/__init__.py").touch()
    (source / "my_predictors/conv_count.py").write_text(blocks("adding_a_predictor.md", "python")[1])
    install = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target, source]
    run(tmp_path, sys.executable, *map(str, install))
    monkeypatch.syspath_prepend(target)
    monkeypatch.setenv("PYTHONPATH", str(target))
    predictor_key.cache_clear()
    yield target
    predictor_key.cache_clear()


def test_both_stand_on_the_board(copy, package, monkeypatch):
    monkeypatch.setenv("NNFB_CACHE", str(copy / "cache"))
    path = f"{package}:{copy}"
    monkeypatch.setattr(
        project_copy, "environment", lambda made=project_copy.environment: {**made(), "PYTHONPATH": path}
    )
    run(copy, sys.executable, "-c", blocks("external_results.md", "python")[0])
    assert (
        "300 networks of synthetic201, 60 labels"
        in run(copy, sys.executable, "-m", "nnfb", "check", "external/counts").stdout
    )
    assert "[my-predictors]" in run(copy, sys.executable, "-m", "nnfb", "predictors").stdout
    before = project_copy.predictions(copy)
    write_grid(copy, with_predictor(GRID, "conv_count"))
    snakemake(copy)
    board = (copy / "results/benchmark/leaderboard.md").read_text()
    assert "| `conv_count` |" in board
    (row,) = [line for line in board.splitlines() if line.startswith("| *external:* `counts` | Jane Doe")]
    scores = pl.read_parquet(copy / "results/benchmark/scores.parquet")
    assert "counts" not in scores["predictor"].to_list()
    assert "| 60 | as ours | none | 0, 1 |" in row and re.search(
        r"\| 0\.\d{3} \| 0\.\d{3} \| `\w+` 0\.\d{3} \(`all`\) \|$", row
    )
    after = project_copy.predictions(copy)
    assert {path: after[path] for path in before} == before and len(after) == len(before) + 1
    assert NOTHING in snakemake(copy).stdout
    file = copy / "external/counts/seed0.csv"
    file.write_text(file.read_text().replace("\n", "\nnope,1\n", 1))
    failed = snakemake(copy, check=False)
    assert failed.returncode and "none of the data set's, such as 'nope'" in failed.stdout + logged(copy)
    assert project_copy.predictions(copy) == after


def logged(folder: Path) -> str:
    return (folder / "logs/score/external/benchmark.log").read_text()


def test_its_key_is_of_all_modules_of_its_package(package):
    first = predictor_key("conv_count")
    (package / "my_predictors/__init__.py").write_text("SCALE = 2")
    predictor_key.cache_clear()
    assert predictor_key("conv_count") != first
    assert predictor_key("mean") == code_key("predictors/mean.py")
