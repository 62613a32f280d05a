"""A cell as a Python value, as a command line and as a path."""

from __future__ import annotations

import argparse

import pytest

from pipeline.config.budget import Budget, Sources
from pipeline.config.cell_spec import CellSpec
from pipeline.core.errors import BenchError

PLAIN = CellSpec.from_values("nasbench201", "val_acc", "nn_former", "0.05")
FULL = CellSpec.from_values(
    "help_nasbench201", "latency_ms", "nn_former-small", 10, seed=7, device="fpga",
    overrides={"layers": 2, "dim": 32}, sources=Sources(("pixel3", "fpga"), 900),
)  # fmt: skip


@pytest.mark.parametrize("spec", [PLAIN, FULL])
def test_the_command_line_says_all_that_training_needs(spec):
    parser = argparse.ArgumentParser()
    CellSpec.add_arguments(parser)
    assert CellSpec.from_arguments(parser.parse_args(spec.arguments)) == spec


def test_paths():
    assert PLAIN.path == "results/predictions/nasbench201/val_acc/any/nn_former/0.05/0.parquet"
    assert FULL.predictor == "nn_former" and FULL.settings == {"layers": 2, "dim": 32}
    folder, label, budget, name = FULL.path.rsplit("/", 3)
    assert folder == "results/predictions/help_nasbench201/latency_ms/fpga"
    assert label.startswith("nn_former-small-") and name == "7.parquet"
    assert budget == f"n10-from-{FULL.sources.hash}"


def test_a_cell_that_contradicts_itself_is_refused():
    with pytest.raises(BenchError, match="is not of the sources given"):
        CellSpec("d", "t", "any", "mean", Budget.parse("n10-from-0badf00d"), 0)
    with pytest.raises(BenchError, match=r"label '\.\./mean' is not"):
        CellSpec.from_values("d", "t", "../mean", 10)
    with pytest.raises(BenchError, match="no label budget"):
        CellSpec.from_values("d", "t", "mean", "some")


@pytest.mark.parametrize("text", ["{", '{"devices": 1}', "[1]"])
def test_a_broken_command_line_is_one_line(text):
    parser = argparse.ArgumentParser()
    CellSpec.add_arguments(parser)
    with pytest.raises(BenchError, match="not such JSON"):
        CellSpec.from_arguments(parser.parse_args(["d", "t", "mean", "n5", "--sources", text]))


def test_each_label_has_random_numbers_of_its_own():
    """And they hang on label and seed alone: not on the budget, the data set or the settings."""
    labels = ["nn_former", "nn_former-hard", "nn_former-tiny", "gbdt"]
    seeds = [CellSpec.from_values("d", "t", label, 10, seed).random_seed for label in labels for seed in range(100)]
    assert len(set(seeds)) == 400 and max(seeds) < 2**30
    other = CellSpec.from_values("e", "u", "gbdt", 99, 0, overrides={"rounds": 3})
    assert other.random_seed == seeds[300] == CellSpec.from_values("d", "t", "gbdt", 10).random_seed
