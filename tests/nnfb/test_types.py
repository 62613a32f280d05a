"""The public package is annotated, and mypy finds no fault in its strict mode (settings: pyproject.toml)."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys

import pytest

import nnfb
from pipeline.core.paths import ROOT


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed; pip install -e '.[test]'")
def test_mypy_is_content(tmp_path):
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
    assert (ROOT / "nnfb/py.typed").is_file()


def test_every_public_name_is_there_and_explains_itself():
    for name in nnfb.__all__:
        found = getattr(nnfb, name)
        assert name == "__version__" or inspect.getdoc(found), name
    assert not hasattr(nnfb, "nope") and set(dir(nnfb)) == set(nnfb.__all__)
