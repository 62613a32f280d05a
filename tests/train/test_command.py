"""The command line of a cell refuses what no cell can have, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.train import command
from tests.helpers.in_process import run_module


def spec(*options: str, budget: str = "n9"):
    return command.spec_of(command.parser().parse_args(["synthetic201", "test_acc", "mean", budget, *options]))


def test_a_cell_is_read():
    assert spec("--overrides", '{"ensemble": 3}').settings == {"ensemble": 3}


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ('{"ensemble": 1000000000}', "1000000000 is no whole number from 2 to 100"),
        ('{"ensemble": true}', "True is no whole number"),
        ('{"lr": NaN}', "--overrides.lr: nan is not finite"),
        ('{"lr": [1, Infinity]}', "is not finite"),
        ('{"a": {"b": [NaN]}}', "--overrides.a: .* is not finite"),
        ("[1]", "no mapping of settings"),
        ("[" * 100_000, "not such JSON"),
        ("9" * 5_000, "not such JSON"),
        ("{", "not such JSON"),
    ],
)
def test_settings_that_cannot_be_are_one_line(overrides, says):
    with pytest.raises(BenchError, match=says) as caught:
        spec("--overrides", overrides)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("options", [("--seed", "-1"), ("--seed", "9" * 30)])
def test_a_seed_that_tables_cannot_hold_is_one_line(options):
    with pytest.raises(BenchError, match="out of bounds"):
        spec(*options)


@pytest.mark.hostile("names")
@pytest.mark.parametrize("words", [("../../x", "a", "b"), ("a", "..", "b"), ("a", "b", "c/../../d"), ("a", "", "b")])
def test_a_name_that_leaves_the_folder_of_predictions_is_one_line(words):
    dataset, target, device = words
    args = command.parser().parse_args([dataset, target, "mean", "n9", "--device", device])
    with pytest.raises(BenchError, match="can be no name of a data set, target or device"):
        command.predictions_file(args)


def test_a_budget_too_long_for_a_folder_is_one_line():
    with pytest.raises(BenchError, match="out of bounds"):
        spec(budget="0." + "1" * 3_000)


@pytest.mark.parametrize("limit", ["0", "-1", "9" * 30, "x"])
def test_a_time_limit_that_no_clock_has_is_refused(limit, capsys):
    with pytest.raises(SystemExit):
        spec("--timeout", limit)
    assert "argument --timeout: invalid" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["pipeline.train", "pipeline.train.attention", "pipeline.predict.save"])
@pytest.mark.parametrize("options", [("--overrides", "[" * 10_000), ("--overrides", "[1]"), ("--seed", "-1")])
def test_every_command_of_a_cell_refuses_it_in_one_line(tmp_path, module, options):
    """Read by hand or by a workflow: nothing is written."""
    words = ["synthetic201", "test_acc", "mean", "n9", *options, "--data", "x"]
    done = run_module(module, *words, cwd=tmp_path)
    (said,) = done.stderr.splitlines()
    assert done.returncode == 1 and said.startswith("error: ") and not list(tmp_path.iterdir())


@pytest.mark.hostile("names")
def test_a_message_that_names_a_file_without_text_is_said(capsys):
    """The terminal would not take it, and the cell, which is written, would end as a failed job."""
    command.report(Path("out"), {"status": "error", "message": "FileNotFoundError: \udcff\nx"})
    assert capsys.readouterr().out == "out: error: FileNotFoundError: \\udcff x\n"
