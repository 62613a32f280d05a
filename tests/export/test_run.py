"""A run makes what is missing, goes on where it was cut short, and says why a network has no graph."""

from __future__ import annotations

import gzip
import json
import sys

import polars as pl
import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.export import run, table
from pipeline.export.files import LOG, Network, read_log
from tests.helpers.onnx_networks import networks

WORKER = """
import json, sys
from pathlib import Path
for line in sys.stdin:
    name, size, path = line.split()
    if name == "dies":
        sys.exit(3)
    message = "no such thing" if name == "fails" else ""
    if not message:
        Path(path).write_bytes(Path(sys.argv[1]).read_bytes())
    print(json.dumps({"module": "family", "params": [7], "buffers": [2], "message": message}), flush=True)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A process that makes the same small file for every network but two."""
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "model.gz").write_bytes(gzip.compress(networks(1)[0][1]))
    command = (sys.executable, str(tmp_path / "worker.py"), str(tmp_path / "model.gz"))
    monkeypatch.setattr(run, "COMMAND", command)


def names(*texts: str) -> list[Network]:
    """Networks of size 32."""
    return [Network(text, 32) for text in texts]


def test_networks_wanted_are_small_ones_of_all_tables_each_size_once(tmp_path):
    head = "model,infer_step_time,infer_img_size,param_count\n"
    (tmp_path / "benchmark-infer-a.csv").write_text(head + "b,1,224,20.0\na,1,224,5.0\nhuge,1,224,100.0\n")
    (tmp_path / "benchmark-infer-b.csv").write_text(head + "a,2,224,5.1\na,2,288,5.1\n")
    assert run.wanted(tmp_path) == [Network("a", 224), Network("a", 288), Network("b", 224)]
    assert run.wanted(tmp_path, 6.0) == [Network("a", 224), Network("a", 288)]
    with pytest.raises(BenchError, match="no table"):
        run.wanted(tmp_path / "elsewhere")


def test_a_death_costs_one_network_and_nothing_is_made_twice(tmp_path, worker):
    folder = tmp_path / "work"
    run.make(names("a", "dies", "fails", "b"), folder)
    said = {network.name: answer["message"] for network, answer in read_log(folder).items()}
    assert said == {"a": "", "dies": "its process died", "fails": "no such thing", "b": ""}
    lines = (folder / LOG).read_text()
    run.make(names("a", "dies", "fails", "b"), folder)
    assert (folder / LOG).read_text() == lines
    run.make(names("a", "dies", "fails", "b"), folder, retry=True)
    assert len(read_log(folder)) == 4 and (folder / LOG).read_text().count("\n") == 6


def test_a_log_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path, worker):
    run.make(names("a", "b"), tmp_path)
    log = tmp_path / LOG
    log.write_text(log.read_text()[:-20])
    assert list(read_log(tmp_path)) == names("a")


def test_the_tables_have_a_row_for_each_graph_and_each_failure(tmp_path, worker):
    folder, out = tmp_path / "work", tmp_path / "timm.parquet"
    run.make(names("b", "fails", "a", "broken"), folder)
    Network("broken", 32).file(folder).write_bytes(b"no gzip")
    deployed = {"name": "b", "size": 32, "module": "family", "params": [7, 5], "buffers": [2, 0], "message": ""}
    with (folder / LOG).open("a") as log:
        print(json.dumps(deployed), file=log)
    Network("b", 32).file(folder, deployed=True).write_bytes((tmp_path / "model.gz").read_bytes())
    assert table.write_tables(names("b", "fails", "a", "broken", "later"), folder, out) == 3
    graphs = io.read_parquet(out)
    assert graphs["name"].to_list() == ["a@32", "b@32", "b@32-deployed"]
    assert set(graphs["family"]) == {"family"} and io.read_meta(out)["dataset"] == "timm"
    listing = pl.read_csv(out.with_suffix(".csv"))
    assert dict(listing.filter(pl.col("message").is_not_null()).select("name", "message").iter_rows()) == {
        "broken@32": "Not a gzipped file (b'no')",
        "fails@32": "no such thing",
        "later@32": "not tried",
    }
    assert listing.filter(name="b@32-deployed").select("params", "buffers").row(0) == (5, 0)
    with pytest.raises(BenchError, match="no ONNX file"):
        table.write_tables(names("later"), folder, out)
