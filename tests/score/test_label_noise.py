"""How labels agree with themselves: by hand, and what the config records against the real data."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.convert import nasbench201
from pipeline.core import io
from pipeline.fetch import fetch
from pipeline.score import label_noise, score, score_table
from tests.helpers.board_fixtures import ABOUT
from tests.helpers.score_fixtures import make_cell, make_data, rewrite, write_predictions


def test_repeats_take_the_first_two_of_each_class():
    """Classes 0..59 thrice, interleaved: 0..59 first, then 5 % more, then values that must not be seen."""
    iso = np.tile(np.arange(60), 3)
    values = np.r_[np.arange(60) + 1.0, 1.05 * (np.arange(60) + 1.0), np.full(60, 1e9)]
    found = label_noise.repeats("d", "lat_ms", "phone", iso, values)
    assert found.n == 60 and found.values == {
        "kendall_tau": 1.0, "spearman": 1.0, "mape": pytest.approx(5.0), "acc10": 100.0,
    }  # fmt: skip
    assert label_noise.repeats("d", "test_acc", "any", iso, values).values == {"kendall_tau": 1.0}


def test_another_run_of_the_chip_is_compared_by_one_scale(tmp_path, monkeypatch):
    """Twice as fast with newer software, but for one network of twenty that got four times as fast."""
    root = make_data(tmp_path)
    frame = io.read_parquet(root / "parquet/synthetic_toy/targets.parquet")
    new = frame.filter(target="lat_ms", device="phone")
    fast = pl.when(pl.col("graph_id") == new["graph_id"].max()).then(4.0).otherwise(2.0)
    old = new.with_columns(device=pl.lit("old_phone"), value=pl.col("value") * fast)
    rewrite(root, targets=lambda labels: pl.concat([labels, old]).sort("target", "device", "graph_id"))
    monkeypatch.setattr(label_noise, "FEWEST", 4)
    about = replace(ABOUT, reruns={"phone": "old_phone"}, ceilings=())
    (found,) = (n for n in label_noise.measure(score.Data(root), about, "lat_ms", "phone") if n.kind == "rerun")
    assert found.n == new.height and found.values["mape"] == pytest.approx(100 / new.height)
    assert not [n for n in label_noise.measure(score.Data(root), about, "lat_ms", "old_phone") if n.kind == "rerun"]


def test_too_few_repeats_say_nothing():
    iso = np.tile(np.arange(49), 2)
    assert label_noise.repeats("d", "test_acc", "any", iso, np.arange(98.0)) is None
    assert label_noise.repeats("d", "test_acc", "any", np.arange(98), np.arange(98.0)) is None


def test_scores_carry_the_noise_of_their_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = make_data(tmp_path)
    cell = make_cell()
    write_predictions(cell, [50.0 + i for i in range(20)])
    rows = score.score([cell], score.Data(data))
    found = [
        label_noise.Noise("d", "val_acc", "any", "test_acc", 50, {"kendall_tau": 0.5}),
        label_noise.Noise("d", "lat_ms", "phone", label_noise.FAULTY, 3, {"share": 0.1}),
    ]
    score_table.write("scores.parquet", rows, label_noise.dump(found))
    assert label_noise.parse(io.read_meta("scores.parquet")["noise"]) == found
    with pytest.raises(ValueError, match="the noise of d lacks kendall_tau"):
        label_noise.parse(label_noise.dump([replace(found[0], values={"share": 0.1})]))
    assert label_noise.parse(None) == [] and score_table.read("scores.parquet").equals(rows)


@pytest.mark.real_data
def test_the_ceilings_of_nasbench201_come_from_the_data(mirror, tmp_path):
    about = datasets.get("nasbench201")
    fetch.fetch(about, tmp_path / "raw", mirror)
    nasbench201.convert(tmp_path / "raw", tmp_path / "data" / "parquet" / "nasbench201")
    data = score.Data(tmp_path / "data")
    recorded = {ceiling.labels: ceiling.kendall_tau for ceiling in about.ceilings}
    for scored_on in ("test_acc", "cifar10_test_acc"):
        repeats, pair = label_noise.measure(data, about, scored_on, "any")
        assert (pair.kind, pair.n) == ("val_acc", 15_625)
        assert pair.values["kendall_tau"] == pytest.approx(recorded["val_acc", scored_on], abs=5e-4)
        assert repeats.n == 685 and 0.9 < repeats.values["kendall_tau"] < 0.95


SECOND = [
    label_noise.Noise(
        "d", "lat_ms", "phone", label_noise.SECOND, 30, {"kendall_tau": 0.98, "mape": 1.0, "acc10": 100.0}
    ),
    label_noise.Noise(
        "d", "lat_ms", "watch", label_noise.SECOND, 30, {"kendall_tau": 0.96, "mape": 3.0, "acc10": 90.0}
    ),
    label_noise.Noise("d", "lat_ms", "watch", "repeats", 99, {"kendall_tau": 0.5, "mape": 50.0, "acc10": 9.0}),
]


def test_the_floor_is_the_mean_over_devices_that_all_have_one():
    assert label_noise.floor(SECOND, "d", "lat_ms", ["phone"]) == {"kendall_tau": 0.98, "mape": 1.0, "acc10": 100.0}
    assert label_noise.floor(SECOND, "d", "lat_ms", ["phone", "watch"]) == {
        "kendall_tau": pytest.approx(0.97), "mape": 2.0, "acc10": 95.0,
    }  # fmt: skip
    assert label_noise.floor(SECOND, "d", "lat_ms", ["phone", "tv"]) == {}
    assert label_noise.floor(SECOND, "e", "lat_ms", ["phone"]) == label_noise.floor([], "d", "lat_ms", ["phone"]) == {}
    assert label_noise.floor(SECOND, "d", "other_ms", ["phone"]) == {}


def test_an_agreement_of_another_kind_is_a_mean_over_devices_too():
    sums = [
        replace(n, kind=label_noise.ADDITIVE, values=n.values | {"r2": r2})
        for n, r2 in zip(SECOND, (1.0, 0.5), strict=False)
    ]
    found = label_noise.floor(sums, "d", "lat_ms", ["phone", "watch"], label_noise.ADDITIVE)
    assert found["r2"] == 0.75 and found["kendall_tau"] == pytest.approx(0.97)
    assert label_noise.floor(sums, "d", "lat_ms", ["phone"]) == {}
