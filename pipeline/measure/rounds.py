"""Networks are timed in rounds, each through all of them, so that what disturbs a while disturbs one round.

A network is settled when two rounds of a quiet machine agree, with the core at the clock that is usual in this run.
Until then it is timed again, at most twice as often as a settled one. Its latency is the mean of its two shortest
rounds that agree, or of its two shortest ones.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pipeline.measure.timing import BUSY

ROUNDS = 2  # of every network
MOST_ROUNDS = 4  # of one that does not settle
AGREE = 0.03  # relative difference


def _ok(rows: Sequence[dict]) -> list[dict]:
    """The rounds that gave a time, the shortest first."""
    return sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["q1_ms"])


def usual_core_ms(rows: Sequence[dict]) -> float | None:
    """What the core usually takes for the fixed loop: the median of all rounds of all networks, None where unknown."""
    known = [row["core_ms"] for row in rows if row.get("core_ms") is not None]
    return statistics.median(known) if known else None


def _is_quiet(row: dict, usual: float | None) -> bool:
    """True for a round with the machine for itself, and its core at its usual clock."""
    alone = row["others"] is None or row["others"] <= BUSY
    return alone and (usual is None or row.get("core_ms") is None or abs(row["core_ms"] / usual - 1) <= AGREE)


def _agreeing(rows: Sequence[dict], usual: float | None) -> list[dict]:
    """The two shortest rounds of a quiet machine that agree; [] where none do."""
    quiet = [row for row in _ok(rows) if _is_quiet(row, usual)]
    pairs = zip(quiet, quiet[1:], strict=False)
    return next(([a, b] for a, b in pairs if b["q1_ms"] <= (1 + AGREE) * a["q1_ms"]), [])


def settled(rows: Sequence[dict], usual: float | None = None) -> bool:
    """True when the rounds of a network need no further one: it failed at once, or two agree.

    `usual`: see `usual_core_ms`.
    """
    return bool(rows) and (rows[0]["status"] != "ok" or bool(_agreeing(rows, usual)))


def combine(rows: Sequence[dict], usual: float | None = None) -> dict:
    """One row of the table from all rounds of a network: its shortest, with `latency_ms`, `settled` and `rounds`."""
    shortest = _agreeing(rows, usual) or _ok(rows)[:2]
    if not shortest:
        return {**rows[0], "latency_ms": None, "settled": False, "rounds": len(rows)}
    latency_ms = sum(row["q1_ms"] for row in shortest) / len(shortest)
    return {**shortest[0], "latency_ms": latency_ms, "settled": settled(rows, usual), "rounds": len(rows)}
