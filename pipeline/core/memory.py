"""A bound on the memory that a step may take, for input that nobody vouches for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import BenchError

try:
    import resource
except ImportError:  # not on Windows: no bound there
    resource = None


@contextlib.contextmanager
def bounded_memory(where: str, extra_bytes: int) -> Iterator[None]:
    """Raise BenchError naming `where` when the body needs more than `extra_bytes` on top of what the process has.

    The bound is on address space and for the whole process. It holds on Linux; elsewhere the body runs unbounded.
    """
    statm = Path("/proc/self/statm")
    previous = None
    if resource is not None and statm.exists():
        previous = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(statm.read_bytes().split()[0])
        address_space = pages * resource.getpagesize() + extra_bytes
        ceilings = [limit for limit in previous if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([address_space, *ceilings]), previous[1]))
    try:
        yield
    except MemoryError as error:
        raise BenchError(f"{where}: takes over {extra_bytes >> 20:,} MiB of memory; refused, check the file") from error
    finally:
        if previous is not None:
            resource.setrlimit(resource.RLIMIT_AS, previous)
