"""The contract every predictor keeps, on cells and on ONNX graphs of very different sizes, with made-up labels."""

from __future__ import annotations

import importlib
import re

import pytest
import torch

from pipeline.core.errors import BenchError
from pipeline.core.names import known_predictors
from pipeline.train.cell import available_inputs
from predictors import base
from tests.helpers.trained import CASES, TASKS, fitted, new, space, takes

SOURCE = r"\((?:[^()]+, )?[A-Z][\w-]+ \d{4}(?: workshop)?(?:, arXiv \d{4}\.\d{5})?\)"
# Accuracies of networks are left out: after three steps of learning an order all scores lie so close together that the
# curve that brings them to the labels' units is steep, and makes much of a float's last digits.
COMPANY = [(name, label, task) for name, label in CASES for task in TASKS if (name, task) != ("networks", "accuracy")]

every_case = pytest.mark.parametrize(("name", "label"), CASES, ids=["-".join(case) for case in CASES])
every_label = pytest.mark.parametrize("label", known_predictors())


@every_case
@pytest.mark.parametrize("task", TASKS)
def test_predicts_one_finite_number_a_graph(name, label, task):
    at = fitted(name, label, task)
    assert at.prediction.shape == (len(space(name).graphs),)
    assert at.prediction.isfinite().all()
    assert at.predictor.n_params >= 1
    if task == "cost":
        assert (at.prediction > 0).all()


@every_case
def test_same_seed_same_predictions(name, label):
    predictor = new(name, label, "accuracy")
    predictor.fit(*space(name).examples("accuracy"))
    assert torch.equal(predictor.predict(space(name).graphs), fitted(name, label, "accuracy").prediction)


@every_case
@pytest.mark.parametrize("task", TASKS)
def test_predicting_again_gives_the_same(name, label, task):
    at = fitted(name, label, task)
    assert torch.equal(at.predictor.predict(space(name).graphs), at.prediction)


@pytest.mark.parametrize(("name", "label", "task"), COMPANY, ids=["-".join(case) for case in COMPANY])
def test_order_company_and_padding_do_not_matter(name, label, task):
    """A graph's prediction is the same in any order, alone, and beside graphs ten times its size."""
    at, graphs = fitted(name, label, task), space(name).graphs
    order = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(1))
    small = graphs.n_nodes <= space(name).small
    assert 1 < small.sum() < len(graphs)
    for part in (order, small, slice(1)):
        torch.testing.assert_close(at.predictor.predict(graphs[part]), at.prediction[part], rtol=1e-4, atol=1e-6)


@every_case
@pytest.mark.parametrize("task", TASKS)
def test_saved_and_loaded_it_predicts_the_same(name, label, task, tmp_path):
    at = fitted(name, label, task)
    at.predictor.save(tmp_path / "model")
    assert {f.name for f in (tmp_path / "model").iterdir()} == {"model.safetensors", "model.json"}
    again = type(at.predictor).load(tmp_path / "model")
    prediction = again.predict(space(name).graphs)
    torch.testing.assert_close(prediction, at.prediction, rtol=1e-6, atol=0)  # memory may lie differently
    assert again.n_params == at.predictor.n_params


@every_case
@pytest.mark.parametrize("task", TASKS)
def test_fit_leaves_its_inputs_alone(name, label, task):
    assert fitted(name, label, task).changed == []


@every_case
def test_two_training_graphs_are_enough(name, label):
    predictor = new(name, label, "accuracy", steps=2, pretrain_steps=2)
    predictor.fit(*space(name).examples("accuracy", end=2))
    assert predictor.predict(space(name).graphs).isfinite().all()


@pytest.mark.parametrize("label", [label for label in known_predictors() if takes(label) == ["cells"]])
def test_networks_are_refused_not_guessed_by_predictors_of_cells(label):
    with pytest.raises(base.Unsupported):
        new("networks", label, "cost").fit(*space("networks").examples("cost"))


@pytest.mark.parametrize("label", [label for label in known_predictors() if takes(label) == ["networks"]])
def test_what_cells_lack_is_named_as_a_need(label):
    assert base.load(label).needs - available_inputs(space("cells").graphs)
    assert base.load(label).needs <= available_inputs(space("networks").graphs)


@every_label
def test_a_broken_saved_predictor_is_one_clear_error(label, tmp_path):
    with pytest.raises(BenchError, match="not a saved predictor"):
        base.load(label).load(tmp_path)


@every_label
def test_unknown_settings_are_refused(label):
    with pytest.raises(BenchError, match="no setting 'no_such_setting'"):
        base.load(label)({"no_such_setting": 1})
    with pytest.raises(BenchError, match="no preset 'no_such_preset'"):
        base.load(label)({"preset": "no_such_preset"})


@every_label
def test_every_preset_is_valid_and_hashes_apart(label):
    kind = base.load(label)
    configs = [kind.resolve({})] + [kind.resolve({"preset": preset}) for preset in kind.presets]
    assert len({base.config_hash(c) for c in configs}) == len(configs)


@every_label
def test_the_docstring_cites_its_source(label):
    """Authors, venue and year, and an arXiv number where there is one; or its first sentence calls it a baseline."""
    module = importlib.import_module(f"predictors.{label}")
    first = module.__doc__.partition("\n\n")[0]
    assert re.search(SOURCE, module.__doc__) or re.search(r"\bbaseline\b", first), first
    assert module.Predictor.__doc__ != base.BasePredictor.__doc__
