"""Ctrl-C, without a traceback of Snakemake's.

Before there are jobs it ends the run at once; later the first lets Snakemake end its jobs, the second does not wait.
"""

from __future__ import annotations

import os
import signal

STATUS = 130  # of what an interrupt ended


def end_at_once() -> None:
    """Have an interrupt end this process where it stands, while it plans and has started nothing."""
    signal.signal(signal.SIGINT, _only)


def as_usual() -> None:
    """Leave interrupts to Snakemake, which must live to cancel its jobs on a cluster."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def end_at_the_second() -> None:
    """Have a second interrupt end this process where it stands, in place of a traceback of Snakemake's.

    Nothing is lost by it: jobs end with the run that started them, and the next run removes half-written files.
    """
    signal.signal(signal.SIGINT, _first)


def _only(*_: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(STATUS)


def _first(*_: object) -> None:
    signal.signal(signal.SIGINT, _second)
    raise KeyboardInterrupt


def _second(*_: object) -> None:
    os.write(2, b"interrupted twice: ended at once\n")
    os._exit(STATUS)
