"""TNASP (Lu et al., NeurIPS 2021): a transformer encoder over operations, with the Laplacian as positional encoding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Dense, Graphs
from predictors.kit.attention import Block, as_bias, mean_nodes
from predictors.kit.cells import CellPredictor, require_cells
from predictors.kit.encodings import laplacian_rows
from predictors.kit.layers import Packing, dropout
from predictors.kit.padded import SMALL
from predictors.kit.pool import mutated
from predictors.kit.train_loop import IN_UNITS, Recipe, inputs_at, train

PAPER = {
    "head_size": 64, "ffn": 512, "loss": "mse", "epochs": 300, "batch_size": 10, "lr": 1e-4, "weight_decay": 1e-3,
    "warmup": 0.0, "ema": 0.0,
}  # fmt: skip
CHANGES, GUESS_STEPS, GUESS_RATE = 2, 100, 0.1


class TNASP(nn.Module):
    """Operations (b, N), Laplacian (b, N, 32) and real nodes (b, N) -> (b,)."""

    def __init__(self, n_ops: int, c: Predictor.Config) -> None:
        super().__init__()
        self.dropout = c.dropout
        self.embed, self.position = nn.Embedding(n_ops, c.dim), nn.Linear(SMALL, c.dim)
        self.blocks = nn.ModuleList(
            Block(c.dim, c.heads, c.head_size, c.ffn, c.dropout, pre=False) for _ in range(c.layers)
        )
        self.hidden, self.out = nn.Linear(c.dim, c.head), nn.Linear(c.head, 1)

    def forward(self, op: Tensor, laplacian: Tensor, mask: Tensor) -> Tensor:
        packing, bias = Packing(mask), as_bias(mask)[:, None, None]
        x = packing.pack(self.embed(op) + self.position(laplacian))
        for block in self.blocks:
            x = block(x, bias, packing)
        x = dropout(self.hidden(mean_nodes(x, packing, mask)), self.dropout, self.training)
        return self.out(x).squeeze(-1)


class Predictor(CellPredictor):
    """Three post-norm blocks of 80; a linear map of the Laplacian's rows (D - A, which depend on the data set's order
    of nodes) as position; mean over nodes and two linear layers.

    Presets: ``mse`` and ``hinge``: other losses; ``paper``: heads of 64, feed-forward of 512, MSE, 300 epochs, batches
    of 10, as in the authors' later code (PINAT); ``se``: self-evolution. After each of ``evolution`` rounds of
    training, labels are guessed for cells without one, such that every past round's mean squared distance from the
    guesses is the error that this round had; then these cells are trained on as well.

    Departures: the paper takes the past errors from the labels of the cells that it evolves on, which are those it is
    tested on. Here they are cells made from the training cells by random changes (`predictors.kit.pool`) and the past
    errors are those on the training labels. AdamW and averaged weights. The default is narrower.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``head_size``: numbers a head; ``ffn``: width of the feed-forward; ``head``: of the regressor.

        ``evolution``: rounds of self-evolution, 0 for none; needs a loss in the labels' units.
        """

        layers: int = 3
        dim: int = 80
        heads: int = 4
        head_size: int = 16
        ffn: int = 256
        head: int = 96
        dropout: float = 0.1
        evolution: int = 0
        loss: str = "bce"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mse": {"loss": "mse"},
        "hinge": {"loss": "hinge"},
        "se": {"loss": "mse", "evolution": 4},
        "paper": PAPER,
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        loss = self.config.cost_loss if self.task == "cost" else self.config.loss
        if self.config.evolution and not IN_UNITS & set(loss.replace("*", "+").split("+")):
            known = ", ".join(sorted(IN_UNITS))
            raise BenchError(f"tnasp: evolution needs one of the losses {known}, not {loss!r} alone")

    def build(self, n_ops: int) -> nn.Module:
        return TNASP(n_ops, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        return dense.op, laplacian_rows(dense.adj), dense.mask

    def fit(self, train_graphs: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if not self.config.evolution:
            super().fit(train_graphs, y, val, y_val)
            return
        require_cells(train_graphs)
        torch.manual_seed(self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        mean, std = self.standardise(y)
        self.notes |= {"vocab": list(train_graphs.vocab), "scale": [std, mean]}
        target, cells = self._scale(y, mean, std), train_graphs.dense()
        changed = mutated(cells, len(y), CHANGES, generator)
        labelled, pool = (tuple(t.to(self.torch_device) for t in self.encode(d)) for d in (cells, changed))
        joined = tuple(torch.cat(pair) for pair in zip(labelled, pool, strict=True))
        self.module = self.begin(self.build(len(train_graphs.vocab)).to(self.torch_device), train_graphs)
        recipe = self.recipe(len(y))
        rounds = self.config.evolution + 1
        recipe = replace(recipe, steps=-(-recipe.steps // rounds), epochs=-(-recipe.epochs // rounds))
        guesses, past, errors = None, [], []
        for step in range(rounds):
            inputs = labelled if guesses is None else joined
            labels = (target if guesses is None else torch.cat([target, guesses])).to(self.torch_device)
            self.module = train(self.module, partial(inputs_at, inputs), labels, recipe, self.seed + step)
            past.append(self._forward(self.module, pool))
            errors.append((self._forward(self.module, labelled) - target).square().mean())
            guesses = guess(torch.stack(past), torch.stack(errors))
        self.tensors = dict(self.module.state_dict())


def guess(past: Tensor, errors: Tensor) -> Tensor:
    """Labels (n,) whose mean squared distance from each of the ``past`` predictions (t, n) is near ``errors`` (t,).

    Gradient descent on the squared violations from the latest predictions, so an affine combination of all of them.
    """
    y = past[-1]
    for _ in range(GUESS_STEPS):
        gap = y - past
        y = y - GUESS_RATE * ((gap.square().mean(1) - errors)[:, None] * gap).mean(0)
    return y
