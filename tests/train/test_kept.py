"""Kept predictions: taken over for the cell they are of, refused for any other."""

from __future__ import annotations

import pytest

from pipeline.config.cell_spec import CellSpec
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


def test_the_same_cell_takes_them_over(file):
    kept.require_same(file, spec())


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
def test_another_cell_does_not(file, changes, named):
    with pytest.raises(BenchError, match=f"another {named} than the cell's of today; delete the file"):
        kept.require_same(file, spec(**changes))


def test_what_is_no_predictions_file_is_one_line(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(BenchError, match="0.parquet"):
        kept.require_same(tmp_path / "0.parquet", spec())
