"""NAO (Luo et al., NeurIPS 2018, arXiv 1808.07233): an LSTM reads the cell as a sequence, and learns to spell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Dense
from predictors.kit.flow import Head
from predictors.kit.layers import dropout, softmax
from predictors.kit.own_loss import OwnLossPredictor
from predictors.kit.train_loop import Recipe, parse_loss

PLACES = 64  # of nodes that have a token of their own; later ones share the last


class NAO(nn.Module):
    """Tokens (b, T), 0 at padding -> (b,). Encoder, predictor and decoder of section 3.2."""

    def __init__(self, n_tokens: int, c: Predictor.Config) -> None:
        super().__init__()
        self.embed = nn.Embedding(n_tokens, c.embedding)
        self.encoder = nn.LSTM(c.embedding, c.width, batch_first=True)
        self.head = Head(c.width, (c.head,) * c.head_layers, c.dropout)
        self.decoder = nn.LSTM(c.embedding, c.width, batch_first=True)
        self.spell = nn.Linear(2 * c.width, n_tokens)
        self.dropout = c.dropout

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Unit outputs at every token (b, T, width), and the unit mean over the sequence (b, width)."""
        x = dropout(self.embed(tokens), self.dropout, self.training)
        steps = F.normalize(self.encoder(x)[0], dim=-1)
        real = (tokens > 0)[..., None].to(steps.dtype)
        return steps, F.normalize((steps * real).sum(1) / real.sum(1), dim=-1)

    def spelled(self, tokens: Tensor, steps: Tensor, code: Tensor) -> Tensor:
        """Mean cross-entropy of each token given the ones before it, the code, and attention to the encoder."""
        state = code[None].contiguous()
        before = F.pad(tokens[:, :-1], (1, 0))
        x = self.decoder(dropout(self.embed(before), self.dropout, self.training), (state, state))[0]
        score = (x @ steps.mT).masked_fill((tokens == 0)[:, None], float("-inf"))  # (b, T, T)
        x = self.spell(torch.cat([x, softmax(score) @ steps], -1))
        return F.cross_entropy(x.flatten(0, 1), tokens.flatten(), ignore_index=0)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.encode(tokens)[1])


class Predictor(OwnLossPredictor):
    """One-layer LSTM of 96 over each node's sources and operation in turn; a head; a decoder that repeats the sequence.

    The loss is ``trade_off`` times that of the prediction and the rest times the decoder's cross-entropy. Departures: a
    node has any number of sources, where the paper's cells have two; labels are standardised instead of squashed into
    (0, 1); the decoder attends by a plain product; averaged weights. The search by gradients in the code is no part
    of prediction. Preset ``paper``: 1000 epochs at a batch of 100.
    """

    @dataclass(frozen=True)
    class Config(Recipe):
        """``head``, ``head_layers``: hidden layers of the predictor. ``trade_off``: see above; 1 spares the decoder."""

        embedding: int = 48
        width: int = 96
        head: int = 200
        head_layers: int = 2
        dropout: float = 0.1
        trade_off: float = 0.8
        loss: str = "mse"
        cost_loss: str = "mse"
        lr: float = 1e-3
        grad_clip: float = 5.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"epochs": 1000, "batch_size": 100, "weight_decay": 1e-4, "ema": 0.0},
    }

    def build(self, n_ops: int) -> nn.Module:
        return NAO(1 + n_ops + PLACES, self.config)

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        return (spelling(dense, len(self.notes["vocab"])),)

    def losses(self, module: nn.Module, inputs: tuple[Tensor, ...], z: Tensor) -> Tensor:
        (tokens,), c = inputs, self.config
        steps, code = module.encode(tokens)
        loss = parse_loss(self.recipe(len(z)).loss)(module.head(code), z)
        if c.trade_off < 1:
            loss = c.trade_off * loss + (1 - c.trade_off) * module.spelled(tokens, steps, code)
        return loss.expand(len(z))


def spelling(dense: Dense, n_ops: int) -> Tensor:
    """Sequences (n, T), padded with 0: for each node in turn the places of its sources, then its operation.

    Tokens: 1 to ``n_ops`` for operations, then one for each place.
    """
    n, size = dense.op.shape
    place = 1 + n_ops + torch.arange(size, device=dense.op.device).clamp(max=PLACES - 1)
    tokens = torch.cat([dense.adj.mT * place, dense.op[..., None] + 1], -1)  # (n, N, N + 1), row = node
    tokens = (tokens * dense.mask[..., None]).flatten(1)
    order = (tokens == 0).long().argsort(dim=1, stable=True)
    return tokens.gather(1, order)[:, : int((tokens > 0).sum(1).max())]
