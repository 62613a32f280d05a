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


# The first two begin side by side: only one of them makes the copy that the tests of the workflow share.
LONGEST = (
    *("workflow/test_failures.py", "docs/test_docs.py", "workflow/test_kills.py", "workflow/test_workflow.py"),
    *("workflow/test_workflow_models.py", "workflow/test_dvc.py", "workflow/test_measured_workflow.py"),
    *("workflow/test_what_trains_again.py", "workflow/test_from_outside.py", "workflow/test_hostile_words.py"),
    *("contract/test_contract.py", "train/test_warm.py", "contract/test_contract_validation.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that workers end together; pytest itself goes by the alphabet."""
    place = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
