"""The one training loop: losses, optimiser, schedule, averaging. No trainer framework."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.checkpoint import Checkpoint
from pipeline.core.errors import BenchError
from predictors.base import Diverged
from predictors.kit.optim import AdamW


@dataclass(frozen=True)
class Recipe:
    """How a neural predictor is trained; the defaults are what most predictors take, whatever their papers did.

    ``steps`` counts when ``epochs`` is 0; where ``first_steps`` is not, no more than that and one a label are made: few
    labels are learned sooner. ``pretrain_steps`` on ``pretrain_cells`` changed cells come first, for accuracies of
    cells (`kit.pretrain`; networks of more nodes and costs go without). ``cost_loss`` is the loss for latency and
    energy, ``loss`` for accuracy.
    ``by_size``: graphs of one number of nodes alone share a batch, so an epoch has more and smaller ones. ``checks``:
    how often validation labels, where there are any, are asked for the best weights so far.
    """

    loss: str = "mse"
    cost_loss: str = "mse"
    steps: int = 1000
    first_steps: int = 0
    epochs: int = 0
    batch_size: int = 64
    by_size: bool = False
    lr: float = 2e-3
    lr_floor: float = 0.0
    weight_decay: float = 0.01
    warmup: float = 0.1
    ema: float = 0.99
    grad_clip: float = 0.0
    consistency: float = 0.0
    checks: int = 20
    pretrain_steps: int = 0
    pretrain_cells: int = 5000


# The recipe that every neural predictor of accuracies can take (presets `common` and `common_pretrained`), whatever its
# paper did: what a comparison of architectures holds equal.
COMMON: dict[str, Any] = {
    "loss": "hinge", "steps": 900, "first_steps": 300, "epochs": 0, "batch_size": 128, "by_size": False, "lr": 2e-3,
    "lr_floor": 0.0, "weight_decay": 0.05, "warmup": 0.1, "ema": 0.99, "grad_clip": 0.0, "consistency": 0.0,
    "pretrain_steps": 0,
}  # fmt: skip
COMMON_PRETRAINED: dict[str, Any] = {**COMMON, "pretrain_steps": 400}


def mse(pred: Tensor, y: Tensor) -> Tensor:
    """Mean squared error."""
    return F.mse_loss(pred, y)


def l1(pred: Tensor, y: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(pred, y)


def bce(pred: Tensor, y: Tensor) -> Tensor:
    """Pairwise logistic loss (RankNet): log(1 + exp(-(better - worse))), mean over pairs."""
    better = y[:, None] > y[None, :]
    loss = F.softplus(pred[None, :] - pred[:, None]) * better
    return loss.sum() / better.sum().clamp(min=1)


def hinge(pred: Tensor, y: Tensor, margin: float = 0.1) -> Tensor:
    """Pairwise hinge loss: max(0, margin - (better - worse)), mean over pairs (GATES, Ning et al. 2020)."""
    better = y[:, None] > y[None, :]
    loss = F.relu(margin - pred[:, None] + pred[None, :]) * better
    return loss.sum() / better.sum().clamp(min=1)


def listmle(pred: Tensor, y: Tensor) -> Tensor:
    """ListMLE: negative log-likelihood of the true order under Plackett-Luce, per item (Xia et al. 2008)."""
    ordered = pred[y.argsort(descending=True)]
    tail = torch.logcumsumexp(ordered.flip(0), 0).flip(0)
    return (tail - ordered).mean()


def pair_l1(pred: Tensor, y: Tensor) -> Tensor:
    """L1 error of the differences of neighbouring samples of the (shuffled) batch (NAR-Former, Yi et al. 2023)."""
    return F.l1_loss(pred - pred.roll(1), y - y.roll(1))


def mspe(pred: Tensor, y: Tensor) -> Tensor:
    """Mean squared relative error of costs, given as natural logarithms: (cost / true cost - 1)^2."""
    return ((pred - y).exp() - 1).square().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    f.__name__: f for f in (mse, l1, bce, hinge, listmle, pair_l1, mspe)
}
IN_UNITS = {"mse", "l1", "mspe"}  # a model that is trained by one of these answers in the labels' units


def parse_loss(text: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss from a sum such as ``mse+0.2*pair_l1``.

    Raises:
        BenchError: an unknown name, or a weight that is no number.
    """
    terms = []
    for term in text.split("+"):
        weight, _, name = term.strip().rpartition("*")
        if name not in LOSSES or not (weight or "1").replace(".", "", 1).isdigit():
            raise BenchError(f"loss {text!r}: {term.strip()!r} is not [number*]name; names: {', '.join(LOSSES)}")
        terms.append((float(weight or 1), LOSSES[name]))
    return lambda pred, y: sum(w * f(pred, y) for w, f in terms)


def learning_rate(step: int, steps: int, warmup: float, floor: float = 0.0) -> float:
    """Factor of the peak rate: linear warm-up over ``warmup * steps``, then half a cosine down to ``floor``."""
    start = max(1, round(warmup * steps))
    if step < start:
        return (step + 1) / start
    fall = 0.5 * (1 + math.cos(math.pi * (step - start) / max(1, steps - start)))
    return floor + (1 - floor) * fall


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Index tensors of ``size`` without end, from shuffled passes over n items that run into one another."""
    stream = torch.empty(0, dtype=torch.long)
    while True:
        while len(stream) < size:
            stream = torch.cat([stream, torch.randperm(n, generator=generator)])
        yield stream[:size]
        stream = stream[size:]


def batches_by_size(sizes: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Index tensors of at most ``size`` items of one of ``sizes`` (n,) each, without end; shuffled in every pass."""
    groups = [(sizes == s).nonzero()[:, 0] for s in sizes.unique()]
    while True:
        cut = [part for g in groups for part in g[torch.randperm(len(g), generator=generator)].split(size)]
        for i in torch.randperm(len(cut), generator=generator):
            yield cut[i]


def inputs_at(inputs, index: Tensor | slice) -> tuple:
    """A module's arguments for the graphs at ``index``: of tensors of a row a graph, or of an object with ``take``."""
    return tuple(t[index] for t in inputs) if isinstance(inputs, tuple) else inputs.take(index)


def _batch_loss(model: nn.Module, arguments: tuple, y: Tensor, loss_of: Callable, consistency: float) -> Tensor:
    """The loss on a batch; with ``consistency`` that of the batch taken twice, and how far the two passes differ."""
    if not consistency:
        return loss_of(model(*arguments), y)
    if all(isinstance(t, Tensor) and len(t) == len(y) for t in arguments):  # one pass of twice as many costs less
        pred, again = model(*(torch.cat([t, t]) for t in arguments)).chunk(2)
    else:
        pred, again = model(*arguments), model(*arguments)
    return (loss_of(pred, y) + loss_of(again, y)) / 2 + consistency * F.l1_loss(pred, again)


def train(
    model: nn.Module,
    inputs: Callable[[Tensor], tuple[Tensor, ...]],
    y: Tensor,
    recipe: Recipe,
    seed: int,
    validate: Callable[[nn.Module], float] | None = None,
    sizes: Tensor | None = None,
    checkpoint: Checkpoint | None = None,
) -> nn.Module:
    """Train ``model`` on labels ``y`` (n,); ``inputs(index)`` gives the model's arguments for those rows.

    ``sizes``: (n,) numbers of nodes, which ``recipe.by_size`` needs. With a ``checkpoint`` training goes on from it.
    Returns the model to predict with: the averaged weights when ``recipe.ema`` > 0, and of those the best by
    ``validate`` (higher is better, asked ``recipe.checks`` times) when it is given. No other data picks weights.

    Raises:
        Diverged: a loss that is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    loss_of = parse_loss(recipe.loss)
    size = min(recipe.batch_size, len(y))
    if recipe.by_size:
        stream, per_epoch = (
            batches_by_size(sizes, size, generator),
            sum(-(-n // size) for n in sizes.bincount().tolist()),
        )
    else:
        stream, per_epoch = batches(len(y), size, generator), math.ceil(len(y) / size)
    steps = recipe.epochs * per_epoch if recipe.epochs else recipe.steps
    optimiser = AdamW(model, recipe.weight_decay)
    average = copy.deepcopy(model) if recipe.ema else model
    best, best_score, start = None, -math.inf, 0
    saved = checkpoint.read() if checkpoint else None
    if saved:
        start, best_score = saved["step"], saved["best_score"]
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        if saved["best"]:
            best = copy.deepcopy(average)
            best.load_state_dict(saved["best"])
        optimiser.restore(saved["optimiser"])
        set_random_state(saved["random"])
    model.train()
    for step, index in zip(range(start, steps), islice(stream, start, None), strict=False):
        index = index.to(y.device)
        loss = _batch_loss(model, inputs(index), y[index], loss_of, recipe.consistency)
        loss.backward()
        if recipe.grad_clip:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.grad_clip)
        optimiser.step(recipe.lr * learning_rate(step, steps, recipe.warmup, recipe.lr_floor))
        if recipe.ema:
            weight = 1 - min(recipe.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), weight)
        if (step % 50 == 49 or step == steps - 1) and not torch.isfinite(loss):
            raise Diverged(f"loss is {loss.item()} at step {step + 1} of {steps}")
        if validate and (step + 1) % max(1, steps // recipe.checks) == 0:
            score = validate(average.eval())
            if score > best_score:
                best, best_score = copy.deepcopy(average), score
            model.train()
        if checkpoint and checkpoint.due(at_end=step == steps - 1):
            state = {
                "step": step + 1, "best_score": best_score, "best": best.state_dict() if best else None,
                "model": model.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state(),
                "random": random_state(),
            }  # fmt: skip
            checkpoint.write(state, f"step {step + 1} of {steps}, loss {loss.item():.4g}")
    return (best or average).eval()


def random_state() -> list[Tensor]:
    """States of torch's global generators, from which dropout draws."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def set_random_state(state: list[Tensor]) -> None:
    """The reverse of `random_state`."""
    torch.set_rng_state(state[0])
    if state[1:]:
        torch.cuda.set_rng_state_all(state[1:])
