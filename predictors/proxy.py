"""A baseline: one zero-cost proxy as it is (Abdelfattah et al., ICLR 2021, arXiv 2101.08134). Labels teach nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from predictors.base import BasePredictor


class Predictor(BasePredictor):
    """Ranks networks by the proxy that ``which`` names; a label needs ``proxies: true``."""

    needs = frozenset({"proxies"})
    takes_proxies: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config:
        """``which``: a column of the table of proxies (`pipeline.proxies.measures`)."""

        which: str = "naswot"

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if self.config.which not in train.proxy_names:
            raise BenchError(f"proxy: no proxy {self.config.which!r}; known: {', '.join(train.proxy_names)}")

    def predict(self, graphs: Graphs) -> Tensor:
        return graphs.proxies[:, graphs.proxy_names.index(self.config.which)].double()

    @property
    def n_params(self) -> int:
        """Nothing is learned."""
        return 0
