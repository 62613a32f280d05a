"""The converter of NAS-Bench-101 on small files in the official format, with synthetic labels, whole and damaged."""

import base64
import json
import os
import random
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from benchmarks import nasbench101_tfrecord as synthetic
from pipeline.config import datasets
from pipeline.convert import _common, _nasbench101, nasbench101, nasbench101_full
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.fetch import tfrecord
from pipeline.spaces import cells
from pipeline.spaces import nasbench101 as space101
from pipeline.split import splits

SPACE = space101.enumerate_cells(max_vertices=4)  # 91 cells
RECORDS = list(synthetic.records(SPACE, (108,)))
META = {"dataset": "x", "version": "1", "op_vocab": list(cells.VOCAB_101), "attr_names": [], "out_shape_rank": 0}


def file_of(folder, records):
    path = folder / nasbench101.FILE
    synthetic.write(path, records)
    return path


def read(path, epochs=(108,), workers=1):
    return _nasbench101.read(path, epochs, workers)


def labels(record):
    """val_acc, test_acc in percent and training_ms of a record's last evaluation."""
    last = _nasbench101.ModelMetrics.FromString(base64.b64decode(json.loads(record)[4])).evaluation_data[2]
    return 100 * last.validation_accuracy, 100 * last.test_accuracy, 1000 * last.training_time


def test_cells_and_means_of_three_runs(tmp_path):
    table = read(file_of(tmp_path, RECORDS))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(table.space, SPACE, strict=True))
    assert table.names == [json.loads(record)[0] for record in RECORDS[::3]]
    assert table.params.tolist() == space101.parameters(SPACE).tolist()
    for index in (0, 7, 90):
        runs = [labels(record) for record in RECORDS[3 * index : 3 * index + 3]]
        for position, name in enumerate(_nasbench101.VALUES):
            assert table.means[108, name][index] == pytest.approx(sum(run[position] for run in runs) / 3)


def test_the_graphs_table(tmp_path):
    table = read(file_of(tmp_path, RECORDS))
    graphs = nasbench101.graphs_frame(table)
    schema.check_graphs(graphs, META)
    for row, *cell in zip(graphs.iter_rows(named=True), *(column.tolist() for column in SPACE), strict=True):
        cell = space101.cell(*cell)
        assert [cells.VOCAB_101[op] for op in row["op"]] == list(cell.labels)
        assert tuple(zip(row["src"], row["dst"], strict=True)) == cell.edges
        assert row["iso"] == cells.iso_hash(*cell)
        assert row["n_nodes"] == len(cell.labels)
    targets = nasbench101.targets_frame({name: table.means[108, name] for name in _nasbench101.VALUES})
    schema.check_targets(targets, graphs.height)
    assert set(targets["target"]) == set(datasets.get("nasbench101").targets)


def test_runs_may_come_in_any_order_and_from_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(_nasbench101, "CHUNK", 50)
    shuffled = random.Random(0).sample(RECORDS, len(RECORDS))
    table = read(file_of(tmp_path, shuffled), workers=2)
    assert table.names == list(dict.fromkeys(json.loads(record)[0] for record in shuffled))
    whole = read(file_of(tmp_path, RECORDS))
    place = [table.names.index(name) for name in whole.names]
    for key, values in whole.means.items():
        assert table.means[key][place] == pytest.approx(values)
    assert np.array_equal(table.iso[place], whole.iso)


def test_the_full_file_has_four_lengths_of_training(tmp_path):
    path = file_of(tmp_path, synthetic.records(SPACE, nasbench101_full.EPOCHS))
    table = read(path, nasbench101_full.EPOCHS)
    assert {epochs for epochs, _ in table.means} == {4, 12, 36, 108}
    assert len(table.names) == 91
    with pytest.raises(BenchError, match=r"record at byte 0: 4 epochs, expected 108; fetch it again"):
        read(path)


def test_a_record_spelt_without_blanks_and_line_ends(tmp_path):
    plain = [json.loads(record) for record in RECORDS]
    for fields in plain:
        fields[4] = fields[4].replace("\n", "")
    path = file_of(tmp_path, [json.dumps(fields, separators=(",", ":")).encode() for fields in plain])
    assert read(path).names == read(file_of(tmp_path, RECORDS)).names


FIRST = json.loads(RECORDS[0])  # input -> output
LAST = json.loads(RECORDS[-1])  # of 4 vertices


def with_field(record, index, value):
    fields = list(record)
    fields[index] = value
    return json.dumps(fields).encode()


def with_metrics(change):
    message = _nasbench101.ModelMetrics.FromString(base64.b64decode(LAST[4]))
    change(message)
    return with_field(LAST, 4, base64.encodebytes(message.SerializeToString()).decode())


def set_last(**values):
    def change(message):
        for name, value in values.items():
            setattr(message.evaluation_data[2], name, value)

    return with_metrics(change)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b"\xff{", "not a JSON list of five entries"),
        (b"[1, 2]", "not a JSON list of five entries"),
        (b"7", "not a JSON list of five entries"),
        (b'["a", 108, [0], "b", "c"]', "hash, adjacency, operations or metrics are not text"),
        (with_field(LAST, 0, "0" * 31), "'0{31}' is not a hash of 32 hexadecimal digits"),
        (with_field(LAST, 0, "g" * 32), "is not a hash"),
        (with_field(LAST, 1, 36), "36 epochs, expected 108"),
        (with_field(LAST, 1, [108]), r"\[108\] epochs, expected 108"),
        (with_field(LAST, 2, "010"), "'010' is not an adjacency matrix of 2 to 7 vertices"),
        (with_field(LAST, 2, ""), "'' is not an adjacency matrix"),
        (with_field(LAST, 2, "0"), "'0' is not an adjacency matrix"),
        (with_field(LAST, 2, "02" * 2), "'0202' is not an adjacency matrix"),
        (with_field(LAST, 2, "0" * 64), "is not an adjacency matrix"),
        (with_field(FIRST, 2, "0000"), "a vertex on no path from input to output"),
        (with_field(FIRST, 2, "0110"), "not upper triangular"),
        (with_field(LAST, 2, "0100001000010010"), "not upper triangular"),
        (with_field(LAST, 2, "0011000100000000"), "a vertex on no path from input to output"),
        (with_field(LAST, 2, "0111110" + "0001110" * 3 + "0" * 21), "not upper triangular with at most 9 edges"),
        (with_field(LAST, 3, "input,output"), "are not the operations of a cell of 4 vertices"),
        (with_field(LAST, 3, "input,conv,maxpool3x3,output"), "are not the operations"),
        (with_field(LAST, 3, "output,maxpool3x3,maxpool3x3,input"), "are not the operations"),
        (with_field(LAST, 3, ""), "are not the operations"),
        (with_field(LAST, 4, "abc"), "metrics are not the base64 of a protobuf message"),
        (with_field(LAST, 4, "é"), "metrics are not the base64"),
        (with_field(LAST, 4, LAST[4][:20]), "metrics are not the base64 of a protobuf message"),
        (with_field(LAST, 4, base64.b64encode(b"\xff" * 60).decode()), "metrics are not the base64 of a protobuf"),
        (with_field(LAST, 4, ""), "0 evaluations, expected 3"),
        (with_metrics(lambda message: message.evaluation_data.pop()), "2 evaluations, expected 3"),
        (set_last(validation_accuracy=0.0), "validation accuracy 0.0"),
        (set_last(validation_accuracy=1.5), "validation accuracy 1.5"),
        (set_last(test_accuracy=float("nan")), "test accuracy nan"),
        (set_last(training_time=-1.0), r"training time -1.0 s"),
        (with_metrics(lambda m: m.evaluation_data[2].ClearField("test_accuracy")), "test accuracy 0.0"),
    ],
)
def test_a_damaged_record_is_named(tmp_path, record, problem):
    path = file_of(tmp_path, [*RECORDS[:-1], record])
    place = path.stat().st_size - len(record) - 16
    with pytest.raises(BenchError, match=rf"{path}: record at byte {place}: .*{problem}.*; fetch it again"):
        read(path)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (RECORDS[:-1], "does not have 3 runs of 108 epochs, or they differ"),
        ([*RECORDS, RECORDS[-1]], "does not have 3 runs"),
        (RECORDS[1:-1], "does not have 3 runs"),
        (
            [*RECORDS[:-1], with_metrics(lambda message: setattr(message, "trainable_parameters", 5))],
            f"cell {LAST[0]} does not have 3 runs of 108 epochs, or they differ in more than their results",
        ),
        ([*RECORDS[:-1], with_field(LAST, 0, FIRST[0])], "does not have 3 runs"),
        (
            [*RECORDS[:-3], *[with_metrics(lambda message: setattr(message, "trainable_parameters", 5))] * 3],
            rf"cell {LAST[0]} has 5 parameters, expected [\d]+; fetch",
        ),
        (
            [*RECORDS[:-3], *[with_metrics(lambda message: message.ClearField("trainable_parameters"))] * 3],
            "has 0 parameters",
        ),
        ([*RECORDS[:-3], *[with_field(LAST, 0, "0" * 32)] * 3], f"the cell called 0{{32}} has the hash {LAST[0]};"),
        ([], "no records"),
    ],
)
def test_a_cell_that_is_not_whole_is_named(tmp_path, records, problem):
    path = file_of(tmp_path, records)
    with pytest.raises(BenchError, match=rf"{path}: .*{problem}.*"):
        read(path)


def test_damage_is_noticed_in_any_process(tmp_path, monkeypatch):
    monkeypatch.setattr(_nasbench101, "CHUNK", 50)
    path = file_of(tmp_path, RECORDS)
    whole = path.read_bytes()
    place = whole.index(b"maxpool3x3")
    path.write_bytes(whole[:place] + b"M" + whole[place + 1 :])
    with pytest.raises(BenchError, match=rf"{path}: damaged at byte \d+: the data of a record fail their CRC"):
        read(path, workers=2)
    path.write_bytes(whole[:-1])
    with pytest.raises(BenchError, match=rf"{path}: truncated: it ends inside the record at byte \d+; fetch it again"):
        read(path, workers=2)


def test_a_file_of_some_cells_is_refused_and_nothing_is_written(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    file_of(raw, RECORDS)
    command = [sys.executable, "-m", "pipeline.convert.nasbench101", "--raw", str(raw), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("error: nasbench101: known fact does not hold: number of graphs is 91, expected 423624")
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["raw"]


@pytest.mark.parametrize("module", [nasbench101, nasbench101_full])
def test_a_missing_file_is_named(tmp_path, module):
    with pytest.raises(BenchError, match=rf"{re.escape(module.FILE)}: no such file; fetch the data set first"):
        module.convert(tmp_path, tmp_path / "out")


def test_the_best_accuracies_are_checked():
    values = {name: np.full(space101.N_CELLS, best) for name, best in nasbench101.BEST.items()}
    nasbench101.best_facts("x", nasbench101.targets_frame(values))
    values["test_acc"][5] += 0.01
    with pytest.raises(BenchError, match=r"x: known fact does not hold: best test_acc is 94\.3276"):
        nasbench101.best_facts("x", nasbench101.targets_frame(values))
    values["val_acc"] = values["val_acc"][1:]
    with pytest.raises(BenchError, match="labels of val_acc is 423623, expected 423624"):
        nasbench101.best_facts("x", nasbench101.targets_frame(values))


def test_the_space_is_checked(tmp_path):
    graphs = nasbench101.graphs_frame(read(file_of(tmp_path, RECORDS)))
    with pytest.raises(BenchError, match="x: known fact does not hold: number of cells is 91, expected 423624"):
        nasbench101.space_facts("x", graphs)


def test_the_files_as_registered():
    assert {
        nasbench101_full.EPOCHS: datasets.get("nasbench101_full").files[0].bytes,
        (108,): datasets.get("nasbench101").files[0].bytes,
    } == synthetic.OFFICIAL_BYTES
    # A record of the 108-epoch file is two bytes longer than one of 4 epochs, one longer than one of 12 or 36.
    small, large = synthetic.OFFICIAL_BYTES[108,], synthetic.OFFICIAL_BYTES[nasbench101_full.EPOCHS]
    assert large == 4 * small - 3 * space101.N_CELLS * (2 + 1 + 1)


def test_the_split_has_pools_for_the_published_training_sizes():
    split = splits.make_split(space101.N_CELLS, "nasbench101", 0, datasets.get("nasbench101").test_fraction)
    schema.check_split(split, space101.N_CELLS)
    labelled = split["graph_id"]
    chosen = [splits.training_ids(split, labelled, n) for n in (100, 172, 424, 4236)]
    assert [len(ids) for ids in chosen] == [100, 172, 424, 4236]
    assert all(smaller.equals(larger[: len(smaller)]) for smaller, larger in zip(chosen, chosen[1:], strict=False))
    held_out = set(split.filter(pl.col("role") == "test")["graph_id"])
    assert held_out.isdisjoint(chosen[-1]) and len(held_out) == 84_725


def test_frames_are_those_of_the_format():
    record = RECORDS[0]
    assert tfrecord.frame(record)[12:-4] == record
    assert json.loads(record)[1:4] == [108, "0100", "input,output"]
    assert _common.values_of(nasbench101.targets_frame({"val_acc": np.array([1.0, 2.0])}), "val_acc").to_list() == [
        1,
        2,
    ]
