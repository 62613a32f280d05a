"""NN-Former Bench from Python: data sets, predictors as scikit-learn estimators, latency of ONNX files, scores.

In: names and files. Out: polars frames, estimators, predictions, scores. May import core, config, fetch, split, onnx,
measure, predictors, score, convert, report, predict and plan.

What is listed in `__all__` is imported when it is first asked for: ``import nnfb`` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnfb.arrays import GraphArray as GraphArray
    from nnfb.data import Dataset as Dataset
    from nnfb.data import cache_folder as cache_folder
    from nnfb.data import list_datasets as list_datasets
    from nnfb.data import load_dataset as load_dataset
    from nnfb.errors import BenchError as BenchError
    from nnfb.estimator import GraphRegressor as GraphRegressor
    from nnfb.latency import list_models as list_models
    from nnfb.latency import predict as predict
    from nnfb.latency import predict_chips as predict_chips
    from nnfb.listing import list_predictors as list_predictors
    from nnfb.predictor import BasePredictor as BasePredictor
    from nnfb.predictor import Diverged as Diverged
    from nnfb.predictor import Graphs as Graphs
    from nnfb.predictor import Unsupported as Unsupported
    from nnfb.scoring import score as score
    from pipeline.predict.prediction import Prediction as Prediction

__version__ = "0.2.0"
_WHERE = {
    "arrays": ("GraphArray",),
    "data": ("Dataset", "cache_folder", "list_datasets", "load_dataset"),
    "errors": ("BenchError",),
    "estimator": ("GraphRegressor",),
    "latency": ("Prediction", "list_models", "predict", "predict_chips"),
    "listing": ("list_predictors",),
    "predictor": ("BasePredictor", "Diverged", "Graphs", "Unsupported"),
    "scoring": ("score",),
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names}
__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> object:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
