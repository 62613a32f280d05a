"""Other users, for tests of rights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def another_user(folder: Path | str) -> Iterator[None]:
    """The body runs in `folder` as a user without rights, who need not be let into the folders above it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with chdir(folder):
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
