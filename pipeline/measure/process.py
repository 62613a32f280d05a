"""The parent's side of `pipeline.measure.worker`, and the lock that keeps two timings from disturbing each other."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import BenchError
from pipeline.measure import platforms
from pipeline.measure.timing import Settings, Timing

LOCK = "nn-former-bench-timing.lock"
COMMAND = (sys.executable, "-m", f"{__package__}.worker")
WHERE = Path(__file__).parents[__package__.count(".") + 1]  # the folder that the package is imported from
START_S = 120.0  # for a process to start
BATCH = 50  # networks one process times before a fresh one takes over


@contextlib.contextmanager
def timing_lock() -> Iterator[None]:
    """Hold the machine's lock for timings. Raises BenchError when another timing, of any user, holds it.

    Cores share caches, memory and often execution units, so the lock is one for the machine.
    """
    path = Path(tempfile.gettempdir()) / LOCK
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # made by another user
        file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BenchError(f"{path}: another timing is at work on this machine; wait until it ends") from None
    finally:
        os.close(file)


class Worker:
    """Times networks in a process of its own; a process that dies or takes too long costs one network.

    `timeout_s` bounds one network, loading included; `memory_mb` the address space of the process (0: unbounded).
    """

    def __init__(
        self,
        platform: str,
        settings: Settings,
        timeout_s: float = 120.0,
        memory_mb: int | None = None,
        command: Sequence[str] = COMMAND,
    ):
        about = platforms.get(platform)
        on_device = about.provider == "CUDAExecutionProvider"  # whose driver maps far more than it uses
        limit = 0 if on_device else default_memory_mb() if memory_mb is None else memory_mb
        self.request = {"platform": platform, "settings": asdict(settings), "memory_mb": limit}
        self.timeout_s = timeout_s
        core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        self.command = [*command, *([str(core)] if about.threads == about.streams == 1 else [])]
        self.process: subprocess.Popen | None = None
        self.served = 0

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def time(self, path: Path | str, batch_size: int | None = None, dims: Mapping[str, int] | None = None) -> Timing:
        """The timing of one file, at other sizes than its own where given; a dead process becomes its status."""
        if self.process is None or self.served >= BATCH:
            self._start()
        self.served += 1
        try:
            sizes = {"batch_size": batch_size, "dims": dict(dims or {})}
            request = {"path": str(Path(path).absolute()), **self.request, **{k: v for k, v in sizes.items() if v}}
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._died()
        if not select.select([self.process.stdout], [], [], self.timeout_s)[0]:
            self.stop()
            return Timing("timeout", f"took longer than {self.timeout_s:g} s")
        line = self.process.stdout.readline()
        return Timing(**json.loads(line)) if line.endswith(b"\n") else self._died()

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for file in (self.process.stdin, self.process.stdout, self.stderr):
                with contextlib.suppress(OSError):
                    file.close()
            self.process = None

    def _start(self) -> None:
        self.stop()
        self.served = 0
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        paths = filter(None, [str(WHERE), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # A session of its own: Ctrl-C reaches this process alone, which then ends the other.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=environment,
            start_new_session=True,
        )
        waiting = select.select([self.process.stdout], [], [], START_S)[0]
        if not waiting or self.process.stdout.readline() != b"ready\n":
            self.process.kill()
            message = self._died().message
            raise BenchError(
                f"{self.request['platform']}: the timing process does not start: {message}; mend the installation"
            )

    def _died(self) -> Timing:
        code = self.process.wait()
        self.stderr.seek(0)
        stderr = " ".join(self.stderr.read()[-2000:].decode(errors="replace").split())[-300:]
        self.stop()
        if code == -signal.SIGKILL or "bad_alloc" in stderr or "MemoryError" in stderr:
            return Timing("out_of_memory", stderr or "killed by the system")
        ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Timing("crashed", f"{ended}: {stderr}" if stderr else ended)


def default_memory_mb() -> int:
    """Three quarters of the machine's memory, 0 where that is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4 >> 20
    except (OSError, ValueError):
        return 0


def time_one(
    path: Path | str,
    platform: str,
    settings: Settings | None = None,
    timeout_s: float = 120.0,
    memory_mb: int | None = None,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
) -> Timing:
    """Time the network of an ONNX file on this machine, in a process of its own; weights may be missing.

    `batch_size` and `dims` as in `pipeline.onnx.graph.read_graph`.

    Raises BenchError when the platform is not known or not installed, or another timing is at work.
    """
    platforms.get(platform).version()
    with timing_lock(), Worker(platform, settings or Settings(), timeout_s, memory_mb) as worker:
        return worker.time(path, batch_size, dims)
