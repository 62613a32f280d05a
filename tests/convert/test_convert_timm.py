"""timm's benchmark tables and clsbench's become labels of graphs, on small tables in their formats."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.convert import _timm, nnlqp, timm_imagenet, timm_latency
from pipeline.core import io, schema
from pipeline.core.errors import BenchError
from pipeline.export import table
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_networks import networks

HEAD = "model,infer_step_time,infer_samples_per_sec,infer_batch_size,infer_img_size,param_count,infer_gmacs\n"
NAMES = ["a@224", "b@224", "b@224-deployed", "c@288"]
MODULES = ["resnet", "repvit", "repvit", "vision_transformer"]
CLSBENCH = "model_name,mean_latency,model_size,top1_acc\n"


@pytest.fixture
def raw(tmp_path):
    """Three tables of timm, three of clsbench, and the graphs of three networks, of which one has a deployed form."""
    packed = [pack(read_graph(content)) for _, content in networks(4)[:4]]
    graphs, meta = frame(packed, NAMES, MODULES)
    io.write_parquet(tmp_path / "networks.parquet", graphs, {"dataset": "timm", "version": "1", **meta})
    params = [5_000_000, 6_000_000, 4_000_000, 7_004_000]
    rows = [(name, module, n, 0, None) for name, module, n in zip(NAMES, MODULES, params, strict=True)]
    listing = pl.DataFrame([*rows, ("z@224", None, None, None, "why")], schema=table.LIST, orient="row")
    (tmp_path / "networks.csv").write_text(listing.write_csv())
    gmacs = [round(flops / 2e9, 2) for flops in graphs["flops"]]  # as the tables round
    for file, batch, b_params, b_gmacs in (
        ("amp-nchw-pt240-cu124-rtx3090", 256, 6.0, gmacs[1]),
        ("amp-nchw-pt291-cu128-4090-dynamo", 512, 4.0, gmacs[2]),
    ):
        a, b = f"a,512,1,{batch}.0,224,5.0,{gmacs[0]}", f"b,256,1,{batch},224,{b_params},{b_gmacs}"
        (tmp_path / f"benchmark-infer-{file}.csv").write_text(f"{HEAD}{a}\n{b}\nz,1,1,{batch},224,1,1\n")
    line = f"c,12.5,80,1,288,7.0,{gmacs[3]}\n"
    (tmp_path / "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv").write_text(HEAD + line)
    mb = float(graphs["params"][0]) * 4 / 2**20
    for file in timm_latency.CLSBENCH:
        lines = [f"a.first_224,0.5,{mb},70", f"a.second_in22k_224,9,{2 * mb},70", f"a_224,0.7,{mb},70", "zz_224,1,1,1"]
        (tmp_path / file).write_text(CLSBENCH + "\n".join(lines) + "\n")
    return tmp_path


def test_a_name_of_a_table_is_a_platform():
    names = {
        "benchmark-infer-amp-nchw-pt291-cu128-4090-dynamo.csv": "rtx4090_amp_nchw_dynamo_pt291",
        "benchmark-infer-amp_bf16-nchw-pt291-cu130-pro6000maxq-dynamo.csv": "pro6000maxq_amp_bf16_nchw_dynamo_pt291",
        "benchmark-infer-amp-nhwc-pt113-cu117-rtx3090.csv": "rtx3090_amp_nhwc_eager_pt113",
        "benchmark-infer-fp32-nchw-pt221-cpu-i9_10940x-dynamo.csv": "i9_10940x_fp32_nchw_dynamo_pt221",
    }
    assert {file: _timm.device_of(file) for file in names} == names
    with pytest.raises(BenchError, match="not the name of a benchmark table"):
        _timm.device_of("benchmark-train-amp.csv")


def test_the_platforms_are_those_of_the_files():
    dataset = datasets.get("timm_latency")
    files = [file.path for file in dataset.files]
    of_timm = {_timm.device_of(file) for file in files if file.startswith("benchmark")}
    devices = of_timm | {device for device, _ in timm_latency.CLSBENCH.values()}
    assert set(dataset.targets["image_ms"]) == set(dataset.targets["latency_ms"]) == devices
    assert set(timm_latency.CLSBENCH) == set(files) - {file for file in files if file.startswith("benchmark")}
    assert set(dataset.families) == set(_timm.LINEAGES)


def test_labels_by_hand(raw):
    graphs, targets, _ = timm_latency.read(raw, raw)
    assert graphs["name"].to_list() == NAMES and graphs["graph_id"].to_list() == [0, 1, 2, 3]
    assert graphs["family"].to_list() == ["resnet", "mobile_hybrid", "mobile_hybrid", "vit"]
    labels = {row[:3]: row[3:5] for row in targets.select("device", "graph_id", "target", "batch_size", "value").rows()}
    image = {key[:2]: value for key, (_, value) in labels.items() if key[2] == "image_ms"}
    assert image == {
        ("rtx3090_amp_nchw_eager_pt240", 0): 2.0,
        ("rtx3090_amp_nchw_eager_pt240", 1): 1.0,
        ("rtx4090_amp_nchw_dynamo_pt291", 0): 1.0,
        ("rtx4090_amp_nchw_dynamo_pt291", 2): 0.5,  # timed with its branches merged
        ("i7_12700h_fp32_nchw_dynamo_pt240", 3): 12.5,
        ("jetson_nano_gpu_fp32_ort", 0): 600.0,  # seconds; the median of two sets of weights of that size
        ("jetson_nano_cpu_fp32_ort", 0): 600.0,
        ("vim3", 0): 0.6,
    }
    assert labels["rtx4090_amp_nchw_dynamo_pt291", 2, "latency_ms"] == (512, 256.0)


@pytest.mark.parametrize(
    ("column", "factor", "fact"), [(-2, 1.04, "parameters within 1% of 98%"), (-1, 1.5, "FLOPs within 3% of 95%")]
)
def test_other_networks_than_the_tables_are_refused(raw, column, factor, fact):
    path = raw / "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv"
    head, a, *others = [line.split(",") for line in path.read_text().splitlines()]
    a[column] = str(float(a[column]) * factor)
    path.write_text("\n".join(",".join(line) for line in (head, a, *others)))
    with pytest.raises(BenchError, match=f"rtx3090.csv: {fact} of the networks is False"):
        timm_latency.read(raw, raw)


def test_a_module_without_a_lineage_is_named():
    assert _timm.lineages(pl.Series(["eva", "dla"])) == ["vit", "dense"]
    with pytest.raises(BenchError, match="'newest' is in no lineage"):
        _timm.lineages(pl.Series(["eva", "newest"]))
    modules = [module for names in _timm.LINEAGES.values() for module in names.split()]
    assert len(modules) == len(set(modules))


def test_both_tables_are_of_the_data_set(raw, tmp_path):
    """The table of graphs that comes with the clone names another."""
    nnlqp.publish("timm_latency", "7", tmp_path / "out", *timm_latency.read(raw, raw))
    for name in ("graphs", "targets"):
        about = io.read_meta(tmp_path / "out" / f"{name}.parquet")
        assert (about["dataset"], about["version"]) == ("timm_latency", "7")


def test_the_graphs_are_missed_in_one_line(tmp_path):
    with pytest.raises(BenchError, match=r"networks\.csv: no such file"):
        timm_latency.read(tmp_path, tmp_path)


def test_the_best_of_weights_trained_on_imagenet_1k_alone_counts(raw):
    lines = [
        "a.first_in1k,224,70.0", "a.second_in1k,224,71.5", "a.third_in22k_ft_in1k,224,80.0", "a,224,79.0",
        "b.clip_ft_in1k,224,81.0", "c.in1k,224,60.0", "c.in1k,288,61.0", "z.in1k,224,90.0",
    ]  # fmt: skip
    (raw / timm_imagenet.FILE).write_text("\n".join(["model,img_size,top1", *lines]) + "\n")
    graphs, targets, _ = timm_imagenet.read(raw, raw)
    assert graphs["name"].to_list() == ["a@224", "c@288"] and graphs["family"].to_list() == ["resnet", "vit"]
    assert targets.select("graph_id", "value").rows() == [(0, 71.5), (1, 61.0)]
    assert targets["target"].unique().to_list() == ["top1_acc"]
    assert targets["tag"].to_list() == ["second_in1k", "in1k"]
    schema.check_targets(targets, 2)
