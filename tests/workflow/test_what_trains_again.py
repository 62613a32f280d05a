"""After which change a run trains which cells again."""

from __future__ import annotations

import shutil

from tests.helpers.project_copy import (
    GRID,
    NOTHING,
    append,
    edit,
    predictions,
    snakemake,
    touch_everything,
    write_grid,
)


def test_what_changes_no_number_trains_nothing(copy):
    """Comments and words; time stamps, which a `git checkout` or `dvc checkout` does not keep; limits of the grid."""
    for path in [*copy.glob("pipeline/*/*.py"), *copy.glob("predictors/**/*.py")]:
        append(path, "# a comment")
    edit(copy / "predictors/mean.py", '"""', '"""Reworded. ')
    edit(copy / "pipeline/train/command.py", "predictions file to write", "file to write")
    touch_everything(copy)
    before = predictions(copy)
    assert NOTHING in snakemake(copy).stdout
    assert predictions(copy) == before
    write_grid(copy, {**GRID, "timeout_s": 600, "torch_device": "auto"})
    assert NOTHING in snakemake(copy, "train").stdout
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
