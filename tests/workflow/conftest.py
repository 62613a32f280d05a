"""Copies of the project in which the default run of a grid of seconds has ended."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests.helpers.project_copy import (
    copy_project,
    snakemake,
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy in which the default run has ended. Read only: tests that change something take `copy`.

    The processes of one test run share it: the first that asks for it makes it, and others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    shared.mkdir(exist_ok=True)
    folder, ended = shared / "bench", shared / "ended"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ended.exists():
            shutil.rmtree(folder, ignore_errors=True)
            snakemake(copy_project(folder))
            ended.touch()
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A copy of `finished`, time stamps and Snakemake's records included."""
    return Path(shutil.copytree(finished, tmp_path / "bench"))
