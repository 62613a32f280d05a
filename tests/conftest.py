"""Shared fixtures: where the real source files are, and one thread a test process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.core.paths import ROOT

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PYTHONDONTWRITEBYTECODE"] = ""  # or hundreds of processes would each compile all that they import
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of real source files; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("BENCH_MIRROR") or ROOT.parent / "shared" / "mirror")
    if not folder.is_dir():
        pytest.skip(f"no mirror of real source files at {folder}; set BENCH_MIRROR to one")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that workers end together; pytest itself goes by the alphabet."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")
