"""The contract every predictor keeps: one test over all files of predictors/."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, from_frame
from pipeline.core.names import known_predictors
from pipeline.spaces import cells
from pipeline.train.cell import available_inputs
from predictors import base

SHORT = {"epochs": 0, "steps": 12, "cost_steps": 12, "rounds": 10, "pretrain_steps": 12}
N_TRAIN = 40


def small_space(n: int, seed: int = 0) -> Graphs:
    """``n`` random NAS-Bench-201 cells, synthetic in choice only."""
    draw = torch.Generator().manual_seed(seed)
    ops = torch.randint(5, (n, 6), generator=draw).tolist()
    graphs = [cells.cell_201([cells.OPS_201[o] for o in row]) for row in ops]
    names = [str(i) for i in range(n)]
    frame = cells.graphs_frame(names, "nasbench201", graphs, cells.VOCAB_201)
    return from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})


def synthetic_labels(graphs: Graphs, task: str) -> torch.Tensor:
    """Made-up labels that follow from operation counts."""
    counts = torch.zeros(len(graphs), len(graphs.vocab), dtype=torch.float64)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), graphs.n_nodes)
    counts.index_put_((graph, graphs.op), torch.ones(len(graph), dtype=torch.float64), accumulate=True)
    cost = counts @ torch.tensor([1.0, 1.0, 0.2, 1.0, 3.0, 0.5], dtype=torch.float64)
    return cost if task == "cost" else 100 - 50 / cost


GRAPHS = small_space(90)


def untrained(name: str, task: str = "accuracy", seed: int = 0) -> base.BasePredictor:
    """A predictor with short settings, or a skip where cells lack what it needs."""
    kind = base.load(name)
    if kind.needs - available_inputs(GRAPHS):
        pytest.skip(f"{name} needs {', '.join(sorted(kind.needs))}, which cells do not have")
    keys = {f.name for f in dataclasses.fields(kind.Config)}
    return kind({k: v for k, v in SHORT.items() if k in keys}, task, seed)


def fitted(name: str, task: str, seed: int = 0) -> base.BasePredictor:
    """A predictor trained for a moment on the first cells."""
    predictor = untrained(name, task, seed)
    train = GRAPHS[:N_TRAIN]
    predictor.fit(train, synthetic_labels(train, task))
    return predictor


@pytest.fixture(params=known_predictors())
def name(request) -> str:
    return request.param


@pytest.mark.parametrize("task", ["accuracy", "cost"])
def test_predicts_one_finite_number_a_graph(name, task):
    predictor = fitted(name, task)
    prediction = predictor.predict(GRAPHS)
    assert prediction.shape == (len(GRAPHS),)
    assert prediction.isfinite().all()
    assert predictor.n_params >= 1
    if task == "cost":
        assert (prediction > 0).all()


def test_same_seed_same_predictions(name):
    first, second = (fitted(name, "accuracy", seed=3).predict(GRAPHS) for _ in range(2))
    assert torch.equal(first, second)


def test_predicting_twice_gives_the_same(name):
    predictor = fitted(name, "accuracy")
    assert torch.equal(predictor.predict(GRAPHS), predictor.predict(GRAPHS))


def test_order_and_company_do_not_matter(name):
    """Any order, any subset (so any padding) gives each graph the same prediction."""
    predictor = fitted(name, "accuracy")
    whole = predictor.predict(GRAPHS)
    order = torch.randperm(len(GRAPHS), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(predictor.predict(GRAPHS[order]), whole[order], rtol=1e-4, atol=1e-4)
    small = GRAPHS.n_nodes <= 5
    torch.testing.assert_close(predictor.predict(GRAPHS[small]), whole[small], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(predictor.predict(GRAPHS[:1]), whole[:1], rtol=1e-4, atol=1e-4)


def test_saved_and_loaded_it_predicts_the_same(name, tmp_path):
    predictor = fitted(name, "cost")
    predictor.save(tmp_path / "model")
    assert {f.name for f in (tmp_path / "model").iterdir()} == {"model.safetensors", "model.json"}
    again = type(predictor).load(tmp_path / "model")
    assert torch.equal(again.predict(GRAPHS), predictor.predict(GRAPHS))
    assert again.n_params == predictor.n_params


def test_a_broken_saved_predictor_is_one_clear_error(name, tmp_path):
    with pytest.raises(BenchError, match="not a saved predictor"):
        base.load(name).load(tmp_path)


def test_fit_leaves_its_inputs_alone(name):
    predictor = untrained(name, "cost")
    train = GRAPHS[:N_TRAIN]
    y = synthetic_labels(train, "cost")
    before = copy.deepcopy((train, y))
    predictor.fit(train, y)
    assert torch.equal(y, before[1])
    for field in dataclasses.fields(train):
        value = getattr(train, field.name)
        if isinstance(value, torch.Tensor):
            assert torch.equal(value.nan_to_num(), getattr(before[0], field.name).nan_to_num()), field.name


def test_unknown_settings_are_refused(name):
    with pytest.raises(BenchError, match="no setting 'no_such_setting'"):
        base.load(name)({"no_such_setting": 1})
    with pytest.raises(BenchError, match="no preset 'no_such_preset'"):
        base.load(name)({"preset": "no_such_preset"})


def test_every_preset_is_valid_and_hashes_apart(name):
    kind = base.load(name)
    configs = [kind.resolve({})] + [kind.resolve({"preset": preset}) for preset in kind.presets]
    assert len({base.config_hash(c) for c in configs}) == len(configs)


def test_two_training_graphs_are_enough(name):
    predictor = untrained(name)
    train = GRAPHS[:2]
    try:
        predictor.fit(train, synthetic_labels(train, "accuracy"))
        assert predictor.predict(GRAPHS).isfinite().all()
    except base.Diverged:
        pass


def test_the_docstring_cites_its_source_and_is_not_empty(name):
    module = __import__(f"predictors.{name}", fromlist=["Predictor"])
    assert len(module.__doc__) > 40
    assert module.Predictor.__doc__
