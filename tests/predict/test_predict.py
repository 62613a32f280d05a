"""Latency of one network from a saved predictor, over generated networks with made-up latencies."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest

from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.onnx.graph import read_graph
from pipeline.predict import command, model, neighbours, prediction, saved
from pipeline.predict.floor import Floor
from pipeline.predict.model import _row
from tests.helpers.onnx_networks import Builder, networks, vit
from tests.helpers.saved_fixtures import DATASET, DEVICE, N, asked, cli, save, write_tables

ENSEMBLE = ("flops-ensemble", {"ensemble": 2})
LABELS = ("nn_former", "nn_meter", "gbdt", "flops", "mean")
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Folder of saved predictors, and each one's cell. Read only."""
    folder = tmp_path_factory.mktemp("saved")
    data = write_tables(folder / "data")
    found = {label: save(data, folder / "models", label) for label in LABELS}
    found[ENSEMBLE[0]] = save(data, folder / "models", *ENSEMBLE)
    return folder, found


@pytest.fixture(scope="module")
def folder(cells) -> Path:
    return cells[0] / "models"


@pytest.mark.parametrize("label", [*LABELS, ENSEMBLE[0]])
def test_a_saved_predictor_says_what_it_said_when_it_was_trained(cells, label):
    model = asked(cells[0] / "models", label)
    said = cells[1][label].prediction.numpy()
    for i in (0, 1, 2, 3, 4, 57):
        content = networks(N)[i][1]
        assert model.predict(content).latency_ms == pytest.approx(said[i], rel=1e-5)


def test_intervals_hold_the_held_out_networks_they_were_made_from(cells):
    model, cell = asked(cells[0] / "models"), cells[1]["flops"]
    truth = dict(cell.tables.targets.select("graph_id", "value").iter_rows())
    files = networks(N)
    found = [(model.predict(files[i][1]), truth[i]) for i in cell.labels.test.tolist()]
    inside = [answer.low_ms <= value <= answer.high_ms for answer, value in found]
    assert found[0][0].held_out == len(inside) == 60
    assert sum(inside) == 55  # the ceil(61 * 0.9)-th smallest score


def test_a_training_network_is_its_own_nearest(cells):
    cell = cells[1]["flops"]
    i = cell.labels.rows["graph_id"][0]
    answer = asked(cells[0] / "models").predict(networks(N)[i][1], nearest=3)
    first, *others = answer.nearest
    assert first.name == f"net-{i:03}"
    assert first.distance == pytest.approx(0, abs=1e-6)
    assert first.latency_ms == pytest.approx(dict(cell.tables.targets.select("graph_id", "value").iter_rows())[i])
    assert len(others) == 2
    assert answer.grade == prediction.GRADES[0] and not answer.warnings


def test_a_network_far_from_all_others_is_marked(folder):
    import random

    model = asked(folder)
    near = model.predict(vit(random.Random(5)))
    far = model.predict(vit(random.Random(5)), batch_size=64)
    assert near.grade == prediction.GRADES[0]
    assert far.grade == prediction.GRADES[2] and far.distance > model.networks.errors.held_out.distance.max()
    assert "far off what flops was trained on; nothing is known of errors so far off" in far.warnings[0]
    assert "far off (distance" in prediction.report(far)
    assert far.batch_size == 64 and far.flops == 64 * near.flops


def test_an_operation_never_seen_is_named(folder):
    (lrn,) = (path for path in LIGHT if "alexnet" in path.name)
    answer = asked(folder).predict(lrn)
    assert any("LRN" in warning for warning in answer.warnings)
    with pytest.raises(BenchError, match="gbdt can't take operations it has no place for: LRN"):
        asked(folder, "gbdt").predict(lrn)


@pytest.mark.parametrize("label", ["nn_former", "nn_meter"])
def test_every_packaged_model_gets_a_latency(folder, label):
    assert len(LIGHT) == 9
    model = asked(folder, label)
    for path in LIGHT:
        answer = model.predict(path)
        assert 0 < answer.low_ms < answer.latency_ms < answer.high_ms < np.inf


@pytest.mark.real_data
def test_a_real_network_with_and_without_weights(folder, mirror):
    path = mirror / "nnlqp" / "resnet18-v1-7-no-weight.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not in the mirror")
    bare = onnx.load(path)
    for tensor in bare.graph.initializer:
        if not tensor.ByteSize() > 100:
            size = int(np.prod(tensor.dims))
            if tensor.data_type == onnx.TensorProto.FLOAT and not tensor.float_data and not tensor.raw_data:
                tensor.raw_data = np.zeros(size, dtype=np.float32).tobytes()
    model = asked(folder, "nn_former")
    with_weights = model.predict(bare.SerializeToString(), name=str(path))
    assert with_weights == model.predict(path)


def test_a_network_as_trained_is_asked_about_in_the_nearer_form(cells):
    """A model of networks without foldable operations takes a network with them as the one without."""

    def small(norm: bool) -> bytes:
        b = Builder((1, 3, 64, 64))
        x = b.conv("input", 16, 3, bias=not norm)
        return b.model(b.classifier(b.op("Relu", b.norm(x) if norm else x)))

    for label in ("nn_former", "nn_meter"):
        model = asked(cells[0] / "models", label)
        with_norm = model.predict(small(True))
        assert with_norm.flops > model.predict(small(False)).flops
        row = _row(read_graph(small(False)), model.networks.ops)
        model._space = neighbours.Neighbours.from_rows(np.stack([row, row + 1]))
        model.networks = replace(model.networks, rows=np.stack([row, row + 1]))
        as_run = model.predict(small(True), nearest=1)
        assert as_run.distance == pytest.approx(0, abs=1e-6)
        assert as_run.latency_ms == model.predict(small(False)).latency_ms


def test_three_lines_of_python(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "MODELS", folder)
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    from pipeline.predict.model import load

    answer = load("synthetic-device").predict(path)
    assert answer.latency_ms > 0 and answer.predictor == "nn_former" and answer.model == str(path)


def test_the_command_line_says_the_same_in_json(folder, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    done = cli(path, "--predictor", "nn_former", "--models", folder, "--json")
    assert done.returncode == 0, done.stderr
    schema = json.loads((ROOT / "workflow/schemas/prediction.schema.json").read_text())
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema).validate(found)
    answer = asked(folder, "nn_former").predict(path)
    assert found["latency_ms"] == pytest.approx(answer.latency_ms, rel=1e-6)
    assert set(schema["properties"]) == set(model.Prediction.__dataclass_fields__)
    measured = schema["properties"]["measured"]["properties"]
    assert set(measured) == set(model.Measured.__dataclass_fields__)


@pytest.mark.parametrize("label", ["nn_former", "gbdt"])
def test_nothing_slow_is_imported(folder, tmp_path, label):
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    script = (
        "import sys; from pipeline.predict import command; command.main(); "
        "print(*(name for name in sys.modules if '.' not in name)); print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(path), "--predictor", label, "--models", str(folder)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    *_, top, every = done.stdout.splitlines()
    assert not {"polars", "pyarrow", "pandas", "sklearn", "matplotlib", "jsonschema"} & set(top.split())
    assert not {"torch._refs", "torch._dynamo", "scipy.optimize", "scipy.stats"} & set(every.split())


def test_several_files_are_answered_one_after_the_other(folder, tmp_path):
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    good.write_bytes(networks(1)[0][1])
    bad.write_bytes(b"no network")
    done = cli(good, bad, LIGHT[6], "--models", folder, "--json")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {bad}: ") and len(done.stderr.splitlines()) == 1
    first, second = json.loads(done.stdout)
    assert (first["model"], second["model"]) == (str(good), str(LIGHT[6]))
    alone = json.loads(cli(good, "--models", folder, "--json").stdout)
    assert alone == first
    text = cli(good, LIGHT[6], "--models", folder).stdout
    assert text.count("90 % interval") == 2


def product(batch: int | str) -> bytes:
    """One matrix product of 10 by 10."""
    from tests.helpers.onnx_files import model as onnx_model
    from tests.helpers.onnx_files import node, weight

    one = onnx_model([node("MatMul", ["x", "w"], "y")], {"x": [batch, 10]}, weights=[weight("w", 10, 10)])
    return one.SerializeToString()


def test_a_tiny_network_takes_one_call_at_least(folder):
    asked_one = asked(folder)
    known = asked_one.networks
    asked_one.networks = replace(known, values=1000 * known.values)
    low = asked_one.predict(product(1))
    assert any("the fastest network that was measured takes" in warning for warning in low.warnings)
    asked_one.networks = replace(known, floor=Floor(100.0, 7.0))
    answer = asked_one.predict(product(1))
    assert answer.latency_ms == 107
    assert answer.low_ms < 107 < answer.high_ms
    assert any("less than one call of the runtime and its operations take" in warning for warning in answer.warnings)


def test_an_assumed_size_is_said(folder):
    (note,) = asked(folder).predict(product("N")).notes
    assert note.startswith("batch size 1 is assumed")
    assert not asked(folder).predict(product("N"), batch_size=2).notes
    assert f"note: {note}" in prediction.report(asked(folder).predict(product("N")))


def test_the_list_shows_what_there_is(folder):
    lines = cli("--list", "--models", folder).stdout.splitlines()
    assert len(lines) == len(LABELS) + 1
    (line,) = (line for line in lines if line.startswith("nn_meter "))
    about = asked(folder, "nn_meter").about
    assert f"{DEVICE} " in line and f"{DATASET} " in line and "60 labels" in line
    assert f"MAPE {about['calibration']['mape']:5.1f} %" in line
    rows = json.loads(cli("--list", "--json", "--models", folder).stdout)
    assert {row["predictor"] for row in rows} == {*LABELS, ENSEMBLE[0]}
    assert all(row["calibration"]["n"] == 60 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--device", "moon"), "no saved predictor with device 'moon'; known: synthetic-device"),
        (("--predictor", "oracle"), "with predictor 'oracle'; known: flops, flops-ensemble, gbdt, mean, nn_former"),
        (("--dataset", "imagenet"), "no saved predictor with dataset 'imagenet'; known: synthetic"),
        (("--level", "0.99"), "60 held-out networks allow 0.984 at most"),
        (("--batch-size", "0"), "sizes start at 1"),
        (("--dim", "N"), "not NAME=SIZE"),
        (("--dim", "heigth=2"), "no dimension 'heigth'; open are: none"),
        (("--dim", "N=2", "--dim", "N=3"), "--dim gives N the sizes 2 and 3"),
        (("--models", "/nowhere"), "/nowhere: no saved predictor; make them with: snakemake models"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, arguments, says):
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    done = cli(path, "--models", folder, *arguments)
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and says in line


def test_bad_networks_are_one_line(folder, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no network")
    for path, says in ((bad, "not an ONNX file"), (tmp_path / "none.onnx", "no such file")):
        done = cli(path, "--models", folder)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert str(path) in line and says in line
    assert cli("--models", folder).returncode == 2


@pytest.mark.parametrize("busy", [False, True])
def test_a_measurement_stands_beside_the_prediction(folder, tmp_path, monkeypatch, capsys, busy):
    path = tmp_path / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    answer = asked(folder).predict(path)
    timing = types.SimpleNamespace(
        status="ok", message="", min_ms=answer.latency_ms / 1.1, median_ms=2.0, repeats=7, busy=busy
    )
    fake = types.ModuleType("pipeline.measure.run")
    fake.time_one = lambda path, platform: timing
    monkeypatch.setitem(sys.modules, "pipeline.measure.run", fake)
    real = model.measure(path, answer)
    assert real.measured.error_percent == pytest.approx(10)
    assert real.measured.in_interval
    text = prediction.report(real)
    assert "off by +10.0 %, the truth inside the interval" in text
    assert ("other processes" in text) == busy
    timing = types.SimpleNamespace(**{**vars(timing), "status": "crashed", "message": "signal 11", "min_ms": None})
    monkeypatch.setattr(
        sys, "argv", ["predict", str(path), "--predictor", "flops", "--models", str(folder), "--measure"]
    )
    assert command.main() == 1
    assert "measured: crashed: signal 11" in capsys.readouterr().out
