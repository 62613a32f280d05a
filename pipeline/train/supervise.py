"""Work in a child process with a time limit from outside: however the child ends, a row says so.

A call into C++ that ignores signals, a crash and a kill for memory can't be caught from within. The child tells its
parent what is known of the row before it runs code that may fail; the parent completes the row when the child can't.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.parent import die_with_parent

Tell = Callable[[dict | None], None]  # what is known of the row; None: from here on nothing is limited

# Threads that polars' import starts. They hold no locks while they wait, and a forked process needs none of them.
HARMLESS = ("jemalloc_bg_thd", "polars-ooc")
DONE = b"null"
PATIENCE = 10  # times its limit that a child may take by the clock, where it is kept from working so long


def silent(about: dict | None) -> None:
    """A `Tell` without a parent."""


def supervise(work: Callable[[Tell], object], limit_s: float, write_row: Callable[[dict], None]) -> int:
    """Run `work` in a child of this process and return its exit status.

    `limit_s` counts from the first row that `work` tells until it tells None, and only while the child works: beside
    other work, or where it is stopped, it may take up to PATIENCE times as long by the clock. When the child is killed,
    takes longer, or ends between the two, `write_row` gets the last row told with its status and message, and 0 is
    returned. A process with threads can't be forked safely; there `work` runs as it is, unwatched.
    """
    if threads():
        status = work(silent)
        return status if isinstance(status, int) else 0
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become_child(work, parent, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            about, done, late = _listen(pipe, limit_s, child)
        if late:
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    except BaseException:  # an interrupt above all
        _end(child)
        raise
    ended = _how_it_ended(os.waitstatus_to_exitcode(status), late)
    if about is None or (done and os.WIFEXITED(status)):
        if os.WIFSIGNALED(status):
            print(f"error: the cell was {ended[1]}", file=sys.stderr)
        return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
    row = about | {"status": ended[0], "message": ended[1], "peak_mem_mb": usage.ru_maxrss / 1024}
    write_row(row | {"finished_at": datetime.now(UTC).isoformat(timespec="seconds")})
    return 0


def write_empty(path: Path, about: dict) -> None:
    """A predictions file without predictions."""
    import polars as pl  # not before: the usual parent needs none

    from pipeline.core import io

    io.write_parquet(path, pl.DataFrame(schema={"graph_id": pl.UInt32, "prediction": pl.Float32}), about)


def threads() -> list[str]:
    """Names of threads in this process that a fork would lose, beside the main one. Where /proc tells."""
    names = []
    for task in Path("/proc/self/task").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names.append((task / "comm").read_text().strip() if int(task.name) != os.getpid() else "")
    return [name for name in names if name and not name.startswith(HARMLESS)]


def _listen(pipe, limit_s: float, child: int) -> tuple[dict | None, bool, str]:
    """The last row told, whether the child was done, and how it took too long, if it did."""
    about, unread, begun, wait_s = None, b"", None, None
    while True:
        if not select.select([pipe], [], [], wait_s)[0]:
            wait_s, late = _left(limit_s, *begun, child)
            if late:
                return about, False, late
            continue
        received = pipe.read(65536)
        if not received:
            return about, False, ""
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            if line == DONE:
                return about, True, ""
            about, begun = json.loads(line), begun or (time.monotonic(), _worked_s(child))
            wait_s = max(0.0, begun[0] + limit_s - time.monotonic())


def _left(limit_s: float, begun: float, worked_s: float | None, child: int) -> tuple[float, str]:
    """Seconds that the child has at least, and how it took too long, if it did."""
    spent_s, now_s = time.monotonic() - begun, _worked_s(child)
    if spent_s >= limit_s and (worked_s is None or now_s is None or now_s - worked_s >= limit_s):
        return 0.0, f"took longer than {limit_s:g} s"
    if spent_s >= PATIENCE * limit_s:
        return 0.0, f"took longer than {PATIENCE * limit_s:g} s, {PATIENCE} times its limit, and hardly worked"
    by_work_s = 0.0 if worked_s is None or now_s is None else limit_s - (now_s - worked_s)
    return max(0.01, min(max(by_work_s, limit_s - spent_s), PATIENCE * limit_s - spent_s)), ""


def _worked_s(pid: int) -> float | None:
    """Processor time of a process; None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _become_child(work: Callable[[Tell], object], parent: int, writing: int) -> None:
    """Run `work` and end this process."""

    def tell(about: dict | None) -> None:
        os.write(writing, json.dumps(about).encode() + b"\n")

    status = 1
    try:
        die_with_parent(parent)
        with contextlib.suppress(OSError):  # short of memory, the system kills this process before its parents
            Path("/proc/self/oom_score_adj").write_text("1000")
        status = work(tell)
        status = status if isinstance(status, int) else 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:
        status = _print_error(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)


def _print_error(error: BaseException) -> int:
    from pipeline.core.errors import BenchError, one_line

    if isinstance(error, BenchError):
        print(f"error: {one_line(error)}", file=sys.stderr)
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    return 1


def _end(child: int, patience_s: float = 5.0) -> None:
    """Interrupt the child, so that it removes its temporary file; kill it when it does not listen."""
    end = time.monotonic() + patience_s
    os.kill(child, signal.SIGINT)
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _how_it_ended(code: int, late: str) -> tuple[str, str]:
    """Status and message."""
    if late:
        return "timeout", late
    if code >= 0:
        return "error", f"ended with exit status {code}"
    why = ", most likely for want of memory" if code == -signal.SIGKILL else ""
    return "error", f"killed by {signal.Signals(-code).name}{why}"
