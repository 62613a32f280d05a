"""The data set made here: its networks, its tables, and its export in NNLQP's format. Timings are made up, by hand."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.convert import measured, measured_1000, measured_platforms, measured_wide, nnlqp
from pipeline.core import io, schema
from pipeline.core.errors import BenchError
from pipeline.measure import export, families, networks, platforms
from pipeline.measure.table import SCHEMA
from pipeline.score import label_noise

TINY = dataclasses.replace(
    datasets.get("measured"), made=datasets.Made(3, 0), families=("alexnet", "squeezenet"), n_graphs=6
)
PLATFORMS = TINY.platforms


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """data/raw/measured of the tiny set."""
    folder = tmp_path_factory.mktemp("raw")
    networks.make(TINY, folder / "networks")
    return folder


def listed(raw) -> pl.DataFrame:
    return pl.read_csv(raw / "networks.csv")


def time(raw, timed, failed=(), forgotten=()):
    """Tables of timings on both platforms: 1, 2, ... ms for pass 1, a tenth more for pass 2 of the first two."""
    for number, platform in enumerate(PLATFORMS):
        rows = []
        for i, (name, digest) in enumerate(listed(raw).iter_rows()):
            if name in forgotten:
                continue
            bad = name in failed and number == 1
            row = {"network": name, "sha256": digest, "pass": 1, "status": "crashed" if bad else "ok"}
            rows.append(row | {"latency_ms": None if bad else 10.0 * number + i + 1, "settled": i != 3})
            if i < 2 and not bad:
                rows.append({**rows[-1], "pass": 2, "latency_ms": 1.1 * rows[-1]["latency_ms"]})
        table = pl.DataFrame(rows, schema={n: SCHEMA[n] for n in rows[0]})
        missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in rows[0]]
        table = table.with_columns(missing).select(list(SCHEMA))
        io.write_parquet(timed / f"{platform}.parquet", table, {"kind": "timings", "platform": platform})


@pytest.mark.parametrize("name", ["measured", "measured_platforms", "measured_1000", "measured_wide"])
def test_what_the_config_says_can_be_made(name):
    about = datasets.get(name)
    assert len(about.families) == (22 if name == "measured_wide" else 11)
    assert about.families == tuple(sorted(about.families)) and set(about.families) <= families.FAMILIES.keys()
    assert set(about.platforms) <= set(platforms.PLATFORMS)
    assert about.targets["second_latency_ms"] == about.targets["latency_ms"]


def test_networks_are_the_same_each_time_and_strays_go(raw, tmp_path):
    stray = tmp_path / "networks" / "alexnet" / "alexnet-7-0000.onnx"
    io.write_bytes(stray, b"stray")
    listing = networks.make(TINY, tmp_path / "networks")
    assert listing == tmp_path / "networks.csv" and not stray.exists()
    assert listing.read_bytes() == (raw / "networks.csv").read_bytes()
    assert listed(tmp_path)["network"].to_list()[:2] == ["alexnet/alexnet-0-0000", "alexnet/alexnet-0-0001"]
    for name, digest in listed(tmp_path).iter_rows():
        assert io.file_sha256(tmp_path / "networks" / f"{name}.onnx") == digest
    fewer = dataclasses.replace(TINY, made=datasets.Made(2, 0))
    networks.make(fewer, tmp_path / "networks")
    assert listed(tmp_path).equals(listed(raw).filter(~pl.col("network").str.ends_with("0002")))
    assert len(list((tmp_path / "networks").rglob("*.onnx"))) == 4


def test_a_family_may_have_another_number_of_networks(tmp_path):
    networks.make(dataclasses.replace(TINY, made=datasets.Made(2, 0, of={"squeezenet": 3})), tmp_path / "networks")
    assert [name.partition("/")[0] for name in listed(tmp_path)["network"]] == ["alexnet"] * 2 + ["squeezenet"] * 3


def test_a_data_set_that_is_fetched_is_not_made(tmp_path):
    with pytest.raises(BenchError, match="this data set is fetched"):
        networks.make(datasets.get("nasbench201"), tmp_path)


def test_tables(raw, tmp_path):
    time(raw, tmp_path)
    graphs, targets, meta = measured.read(TINY, raw, tmp_path)
    schema.check_graphs(graphs, {"dataset": "measured", "version": "1", **meta})
    schema.check_targets(targets, graphs.height)
    assert graphs["name"].to_list() == listed(raw)["network"].to_list()
    assert graphs["family"].to_list() == ["alexnet"] * 3 + ["squeezenet"] * 3
    first = targets.filter(target="latency_ms", device=PLATFORMS[1])
    assert first.select("graph_id", "value").rows() == [(i, 11.0 + i) for i in range(6)]
    assert first["stage"].to_list() == [None, None, None, "busy", None, None]
    second = targets.filter(target="second_latency_ms", device=PLATFORMS[0])
    assert second.select("graph_id", "value").rows() == [(0, pytest.approx(1.1)), (1, pytest.approx(2.2))]


def test_a_network_that_failed_somewhere_is_left_out(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "MOST_FAILED", 0.2)
    time(raw, tmp_path, failed=["alexnet/alexnet-0-0001"])
    graphs, targets, _ = measured.read(TINY, raw, tmp_path)
    assert graphs.height == 5 and "alexnet/alexnet-0-0001" not in graphs["name"]
    assert targets.filter(target="latency_ms", device=PLATFORMS[0])["value"].to_list() == [1.0, 3.0, 4.0, 5.0, 6.0]
    time(raw, tmp_path, failed=listed(raw)["network"].to_list()[:2])
    with pytest.raises(BenchError, match="2 of 6 networks failed; see their messages"):
        measured.read(TINY, raw, tmp_path)


def test_a_network_that_was_not_tried_is_named(raw, tmp_path):
    time(raw, tmp_path, forgotten=["squeezenet/squeezenet-0-0002"])
    with pytest.raises(BenchError, match=r"squeezenet/squeezenet-0-0002 is not in it as it is now"):
        measured.read(TINY, raw, tmp_path)
    io.write_parquet(tmp_path / f"{PLATFORMS[0]}.parquet", pl.DataFrame({"x": [1]}))
    with pytest.raises(BenchError, match="not a table of timings"):
        measured.read(TINY, raw, tmp_path)


@pytest.mark.parametrize("converter", [measured, measured_platforms, measured_1000, measured_wide])
def test_known_facts_are_checked(raw, tmp_path, converter):
    time(raw, tmp_path)
    graphs, targets, _ = measured.read(TINY, raw, tmp_path)
    with pytest.raises(BenchError, match="known fact does not hold: families"):
        converter.sanity(graphs, targets)


def test_export_is_read_by_the_converter_of_nnlqp(raw, tmp_path):
    time(raw, tmp_path)
    timed = [tmp_path / f"{platform}.parquet" for platform in PLATFORMS]
    out = tmp_path / "measured.tar.gz"
    assert export.export(raw / "networks", timed, out) == 12
    before = out.read_bytes()
    export.export(raw / "networks", timed, out)
    assert out.read_bytes() == before
    theirs, labels, _ = nnlqp.tables([nnlqp.read_part(out, "measured")], workers=1)
    graphs, targets, _ = measured.read(TINY, raw, tmp_path)
    assert theirs["name"].to_list() == [f"measured/onnx/{name}.onnx@1" for name in graphs["name"]]
    assert theirs.drop("name").equals(graphs.drop("name"))
    ours = targets.filter(target="latency_ms")
    columns = [name for name in ours.columns if name != "stage"]
    assert labels.sort("device", "graph_id")[columns].equals(ours.sort("device", "graph_id")[columns])


def test_export_refuses_networks_that_were_not_timed(raw, tmp_path):
    time(raw, tmp_path)
    networks.make(dataclasses.replace(TINY, made=datasets.Made(3, 1)), tmp_path / "networks")
    with pytest.raises(BenchError, match="no such file"):
        export.export(tmp_path / "networks", [tmp_path / f"{PLATFORMS[0]}.parquet"], tmp_path / "out.tar.gz")
    io.write_bytes(tmp_path / "networks" / "alexnet" / "alexnet-0-0000.onnx", b"other")
    with pytest.raises(BenchError, match="not the network that was timed"):
        export.export(tmp_path / "networks", [tmp_path / f"{PLATFORMS[0]}.parquet"], tmp_path / "out.tar.gz")


def test_second_timings_are_the_noise_of_the_first():
    """Thirty networks timed twice, the second time 4 % longer; two more only once."""
    first = {i: 1.0 + i for i in range(32)}
    second = {i: 1.04 * first[i] for i in range(30)}

    class Data:
        def graphs(self, name):
            import numpy as np

            return np.arange(32)

        def labels(self, name, target, device):
            import numpy as np

            from pipeline.score.score import Labels

            values = first if target == "latency_ms" else second
            return Labels(np.array(list(values)), np.array(list(values.values())))

        def n_faulty(self, name, target, device):
            return 0

        n_busy = n_faulty

        def places(self, name):
            return None

    (found,) = label_noise.measure(Data(), datasets.get("measured"), "latency_ms", PLATFORMS[0])
    assert (found.kind, found.n) == (label_noise.SECOND, 30)
    assert found.values == {"kendall_tau": 1.0, "spearman": 1.0, "mape": pytest.approx(4.0), "acc10": 100.0}
