"""NN-Former on a new device: one NN-Former for all others (Xu et al., CVPR 2025, arXiv 2507.00880), then `device_gp`.

As in multi-device training (NNLP, Liu et al., ICPP 2022), the backbone is shared and each device has a head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, to_device
from predictors import device_gp, nn_former
from predictors.kit.devices import Table
from predictors.kit.train_loop import inputs_at, train
from predictors.shared_backbone import Backbone


class Predictor(device_gp.Predictor):
    """NN-Former learns what ridge regressions leave of the source devices' labels. What both together say of the
    sources is what the new device is a weighed sum of, as in `device_gp`, whose other parts are the same.

    Departures from the paper, which has no transfer between devices: a head a device, and biases in the place of hard
    masks, as in `shared_backbone`. With one device alone no source is learned, and `device_gp` remains.
    """

    @dataclass(frozen=True)
    class Config(nn_former.Predictor.Config):
        """``samples`` and ``tails`` are those of `device_gp`."""

        samples: int = 512
        tails: float = 3.0
        layers: int = 2
        dim: int = 32
        dropout: float = 0.0
        soft: bool = True
        soft_start: float = 0.0
        tokens: bool = False
        loss: str = "mse"
        cost_loss: str = "mse"
        steps: int = 100
        cost_steps: int = 100
        lr: float = 2e-3

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in (self.config.loss, self.config.cost_loss):
            if name not in ("mse", "l1"):
                raise BenchError(f"nn_former_gp: loss {name!r} must be mse or l1; mend the config")
        self.former = nn_former.Predictor(
            {k: getattr(self.config, k) for k in nn_former.Predictor.Config.__dataclass_fields__}, self.task
        )

    def fit_rest(self, table: Table, residual: Tensor) -> None:
        c = self.config
        torch.manual_seed(self.seed)
        known = ~residual.isnan()
        self.notes["unit"] = float(residual[known].std(correction=0).clamp(min=1e-9))
        self.module = self._module()
        recipe = replace(c, loss=c.cost_loss, steps=c.cost_steps) if self.task == "cost" else c
        target = (residual.nan_to_num() / self.notes["unit"]).float().to(self.torch_device)
        batch = partial(inputs_at, self._inputs(table.graphs, known))
        self.module = train(self.module, batch, target, recipe, self.seed)
        self.module.eval()
        self.tensors |= {f"module.{k}": v for k, v in self.module.state_dict().items()}

    @torch.inference_mode()
    def rest(self, graphs: Graphs, size: int = 512) -> Tensor:
        inputs = self._inputs(graphs, torch.ones(len(graphs), self.notes["sources"]))
        parts = [self.module(*(t[i : i + size] for t in inputs)) for i in range(0, len(graphs), size)]
        return self.notes["unit"] * torch.cat(parts).cpu().double()

    def restored(self) -> None:
        if self.notes["sources"]:
            self.module = self._module()
            self.module.load_state_dict({k[7:]: v for k, v in self.tensors.items() if k.startswith("module.")})
            self.module.eval()

    def _module(self) -> Backbone:
        module = Backbone(len(self.notes["vocab"]), self.notes["sources"], self.former.config, table=False)
        return module.to(self.torch_device)

    def _inputs(self, graphs: Graphs, known: Tensor) -> tuple[Tensor, ...]:
        dense = to_device(graphs.dense(), self.torch_device)
        known = known.float().to(self.torch_device)
        return known, known, *self.former.encode(dense)  # no table reads the first
