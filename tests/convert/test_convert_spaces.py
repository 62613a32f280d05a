"""NAS-Bench-Graph, Accel-NASBench and NAS-Bench-Macro: what is known of the real files, and files of anything else."""

import json
import pickle
import shutil
import tarfile

import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.convert import accel_nasbench, nasbench_graph, nasbench_macro
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.spaces import gnn


@pytest.mark.real_data
def test_nasbench_graph_has_every_network_once_and_nine_data_sets(converted):
    graphs, targets = converted("nasbench_graph")
    schema.check_targets(targets, graphs.height)
    nasbench_graph.sanity(graphs, targets)
    assert graphs["name"].n_unique() == gnn.N_NETWORKS
    proteins = targets.filter(target="proteins_test_acc").join(graphs, on="graph_id")
    used = set(proteins["op"].explode())
    assert {gnn.VOCAB[op] for op in used} == {"input", "output", "gcn", "sage", "arma", "fc", "skip"}


@pytest.mark.real_data
def test_a_network_of_nasbench_graph_has_its_row_of_the_pickle(raw, converted):
    graphs, targets = converted("nasbench_graph")
    cora = pickle.loads((raw("nasbench_graph") / "cora.bench").read_bytes())  # verified by its hash
    for key in (61380, 88887, 1111):
        if key in cora:
            row = graphs.filter(name=gnn.name(*gnn.decode(key)))["graph_id"].item()
            value = targets.filter(target="cora_test_acc", graph_id=row)["value"].item()
            assert value == pytest.approx(100 * cora[key]["perf"])
    assert 88887 in cora


@pytest.mark.real_data
def test_altered_costs_of_nas_bench_macro_are_noticed(raw, tmp_path):
    shutil.copytree(raw("nasbench_macro"), tmp_path / "raw")
    path = tmp_path / "raw" / nasbench_macro.FILE
    records = json.loads(path.read_text())
    records["00000000"]["params"] += 1
    path.write_text(json.dumps(records))
    with pytest.raises(BenchError, match="parameters follow from their blocks is 6560, expected 6561"):
        nasbench_macro.convert(tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_throughputs_are_times_of_one_image(converted):
    targets = converted("accel_nasbench")[1]
    first = targets.filter(graph_id=0)  # the archive's result_0.json
    values = {(t, d): v for t, d, v in first.select("target", "device", "value").iter_rows()}
    assert values["image_ms", "a100"] == pytest.approx(1000 / 7034.935468125287)
    assert values["latency_ms", "zcu102"] == pytest.approx(5.023423633627983)
    assert values["val_acc", "any"] == 59.368


RECORD = {"valid_perf": 0.5, "perf": 0.5, "latency": 0.01, "para": 1.0}


@pytest.mark.parametrize(
    "value",
    [[], {"a": RECORD}, {1.0: RECORD}, {99: RECORD}, {100_000: RECORD}, {1: {}}, {1: RECORD | {"perf": 0}}, {1: 5}],
)
def test_other_files_than_nasbench_graph_are_one_line(tmp_path, value):
    (tmp_path / "cora.bench").write_bytes(pickle.dumps(value))
    with pytest.raises(BenchError, match=r"cora\.bench: (not networks of NAS-Bench-Graph|pickle refused): ") as caught:
        nasbench_graph.convert(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_network_that_the_first_file_lacks_is_named(tmp_path):
    for file in datasets.get("nasbench_graph").files:
        (tmp_path / file.path).write_bytes(pickle.dumps({1111 + (file.path == "arxiv.bench"): RECORD}))
    with pytest.raises(BenchError, match=r"arxiv\.bench: 0,0,0,0\|gcn\|gcn\|gcn\|gin is no network of cora\.bench"):
        nasbench_graph.convert(tmp_path, tmp_path / "out")


MACRO = {"test_acc": [1.0, 2.0, 3.0], "mean_acc": 2.0, "flops": 1, "params": 1}


@pytest.mark.parametrize(
    "value",
    [
        "[]", "{", "{'a'}", json.dumps({"00000003": MACRO}), json.dumps({"00000000": MACRO | {"test_acc": [1.0, 2.0]}}),
        json.dumps({"00000000": MACRO | {"mean_acc": 101.0}}), json.dumps({"00000000": MACRO | {"flops": "1"}}),
        json.dumps({"00000000": {}}),
    ],
)  # fmt: skip
def test_other_files_than_nas_bench_macro_are_one_line(tmp_path, value):
    (tmp_path / nasbench_macro.FILE).write_text(value)
    with pytest.raises(BenchError, match="not networks of NAS-Bench-Macro: ") as caught:
        nasbench_macro.convert(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("a/result_0.json", b"{}", "is not a network of Accel-NASBench: KeyError"),
        ("a/result_0.json", b"[]", "is not a network of Accel-NASBench: TypeError"),
        ("a/result_x.json", b"{}", "is not a network of Accel-NASBench: ValueError"),
        ("a/notes.txt", b"x", "is no JSON file"),
        ("../result_0.json", b"{}", "would leave the folder"),
    ],
)
def test_other_archives_than_accel_nasbench_are_one_line(tmp_path, member, content, message):
    (tmp_path / "file").write_bytes(content)
    with tarfile.open(tmp_path / accel_nasbench.ARCHIVE, "w:gz") as archive:
        archive.add(tmp_path / "file", member)
    with pytest.raises(BenchError, match=message) as caught:
        accel_nasbench.convert(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_mean_accuracies_of_macro_are_those_of_its_runs():
    targets = pl.DataFrame(
        {"target": ["test_acc", *nasbench_macro.RUNS], "device": "any", "value": [2.0, 1.0, 2.0, 4.0]}
    )
    graphs = pl.DataFrame({"iso": range(3**8), "name": "22212220"})
    with pytest.raises(BenchError, match="best mean accuracy is 2.0"):
        nasbench_macro.sanity(graphs, targets)
