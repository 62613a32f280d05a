"""HELP (Lee et al., NeurIPS 2021, arXiv 2106.08630): few-shot latency prediction by meta-learning over devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs, to_device
from predictors.base import BasePredictor, Diverged, Unsupported, require_finite
from predictors.kit.cells import require_cells
from predictors.kit.devices import above_zero, column_scale, device_table
from predictors.kit.global_node import with_global_node
from predictors.kit.optim import AdamW
from predictors.kit.stand_in import with_stand_in
from predictors.kit.train_loop import learning_rate

Weights = dict[str, Tensor]
HEAD = ("fc1", "fc2", "fc3")


def network(w: Weights, x: Tensor, links: Tensor, hardware: Tensor) -> Tensor:
    """(T, B) of nodes ``x`` (T, B, N, n_ops + 1), who listens to whom (T, B, N, N) and devices (T, references).

    ``w`` as `MetaLearner.initial` gives it. Graph convolutions, read off the global node, which comes first; the device
    passes two layers of its own and joins before the head.
    """
    for i in range(sum(name.startswith("gcn") for name in w) // 2):
        x = F.relu(links @ (x @ w[f"gcn{i}_w"][:, None]) + w[f"gcn{i}_b"][:, None])
    h = hardware[:, None]  # (T, 1, references)
    for name in ("hw1", "hw2"):
        h = F.relu(h @ w[f"{name}_w"] + w[f"{name}_b"])
    x = torch.cat([x[:, :, 0], h.expand(-1, x.shape[1], -1)], -1)
    x = F.relu(x @ w["fc1_w"] + w["fc1_b"])
    x = F.relu(x @ w["fc2_w"] + w["fc2_b"])
    return (x @ w["fc3_w"] + w["fc3_b"]).squeeze(-1)


class MetaLearner(nn.Module):
    """All that is meta-learned: weights to start from, their step sizes, and the modulator of the head (section 3.3).

    Weights are used with a leading task dimension T, so that every task of an episode has its own copy.
    """

    def __init__(self, n_ops: int, references: int, width: int, layers: int, step_size: float) -> None:
        super().__init__()
        n_in = [n_ops + 1] + [width] * (layers - 1)
        shape = {f"gcn{i}": (n, width) for i, n in enumerate(n_in)}
        shape |= {"hw1": (references, width), "hw2": (width, width)}
        shape |= {"fc1": (2 * width, 2 * width), "fc2": (2 * width, 2 * width), "fc3": (2 * width, 1)}
        start: Weights = {}
        for name, (rows, columns) in shape.items():
            start[f"{name}_w"] = torch.randn(rows, columns) * (0.3 if name.startswith("gcn") else 1) * rows**-0.5
            start[f"{name}_b"] = torch.zeros(1, columns)
        self.start = nn.ParameterDict(start)
        self.step_size = nn.ParameterDict({k: torch.full_like(v, step_size) for k, v in start.items()})
        self.modulator = nn.Sequential(nn.Linear(references, 10), nn.ReLU(), nn.Linear(10, 3 * 2 * width + 3))

    def initial(self, hardware: Tensor, strength: float = 0.01) -> Weights:
        """The weights from which each of T devices starts, (T, ...). ``hardware``: (T, references)."""
        weights = {k: v.expand(len(hardware), *v.shape) for k, v in self.start.items()}
        z = strength * self.modulator(hardware)
        scale, shift = z[:, :-3].view(len(z), 3, -1, 1), z[:, -3:].view(len(z), 3, 1, 1)
        for i, name in enumerate(HEAD):
            weights[f"{name}_w"] = weights[f"{name}_w"] * (1 + scale[:, i])
            weights[f"{name}_b"] = weights[f"{name}_b"] + shift[:, i]
        return weights

    def adapt(self, cells: tuple[Tensor, Tensor], y: Tensor, hardware: Tensor, steps: int) -> Weights:
        """Gradient descent from `initial` on the labels ``y`` (T, B), each weight with its own step size (Meta-SGD)."""
        weights = self.initial(hardware)
        for _ in range(steps):
            loss = ((network(weights, *cells, hardware) - y) ** 2).mean(1).sum()
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=self.training)
            weights = {k: v - self.step_size[k] * slope for (k, v), slope in zip(weights.items(), slopes, strict=True)}
        return weights


class Predictor(BasePredictor):
    """A graph convolutional network that sees a device as its latencies on the reference cells, and adapts to it in a
    few gradient steps; start and step sizes are learned on episodes over the source devices.

    The reference cells are the first ten labelled ones that all devices share, and count among the labels: with 10
    labels of the new device they are at once its embedding and what it adapts on. HELP measures ten reference cells
    and ten more, takes cells and scores from the middle 80 % of latencies, and scales a new device by the range of
    900 labels. Departures besides: labels are standardised by those of the reference cells; the modulator is
    deterministic, without a prior; no best episode is chosen on validation devices. The default is smaller and learns
    faster from fewer episodes; preset ``paper`` has the paper's size and episodes. With one device alone the episodes
    are drawn from it; without a label of the new device the source that is most like the others stands in for it.
    """

    transfers: ClassVar[bool] = True
    zero_shot: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Config:
        """``tasks`` devices an episode, ``support`` labels to adapt on, ``query`` labels to learn from."""

        width: int = 64
        layers: int = 3
        references: int = 10
        pretrain_steps: int = 600
        tasks: int = 6
        support: int = 10
        query: int = 32
        inner_steps: int = 2
        inner_lr: float = 0.01
        lr: float = 2e-3

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "width": 100, "layers": 4, "pretrain_steps": 2000, "tasks": 8, "query": 200, "inner_lr": 1e-3, "lr": 1e-4,
        },
    }  # fmt: skip

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        c = self.config
        require_cells(train_graphs)
        torch.manual_seed(self.seed)
        train_graphs, y = with_stand_in(train_graphs, y)
        table = device_table(train_graphs, y)
        reference_rows = (~table.labels.isnan()).all(1).nonzero()[:, 0][: self.config.references]
        if len(reference_rows) < 2:
            raise Unsupported("fewer than two cells are labelled on every device")
        reference = table.labels[reference_rows]
        mean, scale = column_scale(reference)
        z = ((table.labels - mean) / scale).float().to(self.torch_device)
        cells = self._inputs(table.graphs)
        learner = self._meta_train(cells, z[:, : max(len(table.devices) - 1, 1)], reference_rows)
        hardware = self._hardware(z[reference_rows, -1:])
        new_rows = table.new_rows
        weights = learner.eval().adapt(
            tuple(t[new_rows][None] for t in cells), z[new_rows, -1][None], hardware, c.inner_steps
        )
        self.tensors = {f"w.{k}": v.detach() for k, v in weights.items()} | {"hardware": hardware}
        floor = float(table.labels[new_rows, -1].min()) / 2
        self.notes = {"vocab": list(train_graphs.vocab), "scale": [float(scale[-1]), float(mean[-1])], "floor": floor}

    def predict(self, graphs: Graphs) -> Tensor:
        first, inverse = graphs.distinct()
        weights = {k[2:]: v.to(self.torch_device) for k, v in self.tensors.items() if k.startswith("w.")}
        hardware, cells = self.tensors["hardware"].to(self.torch_device), self._inputs(graphs[first])
        with torch.inference_mode():
            parts = [
                network(weights, *(t[i : i + 512][None] for t in cells), hardware)[0] for i in range(0, len(first), 512)
            ]
        slope, shift = self.notes["scale"]
        y = slope * torch.cat(parts).cpu().double() + shift
        return require_finite(above_zero(y, self.notes["floor"]) if self.task == "cost" else y, "a prediction")[inverse]

    def _inputs(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        return with_global_node(to_device(graphs.dense(), self.torch_device), len(graphs.vocab))

    def _hardware(self, reference: Tensor) -> Tensor:
        """Embeddings (T, references) of T devices from standardised labels (cells, T); zeros where cells are few."""
        return F.pad(reference.T, (0, self.config.references - len(reference)))

    def _meta_train(self, cells: tuple[Tensor, Tensor], z: Tensor, reference_rows: Tensor) -> MetaLearner:
        """Learn on episodes from the labels ``z`` (cells, devices); ``reference_rows``: rows of the reference cells."""
        c = self.config
        n_ops = cells[0].shape[-1] - 1
        learner = MetaLearner(n_ops, c.references, c.width, c.layers, c.inner_lr).to(self.torch_device)
        optimiser, generator = AdamW(learner, 0.0), torch.Generator().manual_seed(self.seed)
        learner.train()
        for step in range(c.pretrain_steps):
            rows, y, reference = self._episode(z, reference_rows, generator)
            hardware, size = self._hardware(reference), c.support
            x, links = (t[rows] for t in cells)  # each (T, support + query, ...)
            weights = learner.adapt((x[:, :size], links[:, :size]), y[:, :size], hardware, c.inner_steps)
            loss = ((network(weights, x[:, size:], links[:, size:], hardware) - y[:, size:]) ** 2).mean()
            if not torch.isfinite(loss):
                raise Diverged(f"loss is {loss.item()} at episode {step + 1} of {c.pretrain_steps}")
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimiser.step(c.lr * learning_rate(step, c.pretrain_steps, 0.1))
        return learner

    def _episode(self, z: Tensor, reference_rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of cells (T, support + query), their labels, and labels of the reference cells (cells, T)."""
        c = self.config
        rows, labels, references = [], [], []
        for device in torch.randint(z.shape[1], (c.tasks,), generator=generator).tolist():
            have = (~z[:, device].isnan()).nonzero()[:, 0]
            picked = have[torch.randint(len(have), (c.support + c.query,), generator=generator).to(have.device)]
            rows.append(picked)
            labels.append(z[picked, device])
            references.append(z[reference_rows, device])
        return torch.stack(rows), torch.stack(labels), torch.stack(references, 1)
