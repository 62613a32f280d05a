"""Rounds of timings: when a network is settled, and what its latency is."""

from __future__ import annotations

import itertools

import pytest

from pipeline.measure import rounds, timing
from pipeline.measure.run import _is_due
from pipeline.measure.timing import Settings, measure


def row(ms, others=0.0, status="ok", core_ms=None):
    return {"status": status, "min_ms": ms, "others": others, "message": "", "core_ms": core_ms}


FAILED = row(None, None, "crashed")


@pytest.mark.parametrize(
    ("rows", "settled", "latency_ms"),
    [
        ([row(10.0), row(10.2)], True, 10.0),
        ([row(10.0), row(14.0)], False, 10.0),
        ([row(14.0, 1.0), row(10.0), row(14.1, 1.0), row(10.1)], True, 10.0),
        (
            [row(14.0, 1.0), row(14.0, 1.0), row(14.0, 1.0), row(14.0, 1.0)],
            False,
            14.0,
        ),  # is it the network?
        ([row(9.0, 0.5), row(10.0), row(10.2)], True, 9.0),
        ([row(10.0, None), row(10.1, None)], True, 10.0),  # a system that does not say
        ([row(10.0)], False, 10.0),
        ([row(10.0), FAILED], False, 10.0),
        ([FAILED], True, None),
    ],
)
def test_two_quiet_rounds_that_agree_settle_a_network(rows, settled, latency_ms):
    assert rounds.settled(rows) == settled
    found = rounds.combine(rows)
    assert found["latency_ms"] == (latency_ms and pytest.approx(latency_ms))
    assert found["settled"] == (settled and latency_ms is not None) and found["rounds"] == len(rows)


def test_two_rounds_of_a_slow_core_alone_settle_nothing():
    """Two rounds of a slowed core agree; the run's other networks know that it is slow."""
    slow = [row(12.0, core_ms=0.045), row(12.1, core_ms=0.045)]
    quick_core_ms = rounds.quick_core_ms([*slow, *(row(1.0, core_ms=0.03) for _ in range(3)), FAILED, row(3.0)])
    assert quick_core_ms == pytest.approx(0.03) and rounds.quick_core_ms([row(1.0), {"status": "ok"}]) is None
    assert rounds.settled(slow) and not rounds.settled(slow, quick_core_ms) and _is_due(slow, 2, quick_core_ms)
    quick = [row(10.1, core_ms=0.03), row(10.0, core_ms=0.045)]
    assert rounds.settled([*slow, *quick], quick_core_ms)
    assert rounds.combine([*slow, *quick], quick_core_ms)["latency_ms"] == 10.0


def test_a_network_is_timed_twice_and_again_until_it_is_settled():
    good, bad = [row(10.0), row(10.1)], [row(10.0), row(14.0)]
    assert _is_due([], 0, None) and _is_due(good[:1], 1, None) and not _is_due(good[:1], 0, None)
    assert not _is_due(good, 2, None) and _is_due(bad, 2, None) and not _is_due(bad, 1, None)
    assert not _is_due([FAILED], 1, None)
    assert rounds.ROUNDS == 2 and _is_due([*bad, row(14.1)], 3, None) and not _is_due([*bad, row(10.2)], 3, None)


def test_the_cores_clock_counts_as_the_runs_do(monkeypatch):
    """A neighbour on the same core slows two loops of three: the lower quartile is that of an undisturbed one."""
    moments, loops = [0.0], itertools.cycle([5e-5, 5e-5, 3e-5])

    def run_once():
        moments[0] += 0.01

    monkeypatch.setattr(timing, "loop_s", lambda clock: next(loops))
    found = measure(run_once, Settings(limit_s=1.0, warm_up_s=0.0), clock=lambda: moments[0])
    assert found.core_ms == pytest.approx(0.03)


def test_a_run_on_one_thread_counts_with_the_time_it_had_the_core(monkeypatch):
    """Half of the runs lose the core for as long as they work; on several threads the wall's clock alone counts."""
    moments, worked, lost, runs = [0.0], [0.0], [0], itertools.count()

    def run_once():
        waits = next(runs) % 2
        lost[0] += waits
        worked[0] += 0.01
        moments[0] += 0.01 + 0.01 * waits

    monkeypatch.setattr(timing, "_switches", lambda: lost[0])
    clocks = {"clock": lambda: moments[0], "processor": lambda: worked[0]}
    settings = Settings(limit_s=1.0, warm_up_s=0.0)
    alone = measure(run_once, settings, one_thread=True, **clocks)
    assert (alone.q1_ms, alone.q3_ms) == pytest.approx((10.0, 10.0)) and alone.wall_ms > 10.1 and alone.switched == 0.5
    several = measure(run_once, settings, one_thread=False, **clocks)
    assert several.q1_ms == pytest.approx(10.0) and several.q3_ms == pytest.approx(20.0)
