"""Latency of ONNX files, from saved predictors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.predict import saved
from pipeline.predict.model import LEVEL, NEAREST, PREDICTOR, load
from pipeline.predict.prediction import Prediction

HERE = Path("results/models")  # of the project in whose folder this runs


def models_folder(models: Path | str | None = None) -> Path:
    """Where saved predictors are: `models`, else results/models here, else those that came with the package."""
    if models is not None:
        return Path(models)
    return HERE if HERE.is_dir() else saved.MODELS


def predict(
    model: Path | str | bytes,
    device: str | None = None,
    predictor: str = PREDICTOR,
    dataset: str | None = None,
    models: Path | str | None = None,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    level: float = LEVEL,
    nearest: int = NEAREST,
) -> Prediction:
    """How long the ONNX file (or bytes) `model` takes on a device, with an interval that holds it at `level`.

    `device` and `dataset` may be left out where one saved predictor fits; `batch_size` and `dims` are sizes that the
    file leaves open. Raises BenchError: no good file, no such saved predictor. For many files, load once:
    ``pipeline.predict.model.load``.
    """
    return load(device, predictor, dataset, models_folder(models)).predict(model, batch_size, dims, level, nearest)


def list_models(models: Path | str | None = None) -> list[dict[str, object]]:
    """Saved predictors, one a row: predictor, device, data set, labels, error on held-out networks in percent."""
    entries, _ = saved.entries(models_folder(models))
    keys = ("predictor", "device", "dataset", "dataset_version", "target", "n_train", "status")
    return [{**{key: e.about[key] for key in keys}, **e.about.get("calibration", {})} for e in entries]
