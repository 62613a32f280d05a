"""Networks are timed in rounds, each through all of them, so that what disturbs a while disturbs one round.

What disturbs a run makes it longer, so a network's latency is its shortest run of all rounds. It is settled when the
shortest runs of two rounds agree, both of a quiet machine and one of a core near its quickest: a core slows down
unseen, by its clock or since another's work shares its units, but the fixed loop between the runs tells. Until
then the network is timed again, at most twice as often as a settled one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.measure.timing import BUSY

ROUNDS = 2  # of every network
MOST_ROUNDS = 4  # of one that does not settle
AGREE = 0.03  # relative difference
NEAR = 0.15  # how much slower than the quick core the quicker of two rounds that agree may be


def quick_core_ms(rows: Sequence[dict]) -> float | None:
    """What the quick core takes for the fixed loop: that of the quickest tenth of all rounds, None where unknown."""
    known = [row["core_ms"] for row in rows if row.get("core_ms") is not None]
    return float(np.quantile(known, 0.1)) if known else None


def _ok(rows: Sequence[dict]) -> list[dict]:
    """The rounds that gave a time, the shortest first."""
    return sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["min_ms"])


def _is_near(row: dict, quick: float | None) -> bool:
    """True for a round with the core near its quickest, or where nothing is known of it."""
    return quick is None or row.get("core_ms") is None or row["core_ms"] <= (1 + NEAR) * quick


def settled(rows: Sequence[dict], quick: float | None = None) -> bool:
    """True when the rounds of a network need no further one: it failed at once, or the two shortest ones agree.

    `quick`: see `quick_core_ms`.
    """
    if not rows or rows[0]["status"] != "ok":
        return bool(rows)
    shortest = _ok(row for row in rows if row["others"] is None or row["others"] <= BUSY)[:2]
    agree = len(shortest) == 2 and shortest[1]["min_ms"] <= (1 + AGREE) * shortest[0]["min_ms"]
    return agree and any(_is_near(row, quick) for row in shortest)


def combine(rows: Sequence[dict], quick: float | None = None) -> dict:
    """One row of the table from all rounds of a network: its shortest, with `latency_ms`, `settled` and `rounds`."""
    shortest = next(iter(_ok(rows)), {**rows[0], "min_ms": None})
    done = shortest["min_ms"] is not None and settled(rows, quick)
    return {**shortest, "latency_ms": shortest["min_ms"], "settled": done, "rounds": len(rows)}
