"""The command over the predictors that come with the package: tables, two networks compared, where the time goes."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.onnx.graph import read_graph
from pipeline.predict import by_node, chips, command, saved, ship, sources, tables
from pipeline.predict.model import Model
from pipeline.predict.prediction import GRADES
from tests.helpers.onnx_files import model as onnx_model
from tests.helpers.onnx_files import node
from tests.helpers.onnx_networks import Builder, networks

CPU, GPU = "i7_12700h_fp32_nchw_dynamo_pt240", "rtx5090_amp_nchw_eager_pt291"


@pytest.fixture
def said(monkeypatch, capsys):
    """The command, run to its end in this process: what it prints."""

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["predict", *map(str, words)])
        assert not command.main()
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """A small residual network, and the same twice as wide; batch size 1."""

    def residual(width: int) -> bytes:
        b = Builder((1, 3, 64, 64))
        x = b.op("Relu", b.conv("input", width, 3))
        for _ in range(2):
            x = b.op("Relu", b.op("Add", b.conv(b.op("Relu", b.conv(x, width, 3)), width, 3), x))
        return b.model(b.classifier(x))

    folder = tmp_path_factory.mktemp("files")
    for name, width in (("narrow", 32), ("wide", 128)):
        (folder / f"{name}.onnx").write_bytes(residual(width))
    return [folder / "narrow.onnx", folder / "wide.onnx"]


@pytest.fixture(scope="module")
def cpu() -> Model:
    (entry,) = saved.shipped(CPU)
    return Model(entry)


def test_every_chip_answers_as_it_does_by_itself(said, files, cpu):
    text = said(files[0])
    assert all(any(line.startswith(f"{chip} ") for line in text.splitlines()) for chip in ship.CHIPS)
    assert "At such a distance, networks of lineages left out of training were off by" in text
    rows = json.loads(said(files[0], "--json"))
    assert sorted(row["device"] for row in rows) == sorted(ship.CHIPS)
    schema = json.loads((ROOT / "workflow/schemas/prediction.schema.json").read_text())
    for row in rows:
        jsonschema.Draft202012Validator(schema).validate(row)
        assert row["low_ms"] < row["latency_ms"] < row["high_ms"] and row["batch_size"] == 1
    (own,) = (row for row in rows if row["device"] == CPU)
    assert own["latency_ms"] == pytest.approx(cpu.predict(files[0]).latency_ms, rel=1e-9)
    one = json.loads(said(files[0], "--json", "--device", CPU))
    assert one == own


def test_csv_has_a_line_a_network_and_chip(said, files):
    rows = list(csv.DictReader(io.StringIO(said(*files, "--csv", "--device", "rtx5090"))))
    assert [(Path(row["model"]).stem, row["device"].split("_")[3]) for row in rows] == [
        ("narrow", "dynamo"), ("narrow", "eager"), ("wide", "dynamo"), ("wide", "eager")
    ]  # fmt: skip
    assert all(float(row["low_ms"]) < float(row["latency_ms"]) and row["batch_timed"] == "1024" for row in rows)
    assert all(float(row["median_error_percent"]) < float(row["error_90_percent"]) for row in rows)
    assert {row["grade"] for row in rows} <= set(GRADES)
    assert "steps" not in rows[0] and "RTX 5090, mixed precision, NCHW, compiled, torch 2.9.1" in rows[0]["meaning"]


def test_two_networks_are_compared(said, files):
    text = said(*files, "--compare")
    assert len([line for line in text.splitlines() if line.split()[0] in ship.CHIPS]) == len(ship.CHIPS)
    rows = json.loads(said(*files, "--compare", "--json", "--device", CPU))
    (row,) = rows
    alone = [json.loads(said(file, "--json", "--device", CPU)) for file in files]
    assert row["ratio"] == pytest.approx(alone[1]["latency_ms"] / alone[0]["latency_ms"])
    assert row["intervals_overlap"] == (alone[0]["high_ms"] >= alone[1]["low_ms"]) is False
    (same,) = json.loads(said(files[0], files[0], "--compare", "--json", "--device", CPU))
    assert same["ratio"] == 1 and same["intervals_overlap"]


def test_parts_make_the_whole(said, files, cpu):
    for file in files:
        (found,) = json.loads(said(file, "--by-node", "--json", "--device", CPU))
        graph = cpu.read(file)
        form, times, kinds = cpu.node_times(graph, found["latency_ms"])
        assert found["latency_ms"] == pytest.approx(cpu.predict(file).latency_ms, rel=1e-9)
        for kind in ("operations", "blocks"):
            parts = found[kind]
            assert math.fsum(part["latency_ms"] for part in parts) == pytest.approx(found["latency_ms"], rel=1e-12)
            assert sum(part["nodes"] for part in parts) == len(form.ops)
            assert round(sum(part["percent"] for part in parts), 6) == 100
        assert {part["name"]: part["nodes"] for part in found["operations"]} == Counter(kinds)
        convolutions = next(part for part in found["operations"] if part["name"] == "Conv")
        of_conv = np.array([op == "Conv" for op in form.ops])
        assert convolutions["latency_ms"] == pytest.approx(times[of_conv].sum())
        assert (times >= 0).all()


def test_a_picture_is_drawn_or_refused(said, files, tmp_path):
    said(files[0], "--by-node", "--device", CPU, "--picture", tmp_path / "parts.svg")
    assert "<svg" in (tmp_path / "parts.svg").read_text()
    with pytest.raises(BenchError, match="no picture"):
        said(files[0], "--by-node", "--device", CPU, "--picture", tmp_path / "parts.nothing")


def test_blocks_are_cut_where_all_data_flow_through_one_tensor(files):
    graph = read_graph(files[0])
    found = by_node.blocks(graph)
    assert [i for block in found for i in block] == list(range(len(graph.ops)))
    names = [[graph.ops[i] for i in block] for block in found]
    assert names[0] == ["Input"] and names[1] == ["Conv", "Relu"]
    assert names[2][:4] == ["Conv", "Relu", "Conv", "Add"] and names[3][:4] == names[2][:4]
    assert names[2][4:] == ["Relu"]


def test_percents_make_a_hundred():
    assert by_node.hundred(np.array([1.0, 1.0, 1.0])) == [33.4, 33.3, 33.3]
    rng = np.random.default_rng(0)
    for n in (1, 7, 40):
        shares = by_node.hundred(rng.exponential(size=n) ** 3)
        assert round(sum(shares), 6) == 100 and min(shares) >= 0


def test_a_batch_is_an_image_and_another_is_refused(files, cpu):
    b = Builder((8, 3, 64, 64))
    eight = b.model(b.classifier(b.op("Relu", b.conv("input", 32, 3))))
    b = Builder((1, 3, 64, 64))
    one = b.model(b.classifier(b.op("Relu", b.conv("input", 32, 3))))
    assert cpu.predict(eight).latency_ms == cpu.predict(one).latency_ms
    with pytest.raises(BenchError, match="latencies are of an image"):
        cpu.predict(one, batch_size=8)


def test_an_operation_that_no_network_has_is_costed_and_named(cpu):
    """The table has a cost for it; the multiple is that of the network without it."""
    plain = onnx_model([node("Relu", ["x"], "y")], {"x": [1, 8, 16, 16]}).SerializeToString()
    other = onnx_model([node("LRN", ["x"], "y", size=3)], {"x": [1, 8, 16, 16]}).SerializeToString()
    assert "LRN" not in cpu.networks.ops
    answer = cpu.predict(other)
    assert any("LRN" in warning for warning in answer.warnings)
    assert answer.latency_ms > 0 and answer.latency_ms != cpu.predict(plain).latency_ms


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--device", "moon"), "no predictor of 'moon' was saved in"),
        (("--by-node",), "--by-node is of one platform; give --device"),
        (("--batch-size", "8"), "latencies are of an image"),
        (("--level", "0.9999"), "held-out networks allow"),
    ],
)
def test_mistakes_are_one_line(said, files, words, says):
    with pytest.raises(BenchError, match=says) as caught:
        said(files[0], *words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", [("--compare",), ("--picture", "x.svg"), ("--json", "--csv")])
def test_options_that_do_not_go_together(said, files, words):
    with pytest.raises(SystemExit) as ended:
        said(files[0], *words)
    assert ended.value.code == 2


def test_no_node_has_a_time_without_a_table(cpu, files, monkeypatch):
    monkeypatch.delitem(cpu._predictor.notes, "table")
    with pytest.raises(BenchError, match="gives no time to single operations"):
        cpu.node_times(cpu.read(files[0]), 1.0)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (CPU, "Intel i7-12700H, float32, NCHW, compiled, torch 2.4.0"),
        (GPU, "RTX 5090, mixed precision, NCHW, eager, torch 2.9.1"),
        ("jetson_nano_gpu_fp32_ort", "Jetson Nano, GPU, float32, ONNX Runtime"),
    ],
)
def test_a_platform_in_words(device, words):
    assert chips.platform_words(device) == words


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("timm:", "not timm:NAME"),
        ("timm:../etc", "not timm:NAME"),
        (object(), "neither an ONNX file"),
    ],
)
def test_bad_sources_are_one_line(source, says):
    with pytest.raises(BenchError, match=says) as caught:
        sources.content(source)
    assert "\n" not in str(caught.value)


def test_a_module_is_left_as_it_is_and_answers_as_its_file(cpu, tmp_path):
    import torch

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(4))
    image = torch.zeros(1, 3, 16, 16)
    module(image)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    content, name = sources.content(module, image)
    assert name == "Sequential" and module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    path = tmp_path / "module.onnx"
    path.write_bytes(content)
    assert cpu.predict(path).latency_ms == cpu.predict(content).latency_ms
    with pytest.raises(BenchError, match="needs example_input="):
        sources.content(module)
    with pytest.raises(BenchError, match="torch's exporter can't trace it"):
        sources.content(module, torch.zeros(1, 5, 16, 16))


def test_without_timm_its_names_are_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"needs timm, which is not installed; pip install 'nn-former-bench\[timm\]'"):
        sources.content("timm:resnet18")


@pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm is an extra: pip install -e .[timm]")
def test_a_network_of_timm_by_name(cpu):
    content, name = sources.content("timm:resnet18.a1_in1k")
    assert name == "timm:resnet18@224"
    answer = cpu.predict(content, name=name, nearest=1)
    assert answer.params == pytest.approx(11.69e6, rel=1e-3) and answer.grade == GRADES[0]
    assert sources.content("timm:resnet18@160")[1] == "timm:resnet18@160"
    with pytest.raises(BenchError, match="timm:resnet1: LookupError: timm lists no such network"):
        sources.content("timm:resnet1")


def test_tables_of_one_kind_of_network(files, cpu):
    answer = cpu.predict(networks(1)[0][1])
    assert tables.by_device([answer]).count(CPU) >= 1
    assert tables.compared([answer], [answer]).count("overlap") >= 1
