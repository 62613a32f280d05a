"""The process in which networks run: python -m pipeline.measure.worker. It may crash or hang; its parent stays.

First it writes the line `ready`. Then one line of JSON in, one out: {"path", "platform", "settings", "memory_mb"}, with
"batch_size" and "dims" where they are not the file's own, and the fields of a Timing.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import BenchError
from pipeline.core.parent import die_with_parent
from pipeline.measure import platforms, runtime
from pipeline.measure.timing import Settings, Timing, measure
from pipeline.onnx.load import MAX_FILE_BYTES, read_limited

try:
    import resource
except ImportError:  # not on Windows: memory is not limited there
    resource = None

READY = "ready\n"
BUILDER = ThreadPoolExecutor(1)  # threads of a session have the priority of the thread that makes it
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Available memory", "out of memory")


def time_network(path: str, platform: str, settings: Settings, **sizes: object) -> Timing:
    """Time the network of a file in this process, at `sizes` that `pipeline.measure.runtime.prepare` takes.

    What its runtime says becomes the status.
    """
    about = platforms.get(platform)
    try:
        content = read_limited(Path(path), MAX_FILE_BYTES)
        run = BUILDER.submit(functools.partial(runtime.prepare, about, content, path, **sizes)).result()
        if about.streams > 1:
            step_aside()
        one_thread = about.threads == about.streams == 1 and about.provider == "CPUExecutionProvider"
        return measure(run, settings, one_thread)
    except MemoryError as error:
        return Timing("out_of_memory", _short(error))
    except BenchError as error:
        return Timing("unsupported", _short(error))
    except Exception as error:  # runtimes raise exceptions of their own kinds
        status = "out_of_memory" if any(sign in str(error) for sign in OUT_OF_MEMORY) else "unsupported"
        return Timing(status, _short(error))


def serve(time_one=time_network) -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    die_with_parent()
    answers.write(READY)
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        _limit_memory(request["memory_mb"])
        sizes = {key: request[key] for key in ("batch_size", "dims") if request.get(key)}
        timing = time_one(request["path"], request["platform"], Settings(**request["settings"]), **sizes)
        answers.write(json.dumps(asdict(timing)) + "\n")
        answers.flush()


def pin(core: int) -> None:
    """Keep this process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def step_aside() -> None:
    """Let this thread run where nothing else wants to: it spins while the threads of a session work."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _limit_memory(megabytes: int) -> None:
    if resource is not None and megabytes:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pin(int(sys.argv[1]))
    serve()
