"""A long fit of the command line that is killed, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from pipeline.core.paths import ROOT
from tests.helpers import tiny_tables

SETTINGS = '{"preset": "paper", "layers": 2, "dim": 32, "epochs": 60}'


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    files = [*tiny_tables.write(tmp_path), "--torch-device", "cpu"]
    cell = ["tiny", "test_acc", "nn_former", "n24", "--overrides", SETTINGS, "--checkpoint-every", "0"]
    return [sys.executable, "-m", "pipeline.train", *cell, *files, "--out"]


def test_a_killed_fit_goes_on_to_the_same_predictions(tmp_path: Path, command: list[str]):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    subprocess.run([*command, whole], cwd=ROOT, env=environment, check=True, capture_output=True)
    log = tmp_path / "log"
    with log.open("w") as file:
        fit = subprocess.Popen([*command, killed], cwd=ROOT, env=environment, stderr=file, start_new_session=True)
    while "step 40 " not in log.read_text():
        assert fit.poll() is None, log.read_text()
        time.sleep(0.01)
    os.killpg(fit.pid, signal.SIGKILL)
    fit.wait()
    assert killed.with_suffix(".checkpoint").exists() and not killed.exists()
    again = subprocess.run([*command, killed], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert "step 40 " not in again.stderr and "step 120 of 120" in again.stderr
    assert pl.read_parquet(killed).equals(pl.read_parquet(whole))
    assert not killed.with_suffix(".checkpoint").exists()
