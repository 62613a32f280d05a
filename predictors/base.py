"""The predictor interface: one file a predictor, class ``Predictor``; file name = config key = name on the board."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.core.checkpoint import Checkpoint
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from pipeline.core.names import known_predictors, outside_predictors, predictor_of


class Unsupported(Exception):
    """The predictor needs an input this dataset lacks; the cell gets status ``unsupported``."""


class Diverged(Exception):
    """Training or prediction left the finite numbers; the cell gets status ``diverged``."""


class BasePredictor(ABC):
    """A predictor of one number per graph.

    ``task`` is ``accuracy`` (only the order counts) or ``cost`` (latency or energy: the relative error counts).
    Subclasses hold what they learned in ``self.tensors`` (str -> Tensor) and ``self.notes`` (JSON values), so that
    `save` and `load` need no pickle.
    """

    @dataclasses.dataclass(frozen=True)
    class Config:
        """Settings; the defaults are the recommended ones."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    shared_presets: ClassVar[dict[str, dict[str, Any]]] = {}  # those of a family of predictors
    needs: frozenset[str] = frozenset()
    checkpoint: Checkpoint | None = None  # where a long fit may write how far it is
    transfers: ClassVar[bool] = False  # whether `fit` knows what to do with labels of other devices
    zero_shot: ClassVar[bool] = False  # whether labels of other devices are enough for `fit`
    takes_proxies: ClassVar[bool] = False  # whether the setting ``proxies: true`` is one of its own
    takes_tags: ClassVar[bool] = False  # and ``tags: true``
    unlabelled: Graphs | None = None  # with proxies: all networks of the data set, for what needs no label

    def __init__(
        self,
        overrides: dict[str, Any] | None = None,
        task: str = "accuracy",
        seed: int = 0,
        torch_device: str = "cpu",
    ) -> None:
        overrides = dict(overrides or {})
        asked_for = [name for name in ("proxies", "tags") if overrides.pop(name, False)]
        self.config = self.resolve(overrides)
        for name in asked_for:
            self._ask_for(name)
        self.task, self.seed, self.torch_device = task, seed, torch_device
        self.tensors: dict[str, Tensor] = {}
        self.notes: dict[str, Any] = {}

    def _ask_for(self, name: str) -> None:
        """Note that the label is to see zero-cost proxies, `Graphs.proxies`, or tags, `Graphs.tag`."""
        if not getattr(self, f"takes_{name}"):
            raise BenchError(f"{type(self).__module__.rpartition('.')[2]}: it takes no {name}; leave {name} out")
        self.config, self.needs = with_setting(self.config, name, True), self.needs | {name}

    @classmethod
    def resolve(cls, overrides: dict[str, Any]) -> Any:
        """The `Config` of ``overrides``; the key ``preset`` names one of `presets` to start from.

        Raises:
            BenchError: an unknown preset, key or type of value.
        """
        overrides = dict(overrides)
        name = cls.__module__.rpartition(".")[2]
        preset = overrides.pop("preset", None)
        presets = {**cls.shared_presets, **cls.presets}
        if preset is not None and preset not in presets:
            raise BenchError(f"{name}: no preset {preset!r}; known: {', '.join(sorted(presets)) or 'none'}")
        values = {**presets.get(preset, {}), **overrides}
        known = {f.name: f for f in dataclasses.fields(cls.Config)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise BenchError(f"{name}: no setting {unknown[0]!r}; known: {', '.join(sorted(known)) or 'none'}")
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for key, value in values.items():
            default = known[key].default
            if isinstance(default, float) and type(value) is int:
                values[key] = float(value)
            elif default is not None and type(value) is not type(default):
                raise BenchError(f"{name}: {key} = {value!r} must be of type {type(default).__name__}; mend the config")
        return cls.Config(**values)

    @abstractmethod
    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        """Learn from ``train`` (n graphs) and labels ``y`` (n,) in original units."""

    @abstractmethod
    def predict(self, graphs: Graphs) -> Tensor:
        """Predictions (n,) in original units, in the order of ``graphs``, the same at every call."""

    @property
    def n_params(self) -> int:
        """Learned numbers, as counted on the board."""
        return sum(t.numel() for t in self.tensors.values() if t.is_floating_point())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``model.json`` under ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.detach().cpu().contiguous() for k, v in self.tensors.items()}, folder / "model.safetensors")
        about = {
            "predictor": type(self).__module__.rpartition(".")[2],
            "config": dataclasses.asdict(self.config),
            "task": self.task,
            "seed": self.seed,
            "notes": self.notes,
        }
        (folder / "model.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path, torch_device: str = "cpu") -> BasePredictor:
        """The predictor that `save` wrote under ``folder``.

        Raises:
            BenchError: the files are missing, broken, or another predictor's.
        """
        try:
            about = json.loads((folder / "model.json").read_text())
            tensors = load_file(folder / "model.safetensors")
        except Exception as error:
            raise BenchError(f"{folder}: not a saved predictor ({error}); train it again") from error
        if about.get("predictor") != cls.__module__.rpartition(".")[2]:
            raise BenchError(f"{folder}: holds a {about.get('predictor')}, not a {cls.__module__.rpartition('.')[2]}")
        new = cls(about["config"], about["task"], about["seed"], torch_device)
        new.tensors, new.notes = tensors, about["notes"]
        new.restored()
        return new

    def restored(self) -> None:  # noqa: B027 (optional)
        """Hook after `load`: rebuild what is derived from ``tensors`` and ``notes``."""


def load(label: str) -> type[BasePredictor]:
    """Class of a label ``<predictor>`` or ``<predictor>-<variant>``.

    Raises:
        BenchError: no such file or entry point, or no such class behind it.
    """
    name = predictor_of(label)
    known = known_predictors()
    if name in known:
        module = importlib.import_module(f"{__package__}.{name}")
        if not hasattr(module, "Predictor"):
            raise BenchError(
                f"predictors/{name}.py: has no class Predictor; see predictors/mean.py for the shortest one"
            )
        return module.Predictor
    outside = outside_predictors()
    if name not in outside:
        known = ", ".join([*known, *outside])
        raise BenchError(f"no predictor {name!r}; known: {known}; a new one is a file predictors/{name}.py")
    kind = outside[name].load()
    if not (isinstance(kind, type) and issubclass(kind, BasePredictor) and kind.__module__.endswith(f".{name}")):
        raise BenchError(
            f"{outside[name].value}: no subclass of BasePredictor in a module called {name}; mend its package"
        )
    return kind


def config_hash(config: Any) -> str:
    """Eight hex digits that change when any setting does."""
    text = json.dumps(dataclasses.asdict(config), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def require_finite(values: Tensor, what: str) -> Tensor:
    """``values`` back, or `Diverged` when any is not finite."""
    if not torch.isfinite(values).all():
        raise Diverged(f"{what} is not finite")
    return values


def with_setting(config: Any, name: str, value: Any) -> Any:
    """``config`` and one setting more, as what wraps a predictor has it."""
    kind = dataclasses.make_dataclass("Config", [(name, type(value), value)], bases=(type(config),), frozen=True)
    return kind(**{f.name: getattr(config, f.name) for f in dataclasses.fields(config)})
