"""Timing a network at other sizes than its file's, and with weights that lie in other files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from pipeline.core.errors import BenchError
from pipeline.measure import platforms, process, run, runtime, weights, worker
from pipeline.measure.timing import Settings, Timing
from tests.helpers.onnx_files import FLOAT, INT64, model, node, weight

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
PLATFORM = "ort-cpu-fp32-1t"
FAST = Settings(error=1.0, limit_s=0.01, least_s=0.0, warm_up_s=0.0)


def written(folder: Path, batch: int | str = "N") -> Path:
    """A file with a convolution and a Reshape whose weight and target lie in another one."""
    kernel, target = np.full((4, 3, 1, 1), 0.5, np.float32), np.array([0, -1], np.int64)
    (folder / "values.bin").write_bytes(kernel.tobytes() + target.tobytes())
    tensors = []
    for name, value, offset in (("w", kernel, 0), ("t", target, kernel.nbytes)):
        tensor = weight(name, *value.shape, kind=FLOAT if name == "w" else INT64)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, said in (("location", "values.bin"), ("offset", offset), ("length", value.nbytes)):
            tensor.external_data.add(key=key, value=str(said))
        tensors.append(tensor)
    nodes = [node("Conv", ["x", "w"], "c"), node("Reshape", ["c", "t"], "y")]
    onnx.save(model(nodes, {"x": [batch, 3, "h", 5]}, weights=tensors, opset=17), folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize(("batch", "asked", "runs"), [("N", None, 1), ("N", 3, 3), (1, 2, 2), (4, None, 4)])
def test_sizes_and_other_files(tmp_path, monkeypatch, batch, asked, runs):
    path = written(tmp_path, batch)
    monkeypatch.chdir("/")
    run = runtime.prepare(platforms.get(PLATFORM), path.read_bytes(), str(path), 0, asked, {"h": 7})
    (made,) = run()
    assert made.shape == (runs, 4 * 7 * 5)
    assert worker.time_network(str(path), PLATFORM, FAST, dims={"h": 7}).status == "ok"


def test_the_real_values_are_used(tmp_path):
    path = written(tmp_path)
    run = runtime.prepare(platforms.get(PLATFORM), path.read_bytes(), str(path), dims={"h": 2})
    data = run.args[1]["x"]
    np.testing.assert_allclose(run()[0].reshape(1, 4, 2, 5)[:, 0], 0.5 * data.sum(1), rtol=1e-4, atol=1e-6)


def test_a_size_that_is_missing_or_wrong_is_one_line(tmp_path):
    path = written(tmp_path)
    missing = worker.time_network(str(path), PLATFORM, FAST)
    assert missing.status == "unsupported" and "--dim h=SIZE" in missing.message
    wrong = worker.time_network(str(path), PLATFORM, FAST, dims={"h": 7, "k": 2})
    assert "no dimension 'k'; open are: N, h" in wrong.message


def test_networks_of_one_table_have_sizes_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(process.tempfile, "tempdir", str(tmp_path))  # the lock: not that of others
    (network,) = run.find(written(tmp_path).parent)
    sized = [replace(network, name=f"h{h}", dims={"h": h}) for h in (7, 9)]
    table = run.measure_all([network, *sized], PLATFORM, tmp_path / "t.parquet", FAST, again=0)
    assert table.select("network", "status").rows() == [("m", "unsupported"), ("h7", "ok"), ("h9", "ok")]
    assert "--dim h=SIZE" in table["message"][0]


def test_timings_at_other_sizes_are_others(tmp_path):
    network = run.Network("f/a", tmp_path, "0" * 64)
    sized = replace(network, dims={"h": 7, "w": 8})
    with run.Journal(tmp_path / "t.jsonl", {"platform": "p"}) as journal:
        journal.add(sized, 1, Timing("ok", median_ms=1.0))
    with run.Journal(tmp_path / "t.jsonl", {"platform": "p"}) as journal:
        assert len(journal.of(replace(network, dims={"w": 8, "h": 7}), 1)) == 1
        assert journal.of(network, 1) == journal.of(replace(network, dims={"h": 9, "w": 8}), 1) == []


def test_a_model_without_a_folder_has_no_other_files(tmp_path):
    content = written(tmp_path).read_bytes()
    with pytest.raises(BenchError, match="its weights lie in other files; give the file by its path"):
        weights.fill(content, "m", dims={"h": 2})
