"""Predictors as scikit-learn estimators: they take graphs where others take rows of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, column_or_1d

from nnfb.arrays import as_graphs
from pipeline.core.errors import BenchError
from predictors import base
from predictors.kit.ensemble import make

PREFIX = "settings__"


class GraphRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A predictor of this benchmark, or of an installed package, by its name.

    `predictor`: a name of `nnfb.list_predictors`; `task`: "accuracy" (the order counts) or "cost" (latency, energy: the
    relative error counts); `seed` of what is random in a fit; `torch_device`: "cpu" or "cuda"; `settings`: over the
    predictor's defaults, each also a parameter of its own called ``settings__<name>``, for grid searches.

    ``fit`` takes a `GraphArray` (`Dataset.labelled` gives one) and labels in their own unit; ``score`` is R^2, as of
    every regressor of scikit-learn: rank correlations come from ``scoring=`` or from `nnfb.score`.
    """

    def __init__(
        self,
        predictor: str = "graf",
        task: str = "accuracy",
        seed: int = 0,
        torch_device: str = "cpu",
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.predictor = predictor
        self.task = task
        self.seed = seed
        self.torch_device = torch_device
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with `deep` every setting of the predictor too, where there is such a predictor."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            try:
                config = base.load(self.predictor).resolve(dict(self.settings or {}))
            except (BenchError, TypeError, AttributeError):
                return params
            params |= {f"{PREFIX}{name}": value for name, value in vars(config).items()}
        return params

    def set_params(self, **params: Any) -> GraphRegressor:
        """Change parameters; ``settings__<name>`` changes one setting. Raises ValueError with unknown names."""
        own = {name: value for name, value in params.items() if not name.startswith(PREFIX)}
        super().set_params(**own)
        changed = {name.removeprefix(PREFIX): value for name, value in params.items() if name not in own}
        if changed:
            self.settings = {**(self.settings or {}), **changed}
        return self

    def fit(self, X: object, y: ArrayLike) -> GraphRegressor:  # noqa: N803 (scikit-learn's name)
        """Learn labels `y` (n,) of the graphs `X` (n). Raises BenchError: no such predictor or setting; ValueError."""
        graphs, labels = as_graphs(X), column_or_1d(np.asarray(y, dtype=np.float64))
        if len(graphs) != len(labels):
            raise ValueError(f"X has {len(graphs)} graphs and y {len(labels)} labels")
        if len(graphs) < 2:
            raise ValueError(f"{len(graphs)} sample(s): two graphs are the least to learn from")
        if not np.isfinite(labels).all():
            raise ValueError("y holds NaN or an infinite number")
        if self.task not in ("accuracy", "cost"):
            raise ValueError(f"task is {self.task!r}, not accuracy or cost")
        model = make(self.predictor, dict(self.settings or {}), self.task, self.seed, self.torch_device)
        model.fit(graphs, torch.tensor(labels))
        self.model_ = model
        self.n_params_ = model.n_params
        return self

    def predict(self, X: object) -> NDArray[np.float64]:  # noqa: N803
        """Predictions (n,) of the graphs `X` in the labels' unit. Raises NotFittedError before `fit`."""
        check_is_fitted(self, "model_")
        return np.asarray(self.model_.predict(as_graphs(X)).detach().cpu().numpy(), dtype=np.float64)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # graphs
        tags.target_tags.required = True
        return tags
