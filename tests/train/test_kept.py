"""Kept predictions: taken over for the cell they are of, refused for any other."""

from __future__ import annotations

import pytest

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.train import cell, kept
from tests.helpers.tiny_tables import tiny_tables

SETTINGS = {"steps": 3, "pretrain_steps": 0, "masks": ["adj", "adj_t"]}


def spec(**changes) -> CellSpec:
    values = {"dataset": "tiny", "target": "test_acc", "label": "nn_former-x", "budget": "n12", "overrides": SETTINGS}
    return CellSpec.from_values(**{**values, **changes})


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "0.parquet"
    cell.write(path, cell.train(spec(), tiny_tables(), "cpu"))
    return path


def test_the_same_cell_takes_them_over(file, tmp_path):
    kept.take_over(file, spec(), tmp_path / "0.parquet")
    assert io.read_parquet(tmp_path / "0.parquet").equals(io.read_parquet(file))
    assert io.read_meta(tmp_path / "0.parquet") == io.read_meta(file)


def test_settings_that_came_later_stand_in_the_copy(file, tmp_path):
    """Else a board takes old and new seeds for two predictors."""
    about = io.read_meta(file)
    older = {key: value for key, value in about["config"].items() if key != "tokens"}
    io.write_parquet(tmp_path / "old.parquet", io.read_parquet(file), {**about, "config": older, "config_hash": "0"})
    kept.take_over(tmp_path / "old.parquet", spec(), tmp_path / "0.parquet")
    assert io.read_meta(tmp_path / "0.parquet") == about


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"budget": "n13"}, "budget"),
        ({"seed": 1}, "seed"),
        ({"target": "val_acc"}, "target"),
        ({"label": "nn_former-y"}, "predictor"),
        ({"overrides": {**SETTINGS, "steps": 4, "layers": 3}}, "layers, steps"),
    ],
    ids=str,
)
def test_another_cell_does_not(file, changes, named, tmp_path):
    with pytest.raises(BenchError, match=f"another {named} than the cell's of today; delete the file"):
        kept.take_over(file, spec(**changes), tmp_path / "0.parquet")


def test_what_is_no_predictions_file_is_one_line(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(BenchError, match="0.parquet"):
        kept.take_over(tmp_path / "0.parquet", spec(), tmp_path / "1.parquet")
