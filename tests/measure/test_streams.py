"""Streams of operations that run side by side: how they are dealt out, and that they change no number."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np

from pipeline.measure import families, platforms, runtime, streams
from pipeline.measure.streams import HANDOVER_US


def node(name: str, *inputs: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, input=list(inputs), output=[f"{name}:0"])


def branches(left: float, right: float) -> list[list[str]]:
    """a feeds b (``left`` microseconds) and c (``right``), both feed d."""
    nodes = [node("a", "input"), node("b", "a:0", "weight"), node("c", "a:0"), node("d", "b:0", "c:0")]
    return streams.deal(nodes, {"a": 50.0, "b": left, "c": right, "d": 50.0}, 2)


def test_branches_that_last_longer_than_a_handover_run_side_by_side():
    assert branches(5 * HANDOVER_US, 3 * HANDOVER_US) == [["a", "b", "d"], ["c"]]
    assert branches(3 * HANDOVER_US, 5 * HANDOVER_US) == [["a", "b"], ["c", "d"]]  # d follows what it waits for longest


def test_short_branches_and_chains_stay_in_one_stream():
    assert branches(0.5 * HANDOVER_US, 9 * HANDOVER_US) == [["a", "b", "c", "d"]]
    chain = [node("a", "input"), node("b", "a:0"), node("c", "b:0")]
    assert streams.deal(chain, dict.fromkeys("abc", 1e6), 2) == [["a", "b", "c"]]


def test_a_profile_gives_the_least_time_of_each_operation_in_the_order_of_the_first_run(tmp_path):
    def event(name: str, ts: float, dur: float) -> dict:
        return {"cat": "Node", "name": name, "ts": ts, "dur": dur}

    events = [event("op1_kernel_time", 30, 9), event("op0_kernel_time", 10, 5), event("op0_kernel_time", 50, 4)]
    others = [event("op1_fence_before", 0, 1), {"cat": "Session", "name": "model_run", "ts": 0, "dur": 99}]
    (tmp_path / "profile.json").write_text(json.dumps(events + others))
    assert list(streams.durations(tmp_path / "profile.json").items()) == [("op0", 4), ("op1", 9)]


def test_side_by_side_a_network_computes_what_it_computes_alone(monkeypatch):
    """Four branches a module; without a price on handovers they are sure to be dealt out."""
    monkeypatch.setattr(streams, "HANDOVER_US", 0.0)
    dealt, write = [], streams.write
    monkeypatch.setattr(streams, "write", lambda path, names: (dealt.append(names), write(path, names)))
    content = families.unvaried("googlenet").SerializeToString()
    alone, parallel = (
        runtime.prepare(platforms.get(name), content, "m") for name in ("ort-cpu-fp32-1t", "ort-cpu-fp32-parallel")
    )
    assert min(len(names) for names in dealt[0]) > 10 and len(dealt[0]) == 2
    for _ in range(3):
        np.testing.assert_array_equal(parallel()[0], alone()[0])
