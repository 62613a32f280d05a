"""NASFLAT (Akhauri and Abdelfattah, MLSys 2024, arXiv 2403.02446): a device embedding beside every operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.cells import require_cells
from predictors.kit.devices import column_scale, device_table
from predictors.kit.layers import softmax
from predictors.kit.neural import NeuralPredictor, least_squares_line
from predictors.kit.stand_in import with_stand_in
from predictors.kit.train_loop import Recipe, train


class Layer(nn.Module):
    """Mean of a dense graph flow and a graph attention, both gated by the operation on its device (section 4.2).

    ``x``: (b, N, n_in); ``gate``: (b, N, g); ``parents`` (b, N, N): 1 where column j is a parent of row i.
    """

    def __init__(self, n_in: int, n_out: int, n_gate: int) -> None:
        super().__init__()
        self.flow, self.value = nn.Linear(n_in, n_out), nn.Linear(n_in, n_out, bias=False)
        self.flow_gate, self.value_gate = nn.Linear(n_gate, n_out), nn.Linear(n_gate, n_out)
        self.attention = nn.Parameter(torch.randn(n_out) * n_out**-0.5)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor, gate: Tensor, parents: Tensor) -> Tensor:
        flow = self.flow(x)
        flow = flow + torch.sigmoid(self.flow_gate(gate)) * (parents @ flow)
        value = self.value(x)
        score = F.leaky_relu((value * self.attention) @ value.mT * value.shape[-1] ** -0.5, 0.2)
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        score = softmax(score.masked_fill(~((parents > 0) | itself), float("-inf")))
        attended = self.norm(torch.sigmoid(self.value_gate(gate)) * (score @ value))
        return F.relu((flow + attended) / 2)


class NASFLAT(nn.Module):
    """Operations (b, N), adjacency (b, N, N), real nodes (b, N) and device ids (b,) -> (b,)."""

    def __init__(self, n_ops: int, n_devices: int, c: Predictor.Config) -> None:
        super().__init__()
        self.op, self.device = nn.Embedding(n_ops, c.op_dim), nn.Embedding(n_devices, c.device_dim)
        n_gate = c.op_dim + c.device_dim
        self.layers = nn.ModuleList(Layer(n_gate if i == 0 else c.width, c.width, n_gate) for i in range(c.layers))
        self.hidden, self.head = nn.Linear(c.width, c.head), nn.Linear(c.head, 1)

    def forward(self, op: Tensor, adj: Tensor, mask: Tensor, device: Tensor) -> Tensor:
        device = self.device(device)[:, None].expand(-1, op.shape[1], -1)
        gate = torch.cat([self.op(op), device], -1)
        x, parents = gate, adj.mT.float()
        for layer in self.layers:
            x = layer(x, gate, parents)
        x = (x * mask[..., None]).sum(1)
        return self.head(F.relu(self.hidden(x))).squeeze(-1)


class Predictor(NeuralPredictor):
    """Pre-trained on all source devices, then tuned on the new device's labels, its embedding starting from that of
    the source device whose predictions agree best with them (Spearman), as in the paper.

    Departures: no supplementary encodings (zero-cost proxies, arch2vec, CATE) and no sampler that picks the cells to
    label; one pass over the graph, without refining the operation embeddings first; the sum over nodes is read out,
    not the output node, which can't see operations off every path. The default adds the squared error to the paper's
    pairwise hinge loss, is half as wide and sees fewer, larger batches; preset ``paper`` has the paper's sizes and
    schedule. With one device alone it is an ordinary predictor; without a label of the new device the source that is
    most like the others stands in for it.
    """

    transfers: ClassVar[bool] = True
    zero_shot: ClassVar[bool] = True
    pretrains: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Config(Recipe):
        """``tune_steps``, ``tune_lr``: the second stage; each step takes up to ``batch_size`` labels."""

        op_dim: int = 40
        device_dim: int = 8
        width: int = 64
        layers: int = 3
        head: int = 128
        loss: str = "mse+hinge"
        cost_loss: str = "mse+hinge"
        steps: int = 1200
        batch_size: int = 128
        weight_decay: float = 1e-4
        tune_steps: int = 100
        tune_lr: float = 3e-4

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 128, "head": 200, "loss": "hinge", "cost_loss": "hinge", "steps": 0, "epochs": 150,
            "batch_size": 16, "lr": 1e-3, "weight_decay": 1e-5, "ema": 0.0, "tune_steps": 30,
            "tune_lr": 1e-3,
        },
    }  # fmt: skip

    def build(self, n_ops: int) -> nn.Module:
        return NASFLAT(n_ops, self.notes["devices"], self.config)

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        require_cells(train_graphs)
        torch.manual_seed(self.seed)
        train_graphs, y = with_stand_in(train_graphs, y)
        table = device_table(train_graphs, y)
        new_device = len(table.devices) - 1
        self.notes |= {"vocab": list(train_graphs.vocab), "devices": new_device + 1}
        labels = table.labels.log() if self.task == "cost" else table.labels
        mean, scale = column_scale(labels)
        z = ((labels - mean) / scale).float().to(self.torch_device)
        inputs = self._inputs(table.graphs)[:-1]
        self.module = self.build(len(train_graphs.vocab)).to(self.torch_device)
        recipe = self.recipe(len(y))
        cells, devices = (~z[:, : max(new_device, 1)].isnan()).nonzero(as_tuple=True)
        self._train(inputs, cells, devices, z, recipe)
        if new_device:
            new_rows = table.new_rows.to(self.torch_device)
            nearest = self._nearest_source([t[new_rows] for t in inputs], z[new_rows])
            with torch.no_grad():
                self.module.device.weight[new_device] = self.module.device.weight[nearest]
            tuning = replace(recipe, epochs=0, steps=self.config.tune_steps, lr=self.config.tune_lr)
            self._train(inputs, new_rows, torch.full_like(new_rows, new_device), z, tuning)
        new_inputs = self._inputs(table.graphs[table.new_rows])
        slope, shift = least_squares_line(
            self._forward(self.module, new_inputs).double(), z[table.new_rows, new_device].cpu().double()
        )
        self.notes["scale"] = [
            slope * float(scale[new_device]),
            shift * float(scale[new_device]) + float(mean[new_device]),
        ]
        self.tensors = dict(self.module.state_dict())

    def _train(self, inputs: tuple[Tensor, ...], cells: Tensor, devices: Tensor, z: Tensor, recipe: Recipe) -> None:
        """Train the module on the labels ``z[cells, devices]``."""

        def batch(index: Tensor) -> tuple[Tensor, ...]:
            return *(t[cells[index]] for t in inputs), devices[index]

        self.module = train(self.module, batch, z[cells, devices], recipe, self.seed)

    def _nearest_source(self, inputs: list[Tensor], z: Tensor) -> int:
        """The source device whose predictions for these cells agree best with their labels on the new one.

        ``z``: the cells' labels (n, devices), NaN where unknown, those of the new device last.
        """
        ranks = z[:, -1].argsort().argsort().double().cpu()
        agreement = []
        for device in range(self.notes["devices"] - 1):
            ids = torch.full((len(z),), device, device=z.device)
            predicted = self._forward(self.module, (*inputs, ids)).argsort().argsort().double()
            agreement.append(float(torch.corrcoef(torch.stack([ranks, predicted]))[0, 1].nan_to_num()))
        return agreement.index(max(agreement))

    def _inputs(self, graphs: Graphs) -> tuple[Tensor, ...]:
        device = torch.full((len(graphs),), self.notes["devices"] - 1, device=self.torch_device)
        return *super()._inputs(graphs), device
