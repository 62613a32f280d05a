"""Grids written to files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml


@pytest.fixture
def write(tmp_path):
    """Write a config (dict or text) and return its path."""

    def write(config, name: str = "grid.yaml") -> Path:
        path = tmp_path / name
        path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
        return path

    return write
