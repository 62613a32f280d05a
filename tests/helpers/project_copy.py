"""A copy of the project in a folder of its own, with a default grid of seconds: what the workflow tests run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl
import yaml

from pipeline.core.paths import ROOT

PARTS = ("Snakefile", "nnfb", "pipeline", "predictors", "config", "workflow", "profiles", "shipped", "pyproject.toml")
DVC_PARTS = ("Makefile", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots", ".dvcignore", ".gitignore")
BIN = Path(sys.executable).parent
GRID = {
    "grid": "benchmark",
    "seeds": 1,
    "torch_device": "cpu",
    "timeout_s": 120,
    "tasks": [{"dataset": "synthetic201", "protocol": "direct", "target": "test_acc", "budgets": [60]}],
    "predictors": {"mean": {}, "op_counts": {}},
}
LOCALLY = ("snakemake", "--cores", "2")
NOTHING = "Nothing to be done"
TINY_PREDICTOR = '''"""Predicts the number of nodes."""
import torch
from predictors.base import BasePredictor


class Predictor(BasePredictor):
    def fit(self, train, y, val=None, y_val=None):
        self.tensors["bias"] = y.float().mean()[None]

    def predict(self, graphs):
        return graphs.n_nodes.float() + self.tensors["bias"]
'''


def fitting(code: str) -> str:
    """A predictor that runs `code` first thing in fit."""
    return TINY_PREDICTOR.replace("self.tensors", f"{code}; self.tensors", 1)


def copy_project(folder: Path, grid: dict | None = None, dvc: bool = False) -> Path:
    """Copy what a run needs into `folder`, with `grid` as config/benchmark.yaml."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS + (DVC_PARTS if dvc else ()):
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignore)
        else:
            shutil.copy2(source, target)
    write_grid(folder, grid or GRID)
    return folder


def write_grid(folder: Path, grid: dict) -> None:
    """Make `grid` the default grid of the copy."""
    (folder / "config" / "benchmark.yaml").write_text(yaml.safe_dump(grid, sort_keys=False))


def with_predictor(grid: dict, label: str) -> dict:
    """The grid with one more predictor."""
    return {**grid, "predictors": {**grid["predictors"], label: {}}}


def environment() -> dict[str, str]:
    """Environment of a run: the tools of this Python, one thread, and no way to the network or a mirror."""
    outer = {name: value for name, value in os.environ.items() if name not in ("BENCH_MIRROR", "PYTEST_CURRENT_TEST")}
    return {**outer, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the copy; stdout and stderr come together in `stdout`."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in the copy, as a user would."""
    return run(folder, "snakemake", *arguments, "--cores", "2", check=check)


def _two_interrupts(process: subprocess.Popen, folder: Path) -> None:
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def _kill_server(process: subprocess.Popen, folder: Path) -> None:
    for pid, command in processes_in(folder).items():
        if "-m pipeline.train.warm " in command:
            os.kill(pid, signal.SIGKILL)


def _stop_and_continue(process: subprocess.Popen, folder: Path) -> None:
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGCONT)


def _run_beside(process: subprocess.Popen, folder: Path) -> None:
    said = snakemake(folder, check=False).stdout
    assert process.poll() is not None or "another run is at work" in said, said


HOW: dict[str, Callable[[subprocess.Popen, Path], None]] = {
    "group killed": lambda process, folder: os.killpg(process.pid, signal.SIGKILL),
    "main process killed": lambda process, folder: process.kill(),
    "main process terminated": lambda process, folder: process.terminate(),
    "hang-up": lambda process, folder: os.killpg(process.pid, signal.SIGHUP),
    "interrupt": lambda process, folder: os.killpg(process.pid, signal.SIGINT),
    "two interrupts": _two_interrupts,
    "server of the cells killed": _kill_server,
    "stop and continue": _stop_and_continue,
    "a run beside it": _run_beside,
}


def kill(
    folder: Path,
    reached: Callable[[], bool],
    how: str | Callable[[subprocess.Popen, Path], None] = "group killed",
    command: tuple[str, ...] = LOCALLY,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> tuple[bool, str]:
    """Start a run, interrupt it once `reached()` in a way of HOW or another, and wait until it has ended.

    False when it had ended by itself; and what it said. `extra`: of its environment.
    """
    temporary = folder / "logs" / "tmp"  # a killed process can't remove its temporary files
    temporary.mkdir(parents=True, exist_ok=True)
    said = folder / "logs" / "interrupted.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(), "TMPDIR": str(temporary), **extra},
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    while not reached():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
            return False, said.read_text(errors="replace")
    (HOW[how] if isinstance(how, str) else how)(process, folder)
    process.wait()
    return True, said.read_text(errors="replace")


def kill_when(folder: Path, made: str) -> bool:
    """Start a run and kill it once a file of the pattern `made` is there; False when it had ended by itself."""
    return kill(folder, lambda: any(folder.glob(made)))[0]


def processes_in(folder: Path) -> dict[int, str]:
    """Command lines of the processes at work in a folder, by their ids."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve() and "Z" not in (process / "stat").read_text().split()[2]:
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
    return found


def predictions(folder: Path) -> dict[str, int]:
    """Time stamp (ns) of every predictions file, by its path in the copy."""
    found = (folder / "results" / "predictions").rglob("*.parquet")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def quality(folder: Path) -> pl.DataFrame:
    """The scores but for what a run measures of itself: times, memory, provenance."""
    scores = pl.read_parquet(folder / "results" / "benchmark" / "scores.parquet")
    return scores.filter(pl.col("split") != "run").drop("finished_at", "code_rev")


def leftovers(folder: Path) -> list[Path]:
    """Half-written files."""
    return [path for name in ("data", "results") for path in (folder / name).rglob(".*.tmp")]


def timed(folder: Path) -> float:
    """Seconds of a run."""
    start = time.perf_counter()
    snakemake(folder)
    return time.perf_counter() - start


def errors(output: str) -> list[str]:
    """The lines that begin with `error:`."""
    return [line.strip() for line in output.splitlines() if line.strip().startswith("error:")]


def append(path: Path, line: str) -> None:
    """Add a line at the end of a file."""
    with path.open("a") as file:
        file.write(f"\n{line}\n")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is there, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def touch_everything(folder: Path) -> None:
    """Give code, configs and tables new time stamps, the code newer than the predictions."""
    patterns = ["results/**/*.parquet", "data/**/*.parquet", "data/raw/*/.fetched", "**/*.py", "config/*"]
    for number, pattern in enumerate(patterns):
        for path in folder.glob(pattern):
            os.utime(path, (time.time() + number - 6, time.time() + number - 6))
