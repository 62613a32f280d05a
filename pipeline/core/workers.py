"""A function over many items on several cores, in order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pipeline.core.errors import BenchError

Item, Result = TypeVar("Item"), TypeVar("Result")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None, where: str
) -> Iterator[Result]:
    """`function` of each item, in order, by `workers` processes (default: one a core; 1 stays in this process).

    Raises what `function` raises, and BenchError naming `where` when a process is killed.
    """
    workers = workers or cores()
    if workers == 1:
        yield from map(function, items)
        return
    waiting: deque = deque()
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            while len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BenchError(f"{where}: a worker was killed; free some memory and run again") from error
    finally:
        pool.shutdown(cancel_futures=True)
