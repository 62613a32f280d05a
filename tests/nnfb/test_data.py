"""Data sets from Python: made once, checked, cut as the boards cut them."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import nnfb
from nnfb import data as module
from pipeline.config import datasets
from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.split import splits, training_set


@pytest.fixture
def synthetic(tmp_path) -> nnfb.Dataset:
    return nnfb.load_dataset("synthetic201", cache=tmp_path)


def test_the_list_is_that_of_the_config():
    listed = nnfb.list_datasets()
    known = datasets.load()
    assert listed["dataset"].to_list() == list(known)
    assert dict(listed.select("dataset", "networks").rows()) == {name: about.n_graphs for name, about in known.items()}


def test_a_data_set_is_made_once(tmp_path, monkeypatch, synthetic):
    def never(*_):
        raise AssertionError("made a second time")

    monkeypatch.setattr(module, "_make", never)
    again = nnfb.load_dataset("synthetic201", cache=tmp_path)
    assert again.graphs.equals(synthetic.graphs) and again.targets.equals(synthetic.targets)
    assert len(again) == 300 and again.meta["op_vocab"]


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("table", ["graphs", "targets"])
def test_a_table_that_was_changed_is_refused_and_made_again_when_it_is_deleted(tmp_path, synthetic, table):
    path = synthetic.folder / f"{table}.parquet"
    changed = io.read_parquet(path).with_columns(pl.col("iso" if table == "graphs" else "value").reverse())
    io.write_parquet(path, changed, io.read_meta(path))
    with pytest.raises(BenchError, match=f"{path}: changed since it was written; delete the file and convert again"):
        nnfb.load_dataset("synthetic201", cache=tmp_path)
    path.unlink()
    again = nnfb.load_dataset("synthetic201", cache=tmp_path)
    assert again.graphs.equals(synthetic.graphs) and again.targets.equals(synthetic.targets)


def test_another_version_is_made_again(tmp_path, monkeypatch, synthetic):
    about = datasets.get("synthetic201")
    assert module._place(about, tmp_path) != module._place(dataclasses.replace(about, version="2"), tmp_path)


def test_a_folder_cut_short_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module.convert, "__name__", "no.such.package")
    with pytest.raises(ModuleNotFoundError):
        nnfb.load_dataset("synthetic201", cache=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.real_data
def test_the_mirror_is_honoured_and_source_files_are_dropped(tmp_path, mirror):
    found = nnfb.load_dataset("nasbench101_cec", mirror=mirror, cache=tmp_path)
    assert len(found) == datasets.get("nasbench101_cec").n_graphs
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"graphs.parquet", "targets.parquet"}


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nope", {}, "no data set 'nope'"),
        ("measured", {}, "snakemake data"),
        ("nasbench201", {"mirror": "no/such/folder"}, "the mirror is not a folder"),
        ("nasbench201", {"folder": "no/such/folder"}, "no such file"),
    ],
)
def test_what_cannot_be_had_is_one_line(tmp_path, name, options, said):
    with pytest.raises(BenchError, match=said):
        nnfb.load_dataset(name, cache=tmp_path, **options)


def test_tables_of_another_data_set_are_refused(tmp_path, synthetic):
    (place,) = (path.parent for path in tmp_path.rglob("graphs.parquet"))
    with pytest.raises(BenchError, match="of data set 'synthetic201', not 'nasbench201'"):
        nnfb.load_dataset("nasbench201", folder=place)


def test_labels_come_with_their_graphs(synthetic):
    X, y = synthetic.labelled("latency_ms", "virtual")
    rows = synthetic.targets.filter(target="latency_ms", device="virtual")
    assert dict(zip(X.ids, y, strict=True)) == dict(rows.select("graph_id", "value").rows())
    with pytest.raises(BenchError, match="there are: .*test_acc on any"):
        synthetic.labelled("latency_ms", "any")


def test_faulty_labels_are_left_out(synthetic):
    marked = synthetic.targets.with_columns(faulty=pl.int_range(pl.len()) == 5)
    kept = nnfb.Dataset(synthetic.about, synthetic.graphs, marked, synthetic.meta, synthetic.folder)
    target, device = marked.row(5, named=True)["target"], marked.row(5, named=True)["device"]
    assert kept.labels(target, device).height == synthetic.labels(target, device).height - 1


@pytest.mark.parametrize("seed", [0, 3])
def test_the_split_is_that_of_the_boards(synthetic, seed):
    frame = splits.make_split(300, "synthetic201", seed, synthetic.about.test_fraction)
    cell = CellSpec.from_values("synthetic201", "test_acc", "mean", 60, seed)
    made = training_set.make(cell, synthetic.targets, synthetic.graphs, frame)
    train, test = synthetic.split("test_acc", n_labels=60, seed=seed)
    assert train.tolist() == made.rows["graph_id"].to_list() and len(train) == 60
    assert test.tolist() == made.test.tolist() and not set(train) & set(test)


def test_an_array_is_indexed_as_numpy_indexes(synthetic):
    X = synthetic.array()
    ids = np.arange(300)
    for index in (slice(3, 40, 7), [5, 2, 2], np.array([7, -1]), ids % 3 == 0, 4, (np.array([1, 0]), ...)):
        expected = ids[index[0] if isinstance(index, tuple) else index]
        assert X[index].ids.tolist() == np.atleast_1d(expected).tolist()
    with pytest.raises(IndexError):
        X[300]
    assert X.shape == (300,) and len(list(X[:3])) == 3
