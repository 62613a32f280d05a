"""A bound on the memory that a step of a test may take."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def bounded_memory(extra_bytes: int) -> Iterator[None]:
    """Raise MemoryError when the body needs more than `extra_bytes` on top of what the process has. On Linux."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    previous = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra_bytes, previous[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, previous)
