"""Warm and plain processes give the same bytes, and nothing stays behind after any kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.config.grid import load_grid
from pipeline.core import io
from pipeline.core.paths import ROOT
from pipeline.plan.warm_imports import modules_of
from pipeline.train import warm
from pipeline.train.supervise import HARMLESS
from tests.helpers.saved_fixtures import DATASET, DEVICE, write_tables

ASK = [sys.executable, "-IS", str(ROOT / "pipeline/train/ask_warm.py")]
PLAIN = [sys.executable, "-m"]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
LABELS = {
    "nn_former": {"preset": "latency", "steps": 20, "dim": 32},
    "gbdt": {},
    "gp": {},
    "nn_meter": {"passes": 1, "rounds": 5},
}
SLEEP = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(99)"
MEASURED = {"fit_s", "fit_cpu_s", "predict_s", "predict_cpu_s", "peak_mem_mb", "finished_at", "code_rev"}


@contextlib.contextmanager
def server(folder: Path, modules: list[str]):
    """A warm process at work in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
        process = warm.start(modules)
    try:
        yield process
    finally:
        process.stdin.close()
        assert process.wait(timeout=20) in (0, -signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment(folder), text=True, capture_output=True)


def ask(folder: Path, code: str) -> subprocess.Popen:
    """A client of the server whose command is a module of this code."""
    (folder / "asked.py").write_text(code)
    return subprocess.Popen([*ASK, "asked"], cwd=folder, env=environment(folder))


def pid_in(folder: Path) -> int:
    """The process that wrote its number."""
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    return int((folder / "pid").read_text())


def wait_until(reached, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def with_torch(tmp_path_factory):
    """The folder of a server that has imported all that the default grid's cells import."""
    folder = tmp_path_factory.mktemp("warm")
    with server(folder, modules_of(load_grid(ROOT / "config/benchmark.yaml"), saves=True)):
        yield folder


@pytest.mark.parametrize("label", LABELS)
def test_warm_and_plain_give_the_same_bytes(with_torch, data, tmp_path, label):
    cell = ["pipeline.train", DATASET, "latency_ms", label, "n60", "--device", DEVICE]
    cell += ["--overrides", json.dumps(LABELS[label]), "--torch-device", "cpu"]
    files = ["--data", str(data), "--split", str(data / "split.parquet")]
    tables, abouts = [], []
    for name, start in (("plain", PLAIN), ("warm", ASK)):
        out = tmp_path / f"{name}.parquet"
        done = run(with_torch, *start, *cell, *files, "--out", str(out))
        assert done.returncode == 0, done.stderr
        tables.append(io.read_parquet(out))
        abouts.append(io.read_meta(out))
    assert abouts[0]["status"] == "ok", abouts[0]["message"]
    assert tables[0].height == 120 and tables[0].equals(tables[1])
    assert tables[0]["prediction"].to_numpy().tobytes() == tables[1]["prediction"].to_numpy().tobytes()
    ours, theirs = ({k: v for k, v in about.items() if k not in MEASURED} for about in abouts)
    assert ours == theirs
    memory = [about["peak_mem_mb"] for about in abouts]
    assert memory[1] == pytest.approx(memory[0], rel=0.3)


def test_a_child_is_as_if_started_by_itself(tmp_path):
    """Arguments, environment, output files, exit status; and the module was imported before."""
    (tmp_path / "heavy.py").write_text("import os\nPID = os.getpid()")
    (tmp_path / "asked.py").write_text(
        "import heavy, os, sys\nprint(sys.argv[1:], os.environ['WORD'])\n"
        "print(heavy.PID == os.getppid(), __name__, file=sys.stderr)\nsys.exit(int(sys.argv[1]))"
    )
    with server(tmp_path, ["heavy", "no_such_module"]):
        for status in ("0", "7"):
            done = subprocess.run(
                [*ASK, "asked", status, "a b"], cwd=tmp_path, env={"WORD": "ja"}, capture_output=True, text=True
            )
            assert done.returncode == int(status)
            assert (done.stdout, done.stderr) == (f"['{status}', 'a b'] ja\n", "True __main__\n")


def test_without_a_server_the_command_runs_by_itself(tmp_path):
    (tmp_path / "asked.py").write_text("import os, sys\nprint(os.getpid(), sys.argv[1])\nsys.exit(5)")
    client = subprocess.Popen(
        [*ASK, "asked", "x"], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    )
    assert client.communicate()[0] == f"{client.pid} x\n"
    assert client.returncode == 5


def test_a_module_that_starts_threads_makes_every_cell_a_process_of_its_own(tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
    )
    (tmp_path / "asked.py").write_text("import sys\nsys.exit(4 if 'threaded' in sys.modules else 3)")
    with server(tmp_path, ["threaded"]):
        assert run(tmp_path, *ASK, "asked").returncode == 3


def test_the_server_ends_with_the_process_that_started_it_and_takes_its_children_along(tmp_path):
    start = "from pipeline.train import warm; import time; print(warm.start([]).pid, flush=True); time.sleep(99)"
    owner = subprocess.Popen(
        [sys.executable, "-c", start], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    )
    pid = int(owner.stdout.readline())
    client = ask(tmp_path, SLEEP)
    child = pid_in(tmp_path)
    owner.kill()
    owner.communicate()
    assert client.wait(timeout=20) != 0
    wait_until(lambda: not is_alive(pid) and not is_alive(child))


def test_a_killed_server_leaves_no_child_and_its_client_fails(tmp_path):
    with server(tmp_path, []) as process:
        client = ask(tmp_path, SLEEP)
        child = pid_in(tmp_path)
        process.kill()
        assert client.wait(timeout=20) == 1
        wait_until(lambda: not is_alive(child))


def test_a_killed_client_takes_its_child_along_and_no_other(tmp_path):
    with server(tmp_path, []):
        client = ask(tmp_path, SLEEP)
        child = pid_in(tmp_path)
        (tmp_path / "pid").unlink()
        other = ask(tmp_path, SLEEP)
        survivor = pid_in(tmp_path)
        client.kill()
        wait_until(lambda: not is_alive(child))
        assert is_alive(survivor)
        other.kill()
        assert client.wait() == other.wait() == -signal.SIGKILL


def test_a_killed_child_is_told(tmp_path):
    with server(tmp_path, []):
        client = ask(tmp_path, SLEEP)
        os.kill(pid_in(tmp_path), signal.SIGKILL)
        assert client.wait(timeout=20) == 128 + signal.SIGKILL


def test_the_server_imports_no_predictor_and_starts_no_threads(with_torch):
    modules = modules_of(load_grid(ROOT / "config/benchmark.yaml"), saves=False)
    assert {"torch", "polars", "lightgbm", "pipeline.train.cell", "predictors.kit.neural"} <= set(modules)
    assert not {"predictors.mean", "predictors.nn_former"} & set(modules)
    probe = (
        "import os, sys\nfrom pathlib import Path\n"
        "print(*((t / 'comm').read_text().strip() for t in Path(f'/proc/{os.getppid()}/task').iterdir()), sep=',')\n"
        "print('torch' in sys.modules and not sys.modules['torch'].cuda.is_initialized())"
    )
    (with_torch / "asked.py").write_text(probe)
    names, fresh = run(with_torch, *ASK, "asked").stdout.splitlines()
    unknown = {name for name in names.split(",") if not name.startswith((*HARMLESS, "python"))}
    assert unknown == set() and fresh == "True"
