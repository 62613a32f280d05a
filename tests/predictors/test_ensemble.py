"""Ensembles over seeds: the mean of their members, saved and loaded, and refused where the size makes no sense."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch

from pipeline.core.errors import BenchError
from predictors import base
from predictors.kit.ensemble import STRIDE, Ensemble, make
from tests.helpers.cell_graphs import synthetic_labels
from tests.helpers.trained import short, space

NAMES = ["gbdt", "graf", "nn_former", "ctnas", "shared_backbone", "op_counts"]
GRAPHS = space("cells").graphs
TRAIN = GRAPHS[:40]


@functools.cache
def fitted(name: str, task: str = "accuracy") -> base.BasePredictor:
    """An ensemble of three from seed 3 on. Read only."""
    ensemble = make(f"{name}-ensemble", {**short(name), "ensemble": 3}, task, 3)
    ensemble.fit(TRAIN, synthetic_labels(TRAIN, task))
    return ensemble


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["accuracy", "cost"])
def test_it_answers_with_the_mean_of_predictors_that_differ_in_their_seed(name, task):
    prediction = fitted(name, task).predict(GRAPHS)
    alone = []
    for seed in (3, 3 + STRIDE, 3 + 2 * STRIDE):
        predictor = make(name, short(name), task, seed)
        predictor.fit(TRAIN, synthetic_labels(TRAIN, task))
        alone.append(predictor.predict(GRAPHS).double())
    a, b, c = alone
    expected = (a * b * c) ** (1 / 3) if task == "cost" else (a + b + c) / 3
    torch.testing.assert_close(prediction, expected, rtol=1e-6, atol=1e-9)
    if name != "op_counts":
        assert not torch.equal(a, b) and not torch.equal(b, c)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_predicts_the_same(name, tmp_path):
    ensemble = fitted(name, "cost")
    ensemble.save(tmp_path / "model")
    files = {f.relative_to(tmp_path / "model").as_posix() for f in (tmp_path / "model").rglob("*") if f.is_file()}
    parts = {f"{i}/model.{end}" for i in range(3) for end in ("safetensors", "json")}
    assert files == {"ensemble.json", *parts}
    again = Ensemble.load(tmp_path / "model")
    assert torch.equal(again.predict(GRAPHS), ensemble.predict(GRAPHS))
    assert again.n_params == ensemble.n_params == sum(m.n_params for m in ensemble.members)
    assert base.config_hash(again.config) == base.config_hash(ensemble.config)


def test_a_broken_saved_ensemble_is_one_clear_error(tmp_path):
    with pytest.raises(BenchError, match="not a saved ensemble"):
        Ensemble.load(tmp_path)
    ensemble = fitted("op_counts")
    ensemble.save(tmp_path)
    (tmp_path / "1" / "model.json").unlink()
    with pytest.raises(BenchError, match="not a saved predictor"):
        Ensemble.load(tmp_path)
    (tmp_path / "ensemble.json").write_text('{"ensemble": 3}')
    with pytest.raises(BenchError, match="not a saved ensemble"):
        Ensemble.load(tmp_path)


def test_its_settings_are_the_predictors_and_the_size():
    ensemble = make("nn_former", {"preset": "paper", "dim": 32, "ensemble": 2}, "accuracy", 0)
    config = dataclasses.asdict(ensemble.config)
    assert config.pop("ensemble") == 2
    single = base.load("nn_former").resolve({"preset": "paper", "dim": 32})
    assert config == dataclasses.asdict(single)
    assert base.config_hash(ensemble.config) != base.config_hash(single)
    assert [m.seed for m in ensemble.members] == [0, STRIDE]


def test_without_the_setting_it_is_the_predictor_itself():
    assert type(make("mean", {}, "accuracy", 0)) is base.load("mean")


def test_what_a_predictor_needs_and_can_do_its_ensemble_does_too():
    forests = make("nn_meter", {"ensemble": 2}, "cost", 0)
    assert forests.needs == base.load("nn_meter").needs and not forests.transfers
    assert make("help", {"ensemble": 2}, "cost", 0).transfers


@pytest.mark.parametrize("size", [1, 0, -2, 2.0, "5", True])
def test_sizes_that_make_no_sense_are_refused(size):
    with pytest.raises(BenchError, match="ensemble = .* must be a whole number of at least 2"):
        make("mean", {"ensemble": size}, "accuracy", 0)


def test_unknown_settings_are_refused_as_ever():
    with pytest.raises(BenchError, match="no setting 'no_such_setting'"):
        make("mean", {"ensemble": 2, "no_such_setting": 1}, "accuracy", 0)
