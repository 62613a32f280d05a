"""Lineages left out: the check is nested, and saved predictors take theirs from predictions files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.predict import lineages, saved
from pipeline.predict import save as saving
from pipeline.predict.lineages import LeftOut, Predicted
from pipeline.train import cell as training
from tests.helpers.onnx_networks import networks
from tests.helpers.saved_fixtures import DATASET, DEVICE, N, asked, write_tables

LINEAGES = ("resnet18", "vgg16", "vit")


def lineage(name: str, factor: float, seed: int) -> LeftOut:
    """Fifty networks predicted at 1, whose truth is off by up to `factor` times their distance, in logarithms."""
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0.2, 2, 50)
    asked_about = Predicted(np.ones(50), np.exp(factor * distance * rng.uniform(0, 1, 50)), distance)
    known = Predicted(np.ones(50), np.exp(rng.uniform(0, 0.05, 50)), rng.uniform(0, 0.2, 50))
    return LeftOut(name, asked_about, rng.uniform(size=50) < 0.8, known)


def test_a_lineage_says_nothing_of_its_own_check():
    some = [lineage("a", 0.1, 0), lineage("b", 0.1, 1), lineage("c", 0.1, 2)]
    worse = [*some[:2], lineage("c", 2.0, 2)]
    before, after = lineages.checked(some)["lineages"], lineages.checked(worse)["lineages"]
    assert after["c"]["factor"] == before["c"]["factor"] and after["c"]["coverage"] < 50 < before["c"]["coverage"]
    assert after["a"]["factor"] > before["a"]["factor"] and after["a"]["coverage"] == 100
    assert after["c"]["off"] > 0 == after["c"]["warned"] and after["a"]["warned"] > 0 == after["a"]["warned_off"]


def test_together_by_hand():
    found = lineages.checked([lineage("a", 0.5, 0), lineage("b", 0.6, 1), lineage("c", 0.7, 2)])
    one_by_one, together = found["lineages"].values(), found["left_out"]
    count = {key: sum(one[key] for one in one_by_one) for key in ("n", "off", "warned", "warned_off")}
    assert together["coverage"] == pytest.approx(np.mean([one["coverage"] for one in one_by_one]))
    assert together["n"] == count["n"] == 150
    assert together["precision"] == pytest.approx(100 * count["warned_off"] / count["warned"])
    assert together["recall"] == pytest.approx(100 * count["warned_off"] / count["off"])


def test_held_out_networks_of_a_lineage_make_no_slope():
    one = lineage("a", 0.5, 0)
    assert len(lineages.pairs([one])) == one.learnable.sum() < 50
    assert lineages.pairs([one, one]).weight.sum() == pytest.approx(2)
    assert len(lineages.pairs([replace(one, learnable=np.zeros(50, dtype=bool))])) == 0
    assert lineages.checked([one]) == lineages.checked([]) == {}  # no other lineage to tell by


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Path, training.Trained, list[Path]]:
    """A cell of `flops`, the predictions files of the same without each lineage, and where its model is saved."""
    folder = tmp_path_factory.mktemp("lineages")
    data = write_tables(folder / "data")
    tables = training.Tables.read(data, data / "split.parquet", DATASET, 0)

    def cell(budget: str) -> training.Trained:
        return training.train(
            CellSpec.from_values(DATASET, "latency_ms", "flops", budget, device=DEVICE), tables, "cpu"
        )

    files = []
    for name in LINEAGES:
        files.append(folder / f"without-{name}" / "0.parquet")
        training.write(files[-1], cell(f"without-{name}"))
    whole = cell(f"n{N // 2}")
    saving.save(folder / "models" / "flops", whole, files)
    return folder, whole, files


def test_a_saved_predictor_knows_its_lineages(kept):
    folder, whole, files = kept
    model = asked(folder / "models")
    learned = whole.labels.rows["graph_id"].to_list()
    family = whole.tables.frame["family"].to_list()
    members = [graph for graph in learned if family[graph] == LINEAGES[0]]
    left_out = model.networks.errors.left_out
    assert left_out.weight.sum() == pytest.approx(3, rel=1e-6)
    value = dict(whole.tables.targets.select("graph_id", "value").iter_rows())
    said = pl.read_parquet(files[0])["prediction"].to_numpy()
    off = sorted(abs(np.log(value[graph] / said[graph])) for graph in members)
    np.testing.assert_allclose(np.sort(left_out.error[: len(members)]), off, rtol=1e-5)
    assert set(model.about["lineages"]) == set(LINEAGES)
    assert "of lineages left out" in saved.entries(folder / "models")[0][0].line
    answer = model.predict(networks(1)[0][1])
    assert answer.expected.median_error_percent < answer.expected.error_90_percent
    assert answer.high_ms / answer.low_ms == pytest.approx(
        np.exp(2 * model.networks.errors.half_widths(answer.distance, 0.9))
    )


def test_what_checks_a_lineage_is_of_the_others(kept, monkeypatch):
    _, whole, files = kept
    seen = []
    monkeypatch.setattr(lineages, "checked", lambda left_out: seen.extend(left_out) or {})
    saving.networks_of(whole, files)
    family = whole.tables.frame["family"].to_list()
    held_out = [family[graph] for graph in whole.labels.test.tolist()]
    for one in seen:
        assert len(one.networks.true) == family.count(one.lineage)
        assert (~one.learnable).sum() == held_out.count(one.lineage) > 0
        assert len(one.held_out.true) == len(held_out) - held_out.count(one.lineage)


def test_a_network_further_off_is_expected_to_be_off_by_more_and_has_no_narrower_interval(kept):
    model = asked(kept[0] / "models")
    content = networks(N)[4][1]
    answers = [model.predict(content, batch_size=size) for size in (1, 8, 64)]
    widths = [round(answer.high_ms / answer.low_ms, 9) for answer in answers]
    assert [answer.distance for answer in answers] == sorted(answer.distance for answer in answers)
    errors = [answer.expected.error_90_percent for answer in answers]
    assert widths == sorted(widths) and errors == sorted(errors) and errors[0] < errors[-1]


@pytest.mark.parametrize(
    "changes", [{"predictor": "gbdt"}, {"device": "moon"}, {"budget": "n60"}, {"budget": "without-moonnet"}]
)
def test_a_file_of_another_cell_is_one_line(kept, tmp_path, changes):
    _, whole, (file, *_) = kept
    path = tmp_path / "other.parquet"
    io.write_parquet(path, io.read_parquet(file), {**io.read_meta(file), **changes})
    with pytest.raises(BenchError, match=r"other\.parquet: not of flops on synthetic-device with a lineage left out"):
        saving.networks_of(whole, [path])


def test_a_lineage_whose_fit_failed_is_passed_over(kept, tmp_path):
    _, whole, (file, *others) = kept
    path = tmp_path / "failed.parquet"
    io.write_parquet(path, io.read_parquet(file).head(0), {**io.read_meta(file), "status": "timeout"})
    known, about = saving.networks_of(whole, [path, *others])
    assert known.errors.left_out.weight.sum() == pytest.approx(2) and set(about["lineages"]) == set(LINEAGES[1:])
