"""One backbone for all devices and a linear head each; a new device's head is solved in closed form from few labels.

The plain form of multi-device training (NNLP, Liu et al., ICPP 2022: a shared graph network with a head per platform),
with NN-Former (Xu et al., CVPR 2025) as the backbone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, to_device
from predictors import nn_former
from predictors.base import BasePredictor, require_finite
from predictors.kit.cells import require_cells
from predictors.kit.devices import above_zero, column_scale, device_table, ridge
from predictors.kit.features import op_counts
from predictors.kit.nn_former_cells import NNFormer
from predictors.kit.stand_in import with_stand_in
from predictors.kit.train_loop import inputs_at, train


class Backbone(nn.Module):
    """Operation counts (b, V) and NN-Former's inputs -> (b, devices): a table of costs plus what the wiring adds.

    ``known`` (b, devices), 0/1, blanks the devices on which a graph has no label.
    """

    def __init__(self, n_ops: int, n_devices: int, c: nn_former.Predictor.Config, table: bool) -> None:
        super().__init__()
        self.table = nn.Linear(n_ops, n_devices) if table else None
        self.wiring = NNFormer(n_ops, c)
        self.wiring.head = nn.Linear(self.wiring.head.in_features, n_devices)
        nn.init.zeros_(self.wiring.head.weight)
        if table:
            self.table.requires_grad_(False)

    def forward(self, counts: Tensor, known: Tensor, *inputs: Tensor) -> Tensor:
        y = self.wiring(*inputs).view(len(counts), -1)
        if self.table is not None:
            y = y + self.table(counts)
        return y * known


class Predictor(BasePredictor):
    """Heads of the source devices are trained together with the backbone; the new device is a ridge regression on
    the source devices' predictions and, with less weight, on operation counts.

    Latency is close to a sum over operations, so each source head starts from a least-squares table of costs, which
    stays as it is, and NN-Former learns the rest. Labels are standardised per device without a logarithm, for the
    same reason. With one device alone, its own head predicts. Preset ``plain``: neither the table nor the counts.
    """

    transfers: ClassVar[bool] = True
    zero_shot: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config(nn_former.Predictor.Config):
        """``table``: start from a table of costs. ``counts``: weight of the counts in the new device's regression."""

        counts: float = 0.3
        layers: int = 2
        dim: int = 32
        dropout: float = 0.0
        soft: bool = True
        soft_start: float = 0.0
        tokens: bool = False
        loss: str = "mse"
        cost_loss: str = "mse"
        steps: int = 300
        cost_steps: int = 300
        lr: float = 1e-3

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "plain": {"table": False, "counts": 0.0, "steps": 600, "cost_steps": 600},
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in (self.config.loss, self.config.cost_loss):
            if name not in ("mse", "l1"):
                raise BenchError(f"shared_backbone: loss {name!r} must be mse or l1; mend the config")
        self.former = nn_former.Predictor(
            {k: getattr(self.config, k) for k in nn_former.Predictor.Config.__dataclass_fields__}, self.task
        )

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        c = self.config
        require_cells(train_graphs)
        torch.manual_seed(self.seed)
        train_graphs, y = with_stand_in(train_graphs, y)
        table = device_table(train_graphs, y)
        alone = len(table.devices) == 1
        labels = table.labels if alone else table.labels[:, :-1]
        mean, scale = column_scale(labels)
        z, known = (labels - mean) / scale, ~labels.isnan()
        counts = op_counts(table.graphs)
        self.notes |= {"vocab": list(train_graphs.vocab), "sources": labels.shape[1]}
        self.module = self._module()
        if c.table:
            fits = [ridge(counts[known[:, j]], z[known[:, j], j]) for j in range(labels.shape[1])]
            self.module.table.weight.copy_(torch.stack([weight for weight, _ in fits]))
            self.module.table.bias.copy_(torch.stack([shift for _, shift in fits]))
        inputs = self._inputs(table.graphs, known)
        recipe = replace(c, loss=c.cost_loss, steps=c.cost_steps) if self.task == "cost" else c
        target = z.nan_to_num().float().to(self.torch_device)
        self.module = train(self.module, partial(inputs_at, inputs), target, recipe, self.seed)
        if alone:
            head = {"weight": scale, "shift": mean, "counts": torch.zeros(counts.shape[1], dtype=torch.float64)}
        else:
            head = self._new_head(table.labels[:, -1], self._outputs(table.graphs), counts)
        head["floor"] = y[train_graphs.platform == len(train_graphs.platforms) - 1].min().reshape(1) / 2
        self.tensors = {f"head.{k}": v.double() for k, v in head.items()}
        self.tensors |= {f"module.{k}": v for k, v in self.module.state_dict().items()}

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        part, head = graphs[first], self.tensors
        y = self._outputs(part) @ head["head.weight"] + op_counts(part) @ head["head.counts"] + head["head.shift"]
        y = above_zero(y, float(head["head.floor"])) if self.task == "cost" else y
        return require_finite(y, "a prediction")[inverse]

    def restored(self) -> None:
        self.module = self._module()
        self.module.load_state_dict({k[7:]: v for k, v in self.tensors.items() if k.startswith("module.")})
        self.module.eval()

    def _module(self) -> Backbone:
        c = self.config
        module = Backbone(len(self.notes["vocab"]), self.notes["sources"], self.former.config, c.table)
        return module.to(self.torch_device)

    def _new_head(self, y: Tensor, outputs: Tensor, counts: Tensor) -> dict[str, Tensor]:
        """Ridge regression of the known ``y`` (n,) on the sources' outputs (n, S) and operation counts (n, V).

        Both groups of inputs are standardised over all graphs at hand and divided by the root of their number, so
        that the outputs have a prior variance of one in all, and the counts that of their weight, squared.
        """
        labelled = ~y.isnan()
        groups = []
        for x, size in ((outputs, 1.0), (counts, self.config.counts)):
            deviation = x.std(0, correction=0)
            deviation[deviation < 1e-9] = float("inf")
            groups.append(size / (deviation * x.shape[1] ** 0.5))
        factor = torch.cat(groups)
        weight, shift = ridge(torch.cat([outputs, counts], 1)[labelled] * factor, y[labelled])
        weight = weight * factor
        n = outputs.shape[1]
        return {"weight": weight[:n], "counts": weight[n:], "shift": shift.reshape(1)}

    def _inputs(self, graphs: Graphs, known: Tensor) -> tuple[Tensor, ...]:
        dense = to_device(graphs.dense(), self.torch_device)
        first = op_counts(graphs).float().to(self.torch_device), known.float().to(self.torch_device)
        return *first, *self.former.encode(dense)

    @torch.inference_mode()
    def _outputs(self, graphs: Graphs, size: int = 512) -> Tensor:
        """Standardised predictions for the source devices, (n, S) float64."""
        known = torch.ones(len(graphs), self.notes["sources"])
        inputs = self._inputs(graphs, known)
        parts = [self.module(*(t[i : i + size] for t in inputs)) for i in range(0, len(graphs), size)]
        return torch.cat(parts).cpu().double()
