"""Predictors as scikit-learn estimators: its tools work on them, and the answers are those of the predictor itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted, validate_data

import nnfb
from nnfb.arrays import GraphArray
from pipeline.core.errors import BenchError
from predictors.kit.ensemble import make
from tests.helpers.cell_graphs import small_space, synthetic_labels

GRAPHS = small_space(90)
X, Y = GraphArray(GRAPHS), synthetic_labels(GRAPHS, "accuracy").numpy()


class FromTable(nnfb.GraphRegressor):
    """The estimator behind a table of numbers whose rows stand for graphs: what scikit-learn's checks need."""

    def fit(self, X, y):
        X, y = validate_data(self, X, y, y_numeric=True)
        return super().fit(self._graphs(X), y)

    def predict(self, X):
        check_is_fitted(self)
        return super().predict(self._graphs(validate_data(self, X, reset=False)))

    def _graphs(self, table):
        return X[np.floor(np.abs(table).sum(1) * 7).astype(int) % len(X)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.regressor_tags.poor_score = True  # rows have nothing to do with their graphs
        return tags


@pytest.mark.filterwarnings("ignore")
def test_it_passes_every_check_of_scikit_learn():
    results = estimator_checks.check_estimator(FromTable("op_counts"), on_fail=None)
    assert len(results) > 40
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] not in ("passed", "skipped")}
    assert failed == {}
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {
        "check_array_api_input", "check_regressor_data_not_an_array",
    }  # fmt: skip


@pytest.mark.parametrize("predictor", ["graf", "op_counts", "gp"])
def test_it_answers_as_the_predictor_does(predictor):
    estimator = nnfb.GraphRegressor(predictor, seed=3).fit(X[:60], Y[:60])
    same = make(predictor, {}, "accuracy", 3)
    same.fit(GRAPHS[:60], torch.tensor(Y[:60]))
    assert estimator.predict(X).tolist() == same.predict(GRAPHS).double().tolist()
    assert estimator.n_params_ == same.n_params


def test_cross_validation_fits_what_it_is_given():
    scores = cross_val_score(nnfb.GraphRegressor("graf"), X, Y, cv=3)
    assert len(scores) == 3 and np.mean(scores) > 0.5
    mean = cross_val_score(nnfb.GraphRegressor("mean"), X, Y, cv=3)
    assert max(mean) <= 0 < min(scores)


def test_a_grid_search_tells_settings_and_predictors_apart():
    search = GridSearchCV(nnfb.GraphRegressor("op_counts"), {"settings__ridge": [1e-3, 1e6]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"settings__ridge": 1e-3}
    assert search.best_estimator_.settings == {"ridge": 1e-3}
    search = GridSearchCV(nnfb.GraphRegressor(), {"predictor": ["mean", "op_counts"]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"predictor": "op_counts"}


def test_a_clone_has_the_settings_and_not_what_was_learned():
    estimator = nnfb.GraphRegressor("op_counts", settings={"ridge": 0.5}).fit(X, Y)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params() and copy.get_params()["settings__ridge"] == 0.5
    with pytest.raises(NotFittedError):
        copy.predict(X)
    copy.set_params(settings__ridge=2.0)
    assert estimator.settings == {"ridge": 0.5} and copy.settings == {"ridge": 2.0}
    given = {"ridge": 0.5}
    assert nnfb.GraphRegressor("op_counts", settings=given).set_params(settings__ridge=2.0).settings == {"ridge": 2.0}
    assert given == {"ridge": 0.5}


def test_what_was_learned_survives_pickling():
    estimator = nnfb.GraphRegressor("graf").fit(X, Y)
    assert pickle.loads(pickle.dumps(estimator)).predict(X).tolist() == estimator.predict(X).tolist()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"predictor": "nope"}, BenchError, "no predictor 'nope'"),
        ({"settings": {"nope": 1}}, BenchError, "no setting 'nope'"),
        ({"task": "nope"}, ValueError, "task is 'nope'"),
    ],
)
def test_a_mistake_is_said_at_fit(change, error, said):
    with pytest.raises(error, match=said):
        nnfb.GraphRegressor("op_counts").set_params(**change).fit(X, Y)


def test_wrong_data_are_refused():
    estimator = nnfb.GraphRegressor("op_counts")
    with pytest.raises(TypeError, match="not graphs"):
        estimator.fit(np.zeros((90, 3)), Y)
    with pytest.raises(ValueError, match="90 graphs and y 89"):
        estimator.fit(X, Y[:89])
    with pytest.raises(ValueError, match="1 sample"):
        nnfb.GraphRegressor("graf").fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(X, np.full(90, np.nan))
    with pytest.raises(ValueError, match="Invalid parameter 'nope'"):
        estimator.set_params(nope=1)


def test_scores_are_those_of_the_boards():
    assert nnfb.score([1, 2, 3], [1, 3, 2])["kendall_tau"] == pytest.approx(1 / 3)
    cost = nnfb.score([10.0, 20.0], [11.0, 20.0], target="latency_ms")
    assert cost["mape"] == pytest.approx(5) and cost["acc10"] == 100
