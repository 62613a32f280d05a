"""NNLQP's archives to Parquet, on archives in their format made of real and generated networks."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.convert import nnlqp, nnlqp_fpga, nnlqp_multi, nnlqp_unseen
from pipeline.core import io, node_features
from pipeline.core.errors import BenchError
from pipeline.onnx.columns import BASE, BASE_OPS, attribute_rows, class_hash, op_ids, shape_rows
from pipeline.onnx.graph import read_graph
from tests.helpers.in_process import run_module
from tests.helpers.onnx_files import conv_model, light
from tests.helpers.onnx_networks import networks
from tests.helpers.tar_files import write_tar_gz

MODELS = {
    "onnx/squeezenet/squeezenet_0000.onnx": light("squeezenet").read_bytes(),
    "onnx/resnet18/r.onnx": light("resnet50").read_bytes(),
} | {f"onnx/{family}/{family}_0001.onnx": content for family, content in networks(5)}
LABELS = "\n".join(
    f"{number:05d} {path} {1 + number % 2} {1.5 + number} {path.split('/')[1]} {1 + number % 2}"
    for number, path in enumerate(MODELS)
)


def archive(path: Path, folder: str, labels: str = LABELS, models: dict[str, bytes] | None = None) -> Path:
    members = {f"{folder}/{name}": content for name, content in (MODELS if models is None else models).items()}
    write_tar_gz(path, members | {f"{folder}/gt.txt": labels.encode()})
    return path


def test_labels():
    text = "553312 onnx/a/x.onnx 8 90.88183 alexnet 2 train\n\n1 onnx/b.onnx 1 0.5 vit 1\n"
    assert nnlqp.parse_labels(text, "gt.txt") == (
        nnlqp.Label("onnx/a/x.onnx", 8, 90.88183, "alexnet", 2, "train"),
        nnlqp.Label("onnx/b.onnx", 1, 0.5, "vit", 1, None),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 a.onnx 1 2.0 f", "is not a label"),
        ("1 a.onnx one 2.0 f 1", "is not a label"),
        ("1 a.onnx 1 fast f 1", "is not a label"),
        ("1 a.onnx 1 2.0 f 1 validation", "is not train or test"),
        ("1 a.onnx 1 2.0 f 1 train test", "is not train or test"),
        ("1 a.onnx 0 2.0 f 1", "out of range"),
        ("1 a.onnx 70000 2.0 f 1", "out of range"),
        ("1 a.onnx 1 -2.0 f 1", "out of range"),
        ("1 a.onnx 1 nan f 1", "out of range"),
        ("1 a.onnx 1 inf f 1", "out of range"),
        ("1 ../a.onnx 1 2.0 f 1", "not the path of a model"),
        ("1 /a.onnx 1 2.0 f 1", "not the path of a model"),
        ("1 a.txt 1 2.0 f 1", "not the path of a model"),
    ],
)
def test_malformed_labels_name_their_line(line, message):
    with pytest.raises(BenchError, match=rf"gt\.txt, line 2: .*{message}"):
        nnlqp.parse_labels(f"1 a.onnx 1 1.0 f 1\n{line}", "gt.txt")
    with pytest.raises(BenchError, match="no labels"):
        nnlqp.parse_labels("\n", "gt.txt")


@pytest.mark.real_data
def test_the_mirror_s_stage_file_has_the_known_marks(mirror):
    labels = nnlqp.parse_labels((mirror / "nnlqp" / "gt_stage.txt").read_text(), "gt_stage.txt")
    assert len(labels) == 20_000
    assert {label.platform for label in labels} == {1}
    marks = Counter((label.family, label.stage) for label in labels)
    assert marks == {(f, s): n for f in nnlqp_unseen.FAMILIES for s, n in (("train", 1_800), ("test", 200))}


def test_an_archive_becomes_canonical_tables(tmp_path):
    path = archive(tmp_path / "dataset.tar.gz", "./dataset/unseen_structure")
    graphs, targets, meta = nnlqp.tables([nnlqp.read_part(path, "unseen_structure")], workers=2)
    nnlqp.publish("nnlqp_unseen", "1", tmp_path / "out", graphs, targets, meta)
    assert sorted(os.listdir(tmp_path)) == ["dataset.tar.gz", "out"]  # no loose files
    graphs, meta = io.read_parquet(tmp_path / "out/graphs.parquet"), io.read_meta(tmp_path / "out/graphs.parquet")
    targets = io.read_parquet(tmp_path / "out/targets.parquet")
    assert graphs["name"].to_list() == [f"unseen_structure/{name}@{1 + i % 2}" for i, name in enumerate(MODELS)]
    assert targets["value"].to_list() == [1.5 + i for i in range(7)]
    assert targets["device"].to_list() == [nnlqp.PLATFORMS[1 + i % 2] for i in range(7)]
    assert targets["stage"].null_count() == 7
    for row, content in zip(graphs.iter_rows(named=True), MODELS.values(), strict=True):
        graph = read_graph(content, "m", 1 + row["graph_id"] % 2)
        assert [meta["op_vocab"][op] for op in row["op"]] == list(graph.ops)
        assert row["src"] == graph.src.tolist()
        attrs = np.array(row["attrs"], dtype=np.float32).reshape(row["n_nodes"], -1)
        assert np.array_equal(attrs, attribute_rows(graph, meta["attr_names"]))
        assert (row["flops"], row["macs"], row["params"]) == (graph.flops.sum(), graph.macs.sum(), graph.params.sum())
        assert row["iso"] == class_hash(graph)
    assert tuple(meta["op_vocab"][: len(BASE_OPS)]) == BASE_OPS
    assert tuple(meta["attr_names"][: len(BASE)]) == BASE


def test_features_from_parquet_equal_features_from_the_file(tmp_path):
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "vit"), "vit")
    graphs, _, meta = nnlqp.tables([part], workers=1)
    vocab, names = meta["op_vocab"], meta["attr_names"]
    op = graphs["op"].explode().to_numpy()
    attrs = graphs["attrs"].explode().to_numpy().reshape(len(op), -1)
    shape = graphs["out_shape"].explode().to_numpy().reshape(len(op), -1)
    found = node_features.nn_former(op, vocab, attrs, names, shape)
    expected = []
    for index, content in enumerate(MODELS.values()):
        graph = read_graph(content, "m", 1 + index % 2)
        arguments = op_ids(graph, vocab), vocab, attribute_rows(graph), BASE, shape_rows(graph)
        expected.append(node_features.nn_former(*arguments))
    assert np.array_equal(found, np.concatenate(expected))


def test_one_and_two_workers_give_the_same_bytes(tmp_path):
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "fpga"), "fpga")
    for workers in (1, 2):
        nnlqp.publish("nnlqp_fpga", "1", tmp_path / str(workers), *nnlqp.tables([part], workers))
    for name in ("graphs.parquet", "targets.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_one_model_at_two_batch_sizes_and_on_two_platforms(tmp_path):
    (path, content), *_ = MODELS.items()
    labels = f"1 {path} 1 1.0 s 10 train\n2 {path} 8 4.0 s 10 test\n3 {path} 8 3.0 s 23 train\n"
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "multi_platform", labels, {path: content}), "multi_platform")
    graphs, targets, _ = nnlqp.tables([part], workers=1)
    assert graphs.height == 2
    assert graphs["macs"][1] == 8 * graphs["macs"][0]
    assert targets.select("graph_id", "device", "batch_size", "stage").rows() == [
        (0, "gpu_t4_trt7_1_fp32", 1, "train"),
        (1, "gpu_t4_trt7_1_fp32", 8, "test"),
        (1, "mul270_neuware_int8", 8, "train"),
    ]


def test_stage_marks_come_from_the_stage_file_where_the_archive_has_none(tmp_path):
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "unseen_structure"), "unseen_structure")
    marks = LABELS.splitlines()
    (tmp_path / "gt_stage.txt").write_text("\n".join(f"{line} train" for line in marks[:5]))
    marked = nnlqp.with_stages(part, tmp_path / "gt_stage.txt")
    assert [label.stage for label in marked.labels] == ["train"] * 5 + [None] * 2
    fields = marks[0].split()
    (tmp_path / "gt_stage.txt").write_text(" ".join([*fields[:3], "77.0", *fields[4:], "test"]))
    with pytest.raises(BenchError, match="latency of .*squeezenet_0000.onnx' is not that of"):
        nnlqp.with_stages(part, tmp_path / "gt_stage.txt")
    with pytest.raises(BenchError, match="no such file"):
        nnlqp.with_stages(part, tmp_path / "none.txt")


def test_archives_that_lack_something(tmp_path):
    with pytest.raises(BenchError, match="0 files vit/gt.txt, expected one"):
        nnlqp.read_part(archive(tmp_path / "a.tar.gz", "other"), "vit")
    with pytest.raises(BenchError, match="lacks 1 models of vit/gt.txt, first 'onnx/none.onnx'"):
        nnlqp.read_part(archive(tmp_path / "a.tar.gz", "vit", f"{LABELS}\n9 onnx/none.onnx 1 1.0 x 1"), "vit")


def test_a_malformed_model_is_named_with_its_archive(tmp_path):
    models = MODELS | {"onnx/resnet18/r.onnx": conv_model(strides=[0, 0]).SerializeToString()}
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "vit", models=models), "vit")
    with pytest.raises(
        BenchError, match=r"a\.tar\.gz: vit/onnx/resnet18/r\.onnx: onnx finds a contradiction"
    ) as refused:
        nnlqp.tables([part], workers=2)
    assert "\n" not in str(refused.value)


def test_two_labels_for_one_measurement_are_refused(tmp_path):
    (path, content), *_ = MODELS.items()
    labels = f"1 {path} 1 1.0 s 1\n2 {path} 1 4.0 s 1\n"
    part = nnlqp.read_part(archive(tmp_path / "a.tar.gz", "fpga", labels, {path: content}), "fpga")
    with pytest.raises(BenchError, match="two labels for one"):
        nnlqp.publish("nnlqp_fpga", "1", tmp_path, *nnlqp.tables([part], workers=1))


def test_the_unseen_part_and_the_vision_transformers_together(tmp_path):
    archive(tmp_path / "dataset.tar.gz", "unseen_structure")
    (path, content), *_ = {name: model for name, model in MODELS.items() if "vit" in name}.items()
    archive(tmp_path / "dataset2.tar.gz", "vit", f"1 {path} 1 9.0 vit 1\n", {path: content})
    (tmp_path / "gt_stage.txt").write_text("\n".join(f"{line} test" for line in LABELS.splitlines()))
    graphs, targets, _ = nnlqp_unseen.read(tmp_path, workers=1)
    assert graphs.height == 8
    assert targets["stage"].to_list() == ["test"] * 7 + [None]
    assert graphs["name"][7] == f"vit/{path}@1"
    with pytest.raises(BenchError, match="known fact does not hold: train labels of alexnet is 0, expected 1800"):
        nnlqp_unseen.sanity(graphs, targets)


def test_known_facts_of_the_full_archives_on_tables_of_their_size():
    families = [family for family in nnlqp_unseen.FAMILIES for _ in range(2_000)]
    graphs = pl.DataFrame({"graph_id": pl.Series(range(20_000), dtype=pl.UInt32), "family": families})
    targets = graphs.select("graph_id", device=pl.lit(nnlqp_unseen.GTX1660)).with_columns(
        stage=pl.when(pl.col("graph_id") % 10 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    nnlqp_unseen.sanity(graphs, targets)
    with pytest.raises(BenchError, match="devices of the 10 families"):
        nnlqp_unseen.sanity(graphs, targets.with_columns(device=pl.lit("other")))
    platforms = sorted(nnlqp_multi.PLATFORMS)
    many = pl.DataFrame({"device": [platforms[i % 9] for i in range(10_597)], "stage": ["train"] * 10_597})
    nnlqp_multi.sanity(graphs, many)
    with pytest.raises(BenchError, match="number of labels is 10596"):
        nnlqp_multi.sanity(graphs, many[1:])
    with pytest.raises(BenchError, match="number of platforms is 2"):
        nnlqp_fpga.sanity(graphs, many.filter(pl.col("device").is_in(platforms[:2])))


def test_the_command_line_puts_nothing_in_place_when_facts_fail(tmp_path):
    archive(tmp_path / "dataset.tar.gz", "multi_platform")
    done = run_module("pipeline.convert.nnlqp_multi", "--raw", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == (
        "error: nnlqp_multi: known fact does not hold: number of labels is 7, expected 10597; fetch again\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_command_line_converts_the_fpga_archive(tmp_path):
    labels = "\n".join(" ".join([*line.split()[:5], "31"]) for line in LABELS.splitlines())
    archive(tmp_path / "dataset2.tar.gz", "fpga", labels)
    run_module("pipeline.convert.nnlqp_fpga", "--raw", tmp_path, "--out", tmp_path / "out").check_returncode()
    assert io.read_parquet(tmp_path / "out" / "targets.parquet")["device"].unique().to_list() == [nnlqp_fpga.DEVICE]
