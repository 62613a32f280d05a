"""One cell of a grid: a predictor, what it is trained on, a seed. A grid makes it, `pipeline.train` runs it."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipeline.config.budget import Budget, Sources
from pipeline.core.errors import BenchError
from pipeline.core.names import LABEL, predictor_of
from pipeline.core.targets import is_cost


@dataclass(frozen=True)
class CellSpec:
    """One trained predictor. `overrides` is JSON with sorted keys, over the predictor's defaults.

    `budget` says what it is trained on and what is held out; `sources` are the other devices it knows, or None. The
    `protocol` says how its predictions are scored and decides nothing of its training.
    """

    dataset: str
    target: str
    device: str
    label: str
    budget: Budget
    seed: int
    overrides: str = "{}"
    sources: Sources | None = None
    protocol: str = "direct"

    def __post_init__(self) -> None:
        if not LABEL.fullmatch(self.label):
            raise BenchError(f"label {self.label!r} is not <predictor> or <predictor>-<variant>")
        if self.budget.sources != (self.sources.hash if self.sources else ""):
            raise BenchError(f"budget {self.budget} is not of the sources given; make it with Budget.with_sources")

    @classmethod
    def from_values(
        cls,
        dataset: str,
        target: str,
        label: str,
        budget: str | int,
        seed: int = 0,
        device: str = "any",
        overrides: dict[str, Any] | None = None,
        sources: Sources | None = None,
        protocol: str = "direct",
    ) -> CellSpec:
        """A cell from plain values; an integer `budget` is a number of labels. Raises BenchError: no such budget."""
        word = f"n{budget}" if isinstance(budget, int) else budget
        parsed = Budget.parse(word).with_sources(sources)
        text = json.dumps(overrides or {}, sort_keys=True)
        return cls(dataset, target, device, label, parsed, seed, text, sources, protocol)

    @property
    def predictor(self) -> str:
        """Module name in predictors/."""
        return predictor_of(self.label)

    @property
    def task(self) -> str:
        """What a predictor is told of its target: ``cost`` or ``accuracy``."""
        return "cost" if is_cost(self.target) else "accuracy"

    @property
    def settings(self) -> dict[str, Any]:
        """The overrides as a dict."""
        return json.loads(self.overrides)

    @property
    def random_seed(self) -> int:
        """Seed of what is random in a fit: initial weights, order of batches, dropout, bagging.

        Each label has a stream of its own: of variants that share one, one is compared with itself. The split
        goes by `seed` alone, so comparisons are paired by it. Below 2^30, for members of an ensemble count on from it.
        """
        digest = hashlib.blake2b(f"{self.label} {self.seed}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") >> 2

    @property
    def variant(self) -> str:
        """Folder of the predictor: its label, and a hash of the overrides where there are any."""
        if self.overrides == "{}":
            return self.label
        return f"{self.label}-{hashlib.blake2b(self.overrides.encode(), digest_size=4).hexdigest()}"

    @property
    def key(self) -> tuple[str, str, str, str, str, str, int]:
        """Data set, protocol, target, device, label, budget and seed: what names a cell on the boards of one grid."""
        return self.dataset, self.protocol, self.target, self.device, self.label, str(self.budget), self.seed

    @property
    def id(self) -> str:
        """Path of the cell below a folder of predictions, models or logs; the protocol is not part of it."""
        return f"{self.dataset}/{self.target}/{self.device}/{self.variant}/{self.budget}/{self.seed}"

    @property
    def path(self) -> str:
        """Predictions file, relative to the project's root."""
        return f"results/predictions/{self.id}.parquet"

    @property
    def arguments(self) -> list[str]:
        """The command line that `from_arguments` reads; what is as usual is left out."""
        words = [self.dataset, self.target, self.label, str(self.budget), "--seed", str(self.seed)]
        words += ["--device", self.device] if self.device != "any" else []
        words += ["--overrides", self.overrides] if self.overrides != "{}" else []
        return words + (["--sources", self.sources.dump()] if self.sources else [])

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Let `parser` take a cell."""
        parser.add_argument("dataset", help="name in config/datasets.yaml")
        parser.add_argument("target", help="label to learn, such as test_acc")
        parser.add_argument("label", help="<predictor> or <predictor>-<variant>")
        parser.add_argument("budget", help="0.005, n900, all, stage or without-FAMILY: see docs/protocols.md")
        parser.add_argument("--seed", type=int, default=0, help="default: 0")
        parser.add_argument(
            "--device", default="any", help="device whose cost is predicted (default: any, for accuracies)"
        )
        parser.add_argument("--overrides", default="{}", help="settings as JSON; the label brings none")
        parser.add_argument("--sources", default="{}", help="other devices that are known, as JSON")

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> CellSpec:
        """The cell of a command line. Raises BenchError when a word can't be read."""
        try:
            overrides, sources = json.loads(args.overrides), Sources.parse(args.sources)
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(f"--overrides or --sources: not such JSON: {error}; mend it") from error
        values = (args.dataset, args.target, args.label, args.budget, args.seed, args.device)
        return cls.from_values(*values, overrides=overrides, sources=sources)
