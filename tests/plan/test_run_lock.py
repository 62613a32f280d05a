"""Who may run in a folder."""

from __future__ import annotations

import os
import tempfile
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.plan.run_lock import LOCK, take_over

NOBODY = 65534


@contextmanager
def another_user(folder):
    """The body runs in `folder` as a user without rights, who need not be let into the folders above it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with chdir(folder):
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)


def test_the_lock_lasts_as_long_as_its_file(tmp_path):
    with take_over(tmp_path), pytest.raises(BenchError, match="another run is at work in this folder; wait"):
        take_over(tmp_path)
    take_over(tmp_path).close()


def test_a_lock_of_another_user_is_one_clear_line():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        take_over(folder).close()
        with another_user(folder), pytest.raises(BenchError, match=r"bench\.lock: cannot write: Permission denied"):
            take_over()


def test_a_leftover_of_another_user_is_one_clear_line():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "results").mkdir()
        (Path(folder) / "results" / ".0.parquet.1.tmp").write_text("")
        with (
            another_user(folder),
            pytest.raises(BenchError, match=r"\.0\.parquet\.1\.tmp: cannot remove: Permission denied"),
        ):
            take_over()


def test_what_cannot_be_a_lock_is_one_clear_line(tmp_path):
    (tmp_path / LOCK).mkdir(parents=True)
    with pytest.raises(BenchError, match=r"bench\.lock: cannot write: Is a directory"):
        take_over(tmp_path)


def test_a_lock_that_is_a_link_leaves_its_target_as_it_is(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).symlink_to(tmp_path / "mine")
    (tmp_path / "results" / "kept").mkdir(parents=True)
    (tmp_path / "results" / ".kept.1.tmp").symlink_to(tmp_path / "results" / "kept")
    take_over(tmp_path).close()
    assert (tmp_path / "mine").read_text() == "precious"
    assert (tmp_path / "results" / "kept").is_dir()
    assert not (tmp_path / "results" / ".kept.1.tmp").is_symlink()
