"""What timing does to the process that runs a network is undone for the tests after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def denormal_numbers() -> Iterator[None]:
    """A runtime that counts denormal numbers as zero (`pipeline.measure.runtime`) makes its whole thread do so."""
    yield
    torch.set_flush_denormal(False)
