"""Converters: the real files give tables with the known facts, and wrong files are refused with nothing written."""

import importlib
import os
import pickle
import shutil

import polars as pl
import pytest
from scipy.stats import kendalltau

from pipeline.config import datasets
from pipeline.convert import _common, hwnasbench, nasbench101_cec, synthetic201
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.fetch import fetch
from pipeline.spaces import cells
from tests.helpers.in_process import run_module

# Every data set whose files are pinned and mirrored; archives that are not are tested on files in their format.
REAL = [
    name
    for name, about in datasets.load().items()
    if about.files and all(f.mirror and f.sha256 and not f.pypi for f in about.files)
]


def by_arch(tables, target, device="any"):
    """name, value of one target and device, sorted by name."""
    graphs, targets = tables
    rows = targets.filter((pl.col("target") == target) & (pl.col("device") == device))
    return rows.join(graphs, on="graph_id").select("name", "value").sort("name")


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_files_give_valid_tables_with_the_known_facts(converted, name):
    graphs, targets = converted(name)
    dataset = datasets.get(name)
    assert graphs.height == dataset.n_graphs
    schema.check(graphs, schema.GRAPHS)
    schema.check_targets(targets, graphs.height)
    assert set(targets["target"]) == set(dataset.targets)
    importlib.import_module(f"pipeline.convert.{name}").sanity(graphs, targets)


@pytest.mark.real_data
@pytest.mark.parametrize("device", ["raspi4", "fpga", "eyeriss", "pixel3"])
def test_hwnasbench_rows_belong_to_the_right_cells(converted, device):
    # HELP's lists are in the API's order; HW-NAS-Bench names its cells in NASLib's order. Both measured the same.
    ours = by_arch(converted("hwnasbench"), "cifar10_latency_ms", device)
    theirs = by_arch(converted("help_nasbench201"), "latency_ms", device)
    assert ours.equals(theirs)


@pytest.mark.real_data
def test_the_same_cell_is_the_same_graph_in_both_latency_data_sets(converted):
    tables = [converted(name)[0].sort("name") for name in ("hwnasbench", "help_nasbench201")]
    columns = ["name", "iso", "n_nodes", "op", "src", "dst"]
    assert tables[0].select(columns).equals(tables[1].select(columns))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_sampled_cells_have_their_accuracies_in_the_whole_table(converted):
    ours, whole = (
        graphs.join(targets.filter(target="test_acc"), on="graph_id").select("iso", "params", "value").sort("iso")
        for graphs, targets in map(converted, ("nasbench101_cec", "nasbench101"))
    )
    joined = ours.join(whole, on="iso", suffix="_whole")
    assert joined.height == 6_760
    assert joined["params"].equals(joined["params_whole"], check_names=False)
    assert (joined["value"] - joined["value_whole"]).abs().max() < 1e-3


@pytest.mark.real_data
def test_isomorphic_cells_have_nearly_the_same_accuracy(converted):
    accuracy = by_arch(converted("nasbench201"), "val_acc").join(converted("nasbench201")[0], on="name")
    classes = accuracy.group_by("iso").agg(pl.len(), pl.col("value").std()).filter(pl.col("len") > 1)
    assert classes["value"].median() < 0.2  # percentage points; the whole space spreads over 12.8


@pytest.mark.real_data
def test_edgetpu_lacks_the_known_number_of_latencies_and_keeps_no_mark(converted):
    graphs, targets = converted("hwnasbench")
    for space in hwnasbench.FILES:
        edgetpu = targets.filter(target=f"{space}_latency_ms", device="edgetpu")
        assert graphs.height - edgetpu.height == 4_699
    assert targets["value"].min() > 0


@pytest.mark.real_data
def test_two_conversions_have_the_same_bytes(raw, tmp_path):
    for name in ("nasbench101_cec", "synthetic201"):
        module = importlib.import_module(f"pipeline.convert.{name}")
        for out in ("a", "b"):
            module.convert(raw(name), tmp_path / out)
        for file in ("graphs.parquet", "targets.parquet"):
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.real_data
def test_every_help_list_is_what_torch_reads(raw):
    torch = pytest.importorskip("torch")
    from pipeline.fetch.unpickle import load_torch_list

    for path in sorted(raw("help_nasbench201").glob("*.pt")):
        assert load_torch_list(path) == torch.load(path, weights_only=True)


@pytest.mark.real_data
def test_altered_labels_fail_the_known_facts_and_nothing_is_written(raw, tmp_path):
    folder = tmp_path / "raw"
    shutil.copytree(raw("nasbench201"), folder)
    text = (folder / "nats_bench.csv").read_text()
    (folder / "nats_bench.csv").write_text(text.replace("94.37333333333333", "99.37333333333333"))
    module = importlib.import_module("pipeline.convert.nasbench201")
    with pytest.raises(BenchError, match="known fact does not hold: best cifar10_test_acc is 99.37"):
        module.convert(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_cells_in_another_order_are_refused(raw, tmp_path):
    folder = tmp_path / "raw"
    shutil.copytree(raw("nasbench201"), folder)
    lines = (folder / "nats_bench.csv").read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    (folder / "nats_bench.csv").write_text("\n".join(lines))
    module = importlib.import_module("pipeline.convert.nasbench201")
    with pytest.raises(BenchError, match=r"nats_bench\.csv: cells differ from those of cifar10_avg\.csv"):
        module.convert(folder, tmp_path / "out")


@pytest.mark.parametrize("name", REAL)
def test_missing_files_are_named(tmp_path, name):
    module = importlib.import_module(f"pipeline.convert.{name}")
    with pytest.raises(BenchError, match="(no such file|cannot read).*fetch the data set first"):
        module.convert(tmp_path, tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100, b"a,b\n1,2\n", b"net\n1\n", b"index,arch_str\n0\n"])
@pytest.mark.parametrize(
    "name", [*("nasbench201", "hwnasbench", "help_nasbench201"), *("help_fbnet", "help_ofa", "oneproxy_nasbench201")]
)
def test_files_that_are_not_the_table_are_named(tmp_path, name, content):
    for file in datasets.get(name).files:
        (tmp_path / file.path).write_bytes(content)
    module = importlib.import_module(f"pipeline.convert.{name}")
    with pytest.raises(BenchError, match=r"\.(csv|pt|pickle): ") as caught:
        module.convert(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [[], {}, {(0,) * 6: 1}, {(9,) * 6: 1}, {"a": None}])
def test_analog_files_with_other_content_are_refused(tmp_path, value):
    (tmp_path / "data.anb").write_bytes(pickle.dumps(value))
    module = importlib.import_module("pipeline.convert.analognas201")
    with pytest.raises(BenchError):
        module.convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [None, (1, 2), ([[0] * 26], [{}]), (1,)])
def test_cec_files_with_other_content_are_refused(tmp_path, value):
    (tmp_path / "train_data_50000.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(BenchError, match="not a pair of encodings and records"):
        nasbench101_cec.convert(tmp_path, tmp_path / "out")


def test_a_nasbench101_encoding_by_hand():
    # 0-1, 1-6 carry the data; vertex 2 is fed but leads nowhere; 3 leads to the output but is not fed.
    edges = {(0, 1), (1, 6), (0, 2), (3, 6)}
    row = [int(edge in edges) for edge in nasbench101_cec.EDGES] + [0, 1, 2, 0, 0]
    assert nasbench101_cec.decode(row) == (("input", "conv3x3-bn-relu", "output"), ((0, 1), (1, 2)))
    for wrong in (row[:-1], [2, *row[1:]], [*row[:-1], 3]):
        with pytest.raises(BenchError, match="not an encoding"):
            nasbench101_cec.decode(wrong)


def test_the_synthetic_set_needs_no_files_and_runs_from_the_command_line(tmp_path):
    run_module("pipeline.convert.synthetic201", "--raw", tmp_path / "none", "--out", tmp_path).check_returncode()
    graphs, targets = (io.read_parquet(tmp_path / f"{table}.parquet") for table in ("graphs", "targets"))
    meta = io.read_meta(tmp_path / "graphs.parquet")
    schema.check_graphs(graphs, meta)
    assert meta["op_vocab"] == list(cells.VOCAB_201)
    about = io.read_meta(tmp_path / "targets.parquet")
    assert about == {"dataset": "synthetic201", "version": "1", "graphs": meta["content"], "content": about["content"]}
    table_checks.read(tmp_path)
    synthetic201.sanity(graphs, targets)


def test_an_error_of_a_converter_is_one_line(tmp_path):
    result = run_module("pipeline.convert.nasbench201", "--raw", tmp_path, "--out", tmp_path / "o")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("error: ") and "cifar10_avg.csv" in result.stderr


def test_tables_that_do_not_fit_the_registry_are_refused(tmp_path):
    graph = cells.cell_201(("skip_connect",) * 6)
    graphs = cells.graphs_frame(["a"] * 300, "nasbench201", [graph] * 300, cells.VOCAB_201)
    target = _common.target_frame("test_acc", "any", [90.0] * 300)
    wrong = {
        "number of graphs": (graphs[:299], target[:299]),
        "targets and devices": (graphs, target),
        "a latency or energy is not positive": (graphs, _common.target_frame("latency_ms", "virtual", [-1.0] * 300)),
    }
    for match, tables in wrong.items():
        with pytest.raises(BenchError, match=match):
            _common.publish("synthetic201", tmp_path / "out", *tables, cells.VOCAB_201, lambda *_: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.real_data
def test_analognas201_agrees_with_nasbench201(converted, tmp_path):
    try:
        fetch.fetch(datasets.get("analognas201"), tmp_path / "raw")
    except BenchError as error:
        if "wrong sha256" in str(error):
            raise
        pytest.skip(f"the package can't be had here: {error}")
    importlib.import_module("pipeline.convert.analognas201").convert(tmp_path / "raw", tmp_path)
    tables = io.read_parquet(tmp_path / "graphs.parquet"), io.read_parquet(tmp_path / "targets.parquet")
    analog, nats = by_arch(tables, "test_acc"), by_arch(converted("nasbench201"), "cifar10_test_acc")
    assert analog["name"].equals(nats["name"])
    assert kendalltau(analog["value"], nats["value"]).statistic == pytest.approx(0.926, abs=5e-4)
