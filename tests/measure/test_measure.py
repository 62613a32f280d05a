"""Timing of networks: statuses, stopping rule, journal, resumption, one at a time, busy machines."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.measure import families, platforms, process, rounds, run, runtime, timing, weights
from pipeline.measure.table import retest, summary
from pipeline.measure.timing import Settings, Timing, measure, relative_error
from tests.helpers.onnx_files import ints, model, node, weight

PLATFORM = "ort-cpu-fp32-1t"
FAST = Settings(limit_s=0.05, least_s=0.0, warm_up_s=0.0)
FAKE = (sys.executable, str(ROOT / "tests" / "helpers" / "fake_worker.py"))
INSTALLED = [p for p in platforms.PLATFORMS if p.startswith("ort-cpu")]


@pytest.fixture(autouse=True)
def own_lock(tmp_path, monkeypatch):
    """Tests do not wait for timings of others on this machine."""
    monkeypatch.setattr(process.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def small(kernel: int = 3):
    """Convolution with normalization, pooled and reshaped, then a linear layer: no weights but the target shape."""
    return model(
        [
            node("Conv", ["x", "w", "b"], "c", pads=[kernel // 2] * 4),
            node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], "n"),
            node("GlobalAveragePool", ["n"], "p"),
            node("Reshape", ["p", "shape"], "r"),
            node("Gemm", ["r", "v"], "y", transB=1),
        ],
        {"x": ["batch", 3, 16, 16], "v": [10, 8]},
        weights=[
            weight("w", 8, 3, kernel, kernel),
            *(weight(name, 8) for name in ("b", "scale", "shift", "mean", "variance")),
            ints("shape", 1, 8),
            weight("unused", 4, 4),
        ],
    )


def folder_of(folder: Path, *names: str) -> Path:
    """A folder with a file of each name."""
    for name in names:
        io.write_bytes(folder / "f" / f"{name}.onnx", small().SerializeToString())
    return folder


def test_weights_are_filled_where_they_lack_and_nowhere_else():
    filled, values, loaded = weights.fill(small().SerializeToString(), "m")
    assert set(values) == {"w", "b", "scale", "shift", "mean", "variance", "v"}
    assert [value.name for value in filled.graph.input] == loaded.inputs == ["x"]
    assert (values["variance"] == 1).all() and (values["scale"] == 1).all() and (values["mean"] == 0).all()
    assert values["w"].std() == pytest.approx((2 / 27) ** 0.5, rel=0.2)
    again = weights.fill(small().SerializeToString(), "m")[1]
    other = weights.fill(small().SerializeToString(), "m", seed=1)[1]
    assert all((values[name] == again[name]).all() for name in values)
    assert not (values["w"] == other["w"]).all()
    by_hand = onnxruntime.InferenceSession(weights.embedded(filled, values).SerializeToString())
    data = weights.inputs(loaded)
    run_once = runtime.prepare(platforms.get(PLATFORM), small().SerializeToString(), "m")
    np.testing.assert_allclose(by_hand.run(None, data)[0], run_once()[0], rtol=1e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_activations_of_every_family_are_finite_and_not_lost(family):
    content = families.unvaried(family).SerializeToString()
    (out,) = runtime.prepare(platforms.get(PLATFORM), content, family)()
    assert np.isfinite(out).all() and 1e-12 < np.abs(out).max() < 1e30


def test_relative_error_by_hand():
    assert relative_error(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(1.57 * 2 / 5**0.5 / 3)
    assert relative_error(np.array([1.0, 1.0, 1.0, 1.0, 99.0])) == 0  # one outlier says nothing


def clock_of(*durations: float):
    """A clock for `measure` under which the runs take these times, the last one for ever."""
    moments = [0.0]  # a run advances the clock
    left = itertools.chain(durations, itertools.repeat(durations[-1]))

    def run_once():
        moments[0] += next(left)

    return run_once, lambda: moments[0]


def test_timing_stops_when_the_median_is_known():
    run_once, clock = clock_of(5.0, 0.01)  # the first run warms up
    found = measure(run_once, Settings(limit_s=10.0, least_s=0.2, warm_up_s=0.0), clock=clock)
    assert found.status == "ok" and found.repeats == 32  # 0.2 s are 20 runs; looked at after 16 and 32
    assert found.median_ms == found.q1_ms == found.q3_ms == pytest.approx(10.0)
    assert found.error == pytest.approx(0.0, abs=1e-9)


def test_timing_stops_at_the_limit_and_says_how_well_the_median_is_known():
    run_once, clock = clock_of(*[0.1, 0.3] * 1000)
    found = measure(run_once, Settings(limit_s=2.0, warm_up_s=0.0), clock=clock)
    assert found.repeats == 10 and found.error > 0.02
    run_once, clock = clock_of(7.0)
    assert measure(run_once, Settings(limit_s=2.0, warm_up_s=0.0), clock=clock).repeats == 3  # the fewest


def test_load_of_others_is_what_this_process_did_not_do(monkeypatch):
    busy, own, moments = iter([100.0, 107.0]), iter([10.0, 12.0]), iter([0.0, 4.0])
    monkeypatch.setattr(timing, "_busy_s", lambda: next(busy))
    monkeypatch.setattr(timing, "_own_s", lambda: next(own))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(moments))
    assert timing.Load().others() == pytest.approx((7.0 - 2.0) / 4.0)
    assert Timing("ok", others=0.5).busy and not Timing("ok", others=0.05).busy and not Timing("ok").busy


def test_a_busy_machine_is_flagged(tmp_path):
    networks = run.find(folder_of(tmp_path / "nets", "quick-1"))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            settings = dataclasses.replace(FAST, limit_s=0.5, least_s=0.5)
            table = run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", settings, command=FAKE)
        finally:
            spinning.kill()
    assert table["others"][0] > timing.BUSY and not table["settled"][0] and table["rounds"][0] == rounds.MOST_ROUNDS
    assert any("1 networks were timed beside other work" in line for line in summary(table))


@pytest.mark.parametrize("platform", INSTALLED)
def test_every_installed_platform_times_a_small_network(tmp_path, platform):
    path = folder_of(tmp_path / "nets", "a") / "f" / "a.onnx"
    found = run.time_one(path, platform, FAST)
    assert (found.status, found.message) == ("ok", "")
    assert 0 < found.min_ms <= found.q1_ms <= found.median_ms <= found.q3_ms < 1000


def test_a_platform_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BenchError, match="no platform 'tpu'; known: ort-cpu-fp32-1t, "):
        run.time_one("x.onnx", "tpu")
    with pytest.raises(BenchError, match="ort-cuda-fp32: package onnxruntime-gpu is not installed"):
        run.time_one("x.onnx", "ort-cuda-fp32")


def test_what_the_runtime_refuses_is_recorded(tmp_path):
    bad, big = tmp_path / "bad.onnx", tmp_path / "big.onnx"
    bad.write_text("no model")
    expand = model([node("Expand", ["x", "shape"], "y")], {"x": [1]}, weights=[ints("shape", 2**34)])
    big.write_bytes(expand.SerializeToString())
    with process.Worker(PLATFORM, FAST, memory_mb=8000) as worker:
        assert worker.time(bad).status == "unsupported"
        assert worker.time(big).status == "out_of_memory"


def test_whatever_happens_to_a_worker_costs_one_network(tmp_path):
    names = ["quick-1", "crash", "noisy", "hang", "quick-2", "eat", "exit", "quick-3", "raise", "killed", "quick-4"]
    folder = folder_of(tmp_path / "nets", *names)
    found = {}
    with process.Worker(PLATFORM, FAST, timeout_s=5.0, memory_mb=3000, command=FAKE) as worker:
        for name in names:
            found[name] = worker.time(folder / "f" / f"{name}.onnx")
    assert {name: timing.status for name, timing in found.items()} == {
        **dict.fromkeys(["quick-1", "noisy", "quick-2", "quick-3", "quick-4"], "ok"),
        **{"crash": "crashed", "exit": "crashed", "raise": "unsupported"},
        **{"hang": "timeout", "eat": "out_of_memory", "killed": "out_of_memory"},
    }
    assert found["crash"].message.startswith("SIGSEGV") and found["exit"].message.startswith("exit status 3")
    assert found["hang"].message == "took longer than 5 s" and found["raise"].message == "division by zero"
    assert found["quick-4"].median_ms > 9  # it takes 10, or more on a busy machine


def test_a_worker_that_does_not_start_is_no_fault_of_the_networks(tmp_path):
    networks = run.find(folder_of(tmp_path / "nets", "quick-1"))
    broken = (sys.executable, "-c", "import no_such_module")
    with pytest.raises(BenchError, match="does not start: .*no_such_module.*; mend the installation"):
        run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", FAST, command=broken)
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 1


def test_failures_are_in_the_table_and_a_share_is_timed_twice(tmp_path):
    folder = folder_of(tmp_path / "nets", "crash", *(f"quick-{i}" for i in range(10)))
    networks = run.find(folder)
    table = run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", FAST, again=0.2, command=FAKE)
    assert table.filter(pl.col("pass") == 1).select("network", "status").rows() == [
        (network.name, "crashed" if network.name == "f/crash" else "ok") for network in networks
    ]
    assert table.filter(pl.col("pass") == 2)["network"].to_list() == [network.name for network in networks[:3]]
    assert table.equals(io.read_parquet(tmp_path / "t.parquet"))
    about = io.read_meta(tmp_path / "t.parquet")
    assert (about["platform"], about["threads"], about["version"]) == (PLATFORM, 1, onnxruntime.__version__)
    assert summary(table)[0] == "11 networks: 10 ok, 1 crashed"


def test_difference_of_the_passes_by_hand():
    rows = [("a", 1, 2.0), ("b", 1, 5.0), ("a", 2, 2.1), ("b", 2, 4.0), ("c", 1, 1.0)]
    table = pl.DataFrame(rows, schema=["network", "pass", "latency_ms"], orient="row").with_columns(status=pl.lit("ok"))
    assert retest(table).to_list() == [pytest.approx(5.0), pytest.approx(20.0)]


def test_only_what_lacks_is_timed(tmp_path, monkeypatch):
    out = tmp_path / "t.parquet"
    folder = folder_of(tmp_path / "nets", "quick-1", "quick-2")
    first = run.measure_all(run.find(folder), PLATFORM, out, FAST, again=0.0, command=FAKE)
    out.unlink()
    (folder / "f" / "quick-2.onnx").write_bytes(small(kernel=1).SerializeToString())
    folder_of(folder, "quick-3")
    timed = []
    original = process.Worker.time
    monkeypatch.setattr(process.Worker, "time", lambda self, path, **_: timed.append(path.stem) or original(self, path))
    second = run.measure_all(run.find(folder), PLATFORM, out, FAST, again=0.0, command=FAKE)
    assert set(timed) == {"quick-2", "quick-3"}
    assert second.filter(pl.col("network") == "f/quick-1").equals(first.filter(pl.col("network") == "f/quick-1"))
    assert second.height == 3


def test_timings_of_different_making_are_not_mixed(tmp_path):
    networks = run.find(folder_of(tmp_path / "nets", "quick-1"))
    run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", FAST, command=FAKE)
    slow = dataclasses.replace(FAST, error=0.5)
    with pytest.raises(BenchError, match=r"t\.jsonl: timed with settings .*; delete the file"):
        run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", slow, command=FAKE)


def test_half_a_line_is_dropped_and_a_damaged_one_refused(tmp_path):
    path, network = tmp_path / "t.jsonl", run.Network("f/a", tmp_path, "0" * 64)
    with run.Journal(path, {"platform": "p"}) as journal:
        journal.add(network, 1, Timing("ok", median_ms=1.0))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"network": "f/b", "sha')
    with run.Journal(path, {"platform": "p"}) as journal:
        assert [row["network"] for row in journal.rows] == ["f/a"]
        journal.add(network, 2, Timing("crashed"))
    assert [json.loads(line).get("pass") for line in path.read_text().splitlines()] == [None, 1, 2]
    path.write_bytes(b"{}\nno JSON\n" + whole)
    with pytest.raises(BenchError, match="a damaged line; delete the file"):
        run.Journal(path, {"platform": "p"})


def test_killed_in_the_middle_it_goes_on(tmp_path):
    folder, out = folder_of(tmp_path / "nets", *(f"net-{i}" for i in range(6))), tmp_path / "t.parquet"
    command = [sys.executable, "-m", "pipeline.measure.run", "--networks", str(folder), "--out", str(out)]
    command += ["--platform", PLATFORM, "--limit-s", "0.3", "--again", "0.5"]
    journal = out.with_suffix(".jsonl")
    first = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(journal.read_text().splitlines() if journal.exists() else []) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    (child,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = journal.read_text().splitlines()
    assert len(kept) >= 3 and not out.exists()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
    subprocess.run(command, check=True, capture_output=True)
    table = io.read_parquet(out)
    assert table["status"].unique().to_list() == ["ok"] and table.height == 9
    assert journal.read_text().splitlines()[: len(kept)] == kept
    assert len(journal.read_text().splitlines()) == 1 + table["rounds"].sum()


def test_one_timing_at_a_time(tmp_path):
    networks = run.find(folder_of(tmp_path / "nets", "quick-1"))
    with process.timing_lock():
        with pytest.raises(BenchError, match="another timing is at work on this machine; wait until it ends"):
            run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", FAST, command=FAKE)
        with pytest.raises(BenchError, match="another timing is at work"):
            run.time_one(networks[0].path, PLATFORM)
    assert run.measure_all(networks, PLATFORM, tmp_path / "t.parquet", FAST, again=0, command=FAKE).height == 1


def test_a_timing_of_one_thread_stays_on_one_core(tmp_path):
    with process.Worker(PLATFORM, FAST, command=FAKE) as worker:
        worker.time(folder_of(tmp_path / "nets", "quick-1") / "f" / "quick-1.onnx")
        assert os.sched_getaffinity(worker.process.pid) == {max(os.sched_getaffinity(0))}


def test_an_empty_folder_is_one_line(tmp_path):
    with pytest.raises(BenchError, match=r"no \.onnx files"):
        run.find(tmp_path)
