"""Latency of networks, from saved predictors and those that came with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.core.errors import BenchError
from pipeline.predict import saved, sources
from pipeline.predict.model import LEVEL, NEAREST, PREDICTOR, Model, load
from pipeline.predict.prediction import Prediction

if TYPE_CHECKING:
    import torch

    Network: TypeAlias = Path | str | bytes | torch.nn.Module
    Inputs: TypeAlias = torch.Tensor | tuple[torch.Tensor, ...]

HERE = Path("results/models")  # of the project in whose folder this runs


def models_folder(models: Path | str | None = None) -> Path:
    """Where saved predictors are: `models`, else results/models here, else those that came with the package."""
    if models is not None:
        return Path(models)
    return HERE if HERE.is_dir() else saved.MODELS


def predict(
    model: Network,
    device: str | None = None,
    predictor: str | None = None,
    dataset: str | None = None,
    models: Path | str | None = None,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    level: float = LEVEL,
    nearest: int = NEAREST,
    example_input: Inputs | None = None,
) -> Prediction:
    """How long `model` takes on a device, with an interval that holds it at `level`.

    `model`: an ONNX file (path or bytes), a network of timm as ``timm:NAME`` or ``timm:NAME@SIZE`` (extra ``timm``), or
    a torch module with `example_input`, a tensor or a tuple of them. `device`: a chip that came with the package, or
    that of a predictor saved in `models`; it and `dataset` may be left out where one saved predictor fits. `batch_size`
    and `dims` are sizes that the file leaves open. Raises BenchError: no good network, no such saved predictor. For all
    chips at once: `predict_chips`; for many files, load once: ``pipeline.predict.model.load``.
    """
    content, name = sources.content(model, example_input)
    entries = [] if predictor or dataset or models or device is None else saved.shipped(device)
    if len(entries) > 1:
        raise BenchError(f"{device}: several platforms; give one of {', '.join(e.device for e in entries)}")
    asked = Model(entries[0]) if entries else load(device, predictor or PREDICTOR, dataset, models_folder(models))
    return asked.predict(content, batch_size, dims, level, nearest, name)


def predict_chips(
    model: Network,
    dims: Mapping[str, int] | None = None,
    level: float = LEVEL,
    nearest: int = NEAREST,
    example_input: Inputs | None = None,
) -> list[Prediction]:
    """How long an image takes `model` on every chip whose predictor came with the package; arguments as of `predict`.

    Raises BenchError: no good network, or the package came without predictors.
    """
    content, name = sources.content(model, example_input)
    asked = [Model(entry) for entry in saved.shipped()]
    if not asked:
        raise BenchError(f"{saved.SHIPPED}: no predictor came with this package; make them with: snakemake shipped")
    graph = asked[0].read(content, name, None, dims)
    return [one.predict(graph, level=level, nearest=nearest) for one in asked]


def list_models(models: Path | str | None = None) -> list[dict[str, object]]:
    """Predictors that came with the package, then those saved in `models`, one a row: predictor, device, data set,
    labels, error on held-out networks in percent."""
    entries = [*saved.shipped(), *saved.entries(models_folder(models))[0]]
    keys = ("predictor", "device", "dataset", "dataset_version", "target", "n_train", "status")
    return [{**{key: e.about[key] for key in keys}, **e.about.get("calibration", {})} for e in entries]
