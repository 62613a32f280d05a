"""Copies of the project in which the default run of a grid of seconds has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.project_copy import (
    copy_project,
    snakemake,
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy in which the default run has ended. Read only: tests that change something take `copy`."""
    folder = copy_project(tmp_path_factory.mktemp("finished") / "bench")
    snakemake(folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A copy of `finished`, time stamps and Snakemake's records included."""
    return Path(shutil.copytree(finished, tmp_path / "bench"))
