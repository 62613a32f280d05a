"""Who may run in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.core.parent import RUN
from pipeline.plan.run_lock import LOCK, refuse_left_jobs, take_over
from tests.helpers.users import another_user


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


def test_what_a_killed_run_left_at_work_is_ended_and_nothing_else(tmp_path, capsys):
    """Of another run, in this folder; deaf ones too. What a user started here, or a run elsewhere, goes on."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    (tmp_path / "elsewhere").mkdir()
    ours, other = {**os.environ, RUN: "999999999"}, {name: v for name, v in os.environ.items() if name != RUN}
    started = [
        subprocess.Popen([sys.executable, "-c", deaf], cwd=cwd, env=env, stdout=subprocess.PIPE)
        for cwd, env in ((tmp_path, ours), (tmp_path, other), (tmp_path / "elsewhere", ours))
    ]
    # A shell that exports the number itself has it in its words alone; this one is stopped.
    words = f"export LC_ALL=C {RUN}=999999999; echo 1; kill -STOP $$; sleep 60"
    started.insert(1, subprocess.Popen(["bash", "-c", words], cwd=tmp_path, env=other, stdout=subprocess.PIPE))
    try:
        for process in started:
            process.stdout.readline()
        take_over(tmp_path).close()
        assert [process.wait(timeout=10) for process in started[:2]] == [-signal.SIGKILL] * 2
        assert [process.poll() for process in started[2:]] == [None, None]
        ended = capsys.readouterr().err.splitlines()
        assert sorted(ended) == sorted(f"ended process {one.pid} of a run that was killed" for one in started[:2])
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_jobs_left_in_slurm_are_named(tmp_path, monkeypatch):
    """Those of this folder that are not this run itself; where Slurm does not answer, none."""
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\nprintf '7 {tmp_path}\\n12 {tmp_path}\\n9 {tmp_path}/other\\n8 {tmp_path}\\n'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    with pytest.raises(BenchError, match="still in Slurm; wait until they end, or: scancel 7 12$"):
        refuse_left_jobs(tmp_path)
    squeue.write_text("#!/bin/sh\necho 'slurm_load_jobs error' >&2; exit 1\n")
    refuse_left_jobs(tmp_path)
    squeue.unlink()
    refuse_left_jobs(tmp_path)
