"""Settings of NN-Former, of its model of cells and of its latency model alike."""

from __future__ import annotations

from dataclasses import dataclass

from predictors.kit.train_loop import COMMON, COMMON_PRETRAINED, Recipe

MASKS = ("adj", "adj_t", "share_child", "share_parent")
PAPER = {
    "published": True, "table": False, "layers": 12, "dim": 160, "dropout": 0.1,
    "pretrain_steps": 0, "loss": "mse+0.2*pair_l1", "epochs": 3000, "batch_size": 128, "by_size": True, "lr": 1e-4,
    "lr_floor": 0.1, "weight_decay": 0.01, "ema": 0.99,
}  # fmt: skip
RELEASED = {**PAPER, "masks": ("adj", "adj_t", "global", "global"), "consistency": 1.0, "checks": 600}
LATENCY = {
    "layers": 2, "dim": 128, "dropout": 0.0, "cost_loss": "mspe", "steps": 8000, "batch_size": 16, "lr": 1e-3,
    "weight_decay": 0.01, "grad_clip": 5.0, "ema": 0.99,
}  # fmt: skip
LATENCY_QUICK = {**LATENCY, "layers": 1, "dim": 64, "lr": 3e-3, "steps": 300}
RELEASED_LATENCY = {
    **LATENCY, "dim": 512, "dropout": 0.05, "epochs": 50, "ema": 0.0, "consistency": 0.01, "table": False,
}  # fmt: skip


@dataclass(frozen=True)
class Settings(Recipe):
    """``masks``: adj, adj_t, share_child, share_parent, global; one a head, or heads / 4 heads each. They are hard, or
    where ``soft`` learned biases of every head for every mask, ``soft_start`` at first for the head's own and 0 for
    the others.

    ``ffn``: both, adj, adj_t or plain. ``laplacian``: number of eigenvectors added as positions, 0 for none.
    ``published``: the released model's linear layers without bias, normalised embedding, dropout on attention, initial
    weights, and accuracies as fractions. ``tokens``: the class and depth token, of cells; ONNX graphs
    go without.
    ``table``: costs of cells as multiples of a sum over operations.
    ``cost_steps``: ``steps`` for costs.
    """

    layers: int = 4
    dim: int = 64
    heads: int = 4
    ffn_ratio: int = 4
    dropout: float = 0.1
    masks: tuple = MASKS
    soft: bool = False
    soft_start: float = 3.0
    ffn: str = "both"
    laplacian: int = 0
    published: bool = False
    tokens: bool = True
    table: bool = True
    cost_loss: str = "l1"
    cost_steps: int = 200
    loss: str = COMMON["loss"]
    steps: int = COMMON["steps"]
    first_steps: int = COMMON["first_steps"]
    batch_size: int = COMMON["batch_size"]
    lr: float = 4e-3
    weight_decay: float = COMMON["weight_decay"]
    pretrain_steps: int = COMMON_PRETRAINED["pretrain_steps"]
