"""A child that ends in any way leaves a row, its parent's death ends it, and a fault of the system is no row."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.paths import ROOT

START = """
import json, os, re, signal, sys, time
from pathlib import Path
from pipeline.core.errors import BenchError
from pipeline.train.supervise import supervise

def work(tell):
{body}

def write_row(about):
    Path("row.json").write_text(json.dumps(about))

sys.exit(supervise(work, {limit}, write_row))
"""
TOLD = "tell({'seed': 7, 'status': 'ok'})"
DEAF = "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(99)"
FOR_EVER = "re.match('(a+)+$', 'a' * 60 + 'b')"  # in C, and Python's signal handlers wait until it ends


def script(body: str, limit: float = 60) -> list[str]:
    """A command that supervises `body`."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return [sys.executable, "-c", START.format(body=indented, limit=limit)]


def supervised(folder: Path, body: str, limit: float = 60) -> tuple[int, dict | None, str]:
    """Exit status, row written and stderr of a supervised `body`."""
    done = subprocess.run(
        script(body, limit), cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=50
    )
    row = folder / "row.json"
    return done.returncode, json.loads(row.read_text()) if row.exists() else None, done.stderr


@pytest.mark.parametrize(
    ("fatal", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL, most likely for want of memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os._exit(0)", "ended with exit status 0"),
        ("sys.exit(3)", "ended with exit status 3"),
    ],
)
def test_a_child_that_ends_between_its_words_is_an_error_row(tmp_path, fatal, message):
    status, row, _ = supervised(tmp_path, f"{TOLD}\n{fatal}\ntell(None)")
    assert status == 0
    assert (row["seed"], row["status"], row["message"]) == (7, "error", message)
    assert 1 < row["peak_mem_mb"] < 1000 and row["finished_at"].endswith("+00:00")


def test_the_last_row_told_is_the_one_written(tmp_path):
    assert supervised(tmp_path, f"{TOLD}\ntell({{'seed': 8}})\nos._exit(1)")[1]["seed"] == 8


@pytest.mark.parametrize(
    ("endless", "message"),
    [
        (FOR_EVER, "took longer than 0.3 s"),
        (DEAF, "took longer than 3 s, 10 times its limit, and hardly worked"),
    ],
)
def test_a_call_that_ignores_signals_is_stopped(tmp_path, endless, message):
    status, row, _ = supervised(tmp_path, f"{TOLD}\n{endless}\ntell(None)", limit=0.3)
    assert (status, row["status"], row["message"]) == (0, "timeout", message)


def test_a_child_that_is_kept_from_working_has_more_time(tmp_path):
    """It is stopped for longer than its limit, as on a suspended machine; its parent lets it go on."""
    body = "\n".join(
        [
            "if not os.fork():",  # this one is not stopped
            "    time.sleep(1.5)",
            "    os.kill(os.getppid(), signal.SIGCONT)",
            "    os._exit(0)",
            TOLD,
            "os.kill(os.getpid(), signal.SIGSTOP)",
            "tell(None)",
        ]
    )
    assert supervised(tmp_path, body, limit=0.5)[:2] == (0, None)


def test_the_limit_holds_between_the_words_alone(tmp_path):
    body = f"time.sleep(0.5)\n{TOLD}\ntell(None)\ntime.sleep(0.5)"
    assert supervised(tmp_path, body, limit=0.3) == (0, None, "")


def test_bad_input_and_a_full_disk_are_no_rows(tmp_path):
    status, row, said = supervised(tmp_path, "raise BenchError('graphs.parquet: no such file')")
    assert (status, row, said) == (1, None, "error: graphs.parquet: no such file\n")
    status, row, said = supervised(tmp_path, f"{TOLD}\ntell(None)\nraise BenchError('no space left')")
    assert (status, row, said) == (1, None, "error: no space left\n")
    assert supervised(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")[:2] == (1, None)


def test_a_kill_while_the_answer_is_written_is_a_row_too(tmp_path):
    status, row, _ = supervised(tmp_path, f"{TOLD}\ntell(None)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (status, row["status"]) == (0, "error")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_ends_with_its_parent(tmp_path, how):
    body = f"Path('pid').write_text(str(os.getpid()))\n{TOLD}\ntime.sleep(99)"
    parent = subprocess.Popen(
        script(body), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )  # fmt: skip
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    parent.send_signal(how)
    assert parent.wait(timeout=20) != 0
    wait_until(lambda: not is_alive((tmp_path / "pid").read_text()))
    assert not (tmp_path / "row.json").exists()


def wait_until(reached, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_alive(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_a_process_with_threads_is_not_forked(tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\n"
        "from pipeline.train.supervise import supervise\n"
        "seen = []\n"
        "assert supervise(lambda tell: seen.append((os.getpid(), tell({}), tell(None))), 1, seen.append) == 0\n"
        "assert seen == [(os.getpid(), None, None)]\n"
    )
    done = subprocess.run([sys.executable, "threaded.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, timeout=20)
    assert done.returncode == 0
