"""Before a run works in a folder: rights, files in the place of folders and the other way round, clocks."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.plan.preflight import require_files, require_folders, require_plain, require_rights
from tests.helpers.users import another_user


@pytest.mark.parametrize("name", ["data", "results", "logs"])
def test_what_is_in_the_place_of_a_folder_is_one_clear_line(tmp_path, name):
    require_folders(tmp_path)
    (tmp_path / name).write_text("")
    with pytest.raises(BenchError, match=f"{name}: not a folder; move it away"):
        require_folders(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(BenchError, match=f"{name}: not a folder"):
        require_folders(tmp_path)
    (tmp_path / "nowhere").mkdir()
    require_folders(tmp_path)


@pytest.mark.parametrize("name", ["results", "logs", "data/splits/nasbench201", ".snakemake", ".snakemake/log"])
def test_a_folder_that_this_user_may_not_write_is_one_clear_line(name):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        place = Path(folder) / name
        place.mkdir(parents=True)
        for path in [place, *place.relative_to(folder).parents]:
            (Path(folder) / path).chmod(0o777)
        with another_user(folder):
            require_folders()
            require_rights()
        place.chmod(0o755)
        with another_user(folder), pytest.raises(BenchError, match=rf"{name}: this user may not write there; change"):
            require_folders()
            require_rights()


def test_a_folder_that_cannot_be_looked_into_is_one_clear_line():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "data").mkdir(mode=0o700)
        with another_user(folder), pytest.raises(BenchError, match="data: this user may not write there"):
            require_rights()


@pytest.mark.parametrize("path", ["grid {x}.yaml", "/home/c {x}", "external/a{b}/result.yaml", "a}"])
def test_a_path_with_braces_is_one_clear_line(path):
    require_plain(["config/smoke.yaml", "it's $(touch x) é #"])
    with pytest.raises(
        BenchError, match=rf"^{re.escape(path)}: Snakemake takes braces in a path for a wildcard; rename"
    ):
        require_plain(["config/smoke.yaml", path])


def test_a_folder_in_the_place_of_a_file_is_one_clear_line(tmp_path):
    require_files([tmp_path / "board.md"])
    (tmp_path / "board.md").mkdir()
    with pytest.raises(BenchError, match=r"board\.md: a folder in the place of a file; move it away"):
        require_files([tmp_path / "board.md"])


def test_a_file_of_the_future_is_one_clear_line(tmp_path):
    """A minute is nothing: clocks of two machines differ."""
    path, now = tmp_path / "split.parquet", time.time()
    path.write_bytes(b"")
    os.utime(path, (now + 50, now + 50))
    require_files([path])
    os.utime(path, (now + 10 * 86_400, now + 10 * 86_400))
    with pytest.raises(BenchError, match=r"split\.parquet: changed 10\.0 days in the future; set the clock, or touch"):
        require_files([path])
