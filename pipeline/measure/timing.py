"""How one network is timed once: warm-up, then runs until the median is known well enough or time is up.

What counts is the shortest of the runs: what disturbs a run makes it longer. Where a network runs on one thread and
the system took its core away meanwhile, a run counts with the processor time that it had.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

try:
    import resource
except ImportError:  # not on Windows: switches are not counted there
    resource = None

STATUSES = ("ok", "crashed", "timeout", "out_of_memory", "unsupported")
BUSY = 0.15  # cores that others may take before a timing is marked
SPINS, TURNS = 3, 2000  # tries of a loop of so many turns, 0.03 ms each: what they take least tells the core's clock
LOOK_EVERY = 16  # runs between two looks at the quartiles and at the core's clock, once there are as many


@dataclass(frozen=True)
class Settings:
    """When to stop. Seconds count the timed runs alone, from the end of the warm-up.

    `error`: half of the median's 95 % interval over the median; `limit_s` stops before that is reached, after
    `fewest` runs; `least_s` goes on for so long even when it is, as the first instants of a network can be unlike
    the rest.
    """

    error: float = 0.02
    limit_s: float = 0.4
    least_s: float = 0.15
    fewest: int = 3
    warm_up_s: float = 0.05


@dataclass(frozen=True)
class Timing:
    """How long one network took, or why that is not known: `status` is one of STATUSES.

    Median, quartiles and minimum (ms) of `repeats` runs, of which `min_ms` is what counts; `wall_ms` is the median by
    the clock on the wall alone. `error`: half of the median's 95 % interval over the median (McGill, Tukey and Larsen
    1978). `others`: how many cores other processes took meanwhile; `switched`: share of the runs in which the system
    took the core away; None where not known. `core_ms`: the lower quartile of a fixed loop between the runs; it
    changes with the clock of the core, and with what shares its units unseen.
    """

    status: str
    message: str = ""
    median_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    min_ms: float | None = None
    wall_ms: float | None = None
    repeats: int = 0
    error: float | None = None
    others: float | None = None
    switched: float | None = None
    core_ms: float | None = None

    @property
    def busy(self) -> bool:
        """True when other processes took so much that the figure is in doubt."""
        return self.others is not None and self.others > BUSY


def relative_error(times: np.ndarray) -> float:
    """Half of the 95 % interval of the median of `times`, over the median: 1.57 IQR / sqrt(n) / median."""
    q1, median, q3 = np.percentile(times, (25, 50, 75))
    return float(1.57 * (q3 - q1) / np.sqrt(len(times)) / median)


def measure(
    run: Callable[[], object],
    settings: Settings,
    one_thread: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
) -> Timing:
    """Time `run`; `one_thread`: by processor time where its core was taken away. Garbage is not collected meanwhile."""
    start = clock()
    run()
    while clock() - start < settings.warm_up_s:
        run()
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    load = Load()
    try:
        times, walls, loops, switched = _runs(run, settings, clock, processor if one_thread else None)
    finally:
        if was_enabled:
            gc.enable()
    q1, median, q3 = (float(value) for value in np.percentile(times, (25, 50, 75)) * 1e3)
    least, wall, error = float(times.min() * 1e3), float(np.median(walls) * 1e3), relative_error(times)
    core_ms = float(np.percentile(loops, 25) * 1e3)
    return Timing("ok", "", median, q1, q3, least, wall, len(times), error, load.others(), switched, core_ms)


def _runs(run, settings: Settings, clock, processor) -> tuple[np.ndarray, np.ndarray, np.ndarray, float | None]:
    """Times of the runs, by the wall's clock and of `loop_s` between them (s); the share in which the core was taken
    away."""
    times: list[float] = []
    walls: list[float] = []
    loops: list[float] = []
    interrupted = 0
    start = clock()
    while True:
        switches, worked, before = _switches(), processor() if processor else 0.0, clock()
        run()
        now = clock()
        taken_away = _switches() != switches
        interrupted += taken_away
        walls.append(now - before)
        times.append(processor() - worked if taken_away and processor else walls[-1])
        n, spent = len(times), now - start
        if n > LOOK_EVERY and n % LOOK_EVERY:
            continue
        loops.append(loop_s(clock))
        if n < settings.fewest:
            continue
        known = spent >= settings.least_s and relative_error(np.array(times)) <= settings.error
        if known or spent >= settings.limit_s:
            lost = round(interrupted / n, 3) if resource else None
            return np.array(times), np.array(walls), np.array(loops), lost


def loop_s(clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a fixed loop, the least of some tries: how slow the core is by itself."""
    least = math.inf
    for _ in range(SPINS):
        start = clock()
        for _ in range(TURNS):
            pass
        least = min(least, clock() - start)
    return least


def _switches() -> int:
    """Times that the system took a core away from this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else 0


class Load:
    """Cores that processes other than this one take, and the hypervisor from all of them, since the object was made."""

    def __init__(self) -> None:
        self.start = _busy_s(), _own_s(), time.perf_counter()

    def others(self) -> float | None:
        """Mean number of cores, with the 10 ms grain of /proc/stat; None where there is no such file."""
        busy, own, now = _busy_s(), _own_s(), time.perf_counter()
        if busy is None or self.start[0] is None:
            return None
        took = (busy - self.start[0]) - (own - self.start[1])
        return round(max(took, 0.0) / max(now - self.start[2], 1e-9), 3)


def _busy_s() -> float | None:
    """Seconds that all cores together have worked or were taken away."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    own = os.times()
    return own.user + own.system
