"""Proxies of one untrained network: a few passes over random images, with random classes where a loss is needed.

No image and no class of a data set is used. What is left of a proxy's scale is a matter of taste for whoever ranks by
it; sums of gradients and of paths are given as log(1 + x), because they grow by powers of ten with depth.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.proxies import blocks
from pipeline.proxies.networks import CLASSES, Network, Skeleton, fan_in, flops, weights

STEP = 0.01  # of the images, for zen (Zen-NAS, section 4.1, alpha)
CONSTANT = 1e-5  # for jacob_cov, k of its released code
NAMES = (
    "synflow", "naswot", "jacob_cov", "grad_norm", "snip", "zen", "l2_norm", "params", "flops",
    "expressivity", "progressivity", "trainability", "meco",
)  # fmt: skip


def proxies(network: Network, skeleton: Skeleton, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Every proxy of `NAMES`, and the CPU-seconds that each would take by itself.

    The images are standard normal numbers of ``seed``, the classes uniform. Passes are shared, so that all proxies
    together take less than the sum.
    """
    draw = torch.Generator().manual_seed(seed)
    shape = (skeleton.batch, 3, skeleton.size, skeleton.size)
    images, change = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
    classes = torch.randint(CLASSES, (skeleton.batch,), generator=draw)
    found, seconds, clock = {}, {}, Clock()
    images.requires_grad_()
    with recorded(network) as (signs, inputs), blocks.outputs(network) as (by_block, by_layer):
        features = network.features(images)
    logits = network.classifier(features.mean((2, 3)))
    forward = clock.lap()
    found["naswot"] = naswot(signs)
    seconds["naswot"] = forward + clock.lap()
    jacobian = torch.autograd.grad(logits.sum(), images, retain_graph=True, allow_unused=True)[0]
    found["jacob_cov"] = jacob_cov(torch.zeros(shape) if jacobian is None else jacobian)
    seconds["jacob_cov"] = forward + clock.lap()
    entropies = blocks.entropies(by_block)
    found["expressivity"] = blocks.expressivity(entropies)
    found["progressivity"] = blocks.progressivity(entropies)
    seconds["expressivity"] = seconds["progressivity"] = forward + clock.lap()
    found["trainability"] = blocks.trainability(by_block, draw)
    seconds["trainability"] = forward + clock.lap()
    found["meco"] = blocks.meco(by_layer)
    seconds["meco"] = forward + clock.lap()
    layers = weights(network)
    gradients = torch.autograd.grad(F.cross_entropy(logits, classes), layers, allow_unused=True)
    pairs = [(w.detach(), torch.zeros_like(w) if g is None else g) for w, g in zip(layers, gradients, strict=True)]
    backward = forward + clock.lap()
    found["grad_norm"] = math.log1p(sum(float(g.norm()) for _, g in pairs))
    seconds["grad_norm"] = backward + clock.lap()
    found["snip"] = math.log1p(sum(float((w * g).abs().sum()) for w, g in pairs))
    seconds["snip"] = backward + clock.lap()
    with torch.no_grad():
        moved = network.features(images + STEP * change)
    found["zen"] = zen(features.detach(), moved, inputs)
    seconds["zen"] = forward + clock.lap()
    found["synflow"] = synflow(network, skeleton.size)
    seconds["synflow"] = clock.lap()
    found["l2_norm"] = sum(float(w.norm()) for w, _ in pairs)
    seconds["l2_norm"] = clock.lap()
    found["params"] = float(sum(p.numel() for p in network.parameters()))
    seconds["params"] = clock.lap()
    found["flops"] = flops(network, skeleton.size)
    seconds["flops"] = clock.lap()
    return {name: found[name] for name in NAMES}, {name: seconds[name] for name in NAMES}


class Clock:
    """CPU-seconds of this process since it was last asked."""

    def __init__(self) -> None:
        self.start = time.process_time()

    def lap(self) -> float:
        now = time.process_time()
        spent, self.start = now - self.start, now
        return spent


@contextmanager
def recorded(network: nn.Module) -> Iterator[tuple[list[Tensor], list[tuple[Tensor, int]]]]:
    """Of a pass within: which ReLUs are on, (b, units) float a layer; and of every batch normalisation the variance a
    channel (c,) of what it is given, with the `fan_in` of the convolution before it (0: none)."""
    signs: list[Tensor] = []
    inputs: list[tuple[Tensor, int]] = []
    last = {"fan_in": 0}

    def relu(_: nn.Module, given: tuple[Tensor], __: Tensor) -> None:
        signs.append((given[0].detach() > 0).flatten(1).float())
        last["fan_in"] = 0

    def convolution(layer: nn.Module, _: tuple[Tensor], __: Tensor) -> None:
        last["fan_in"] = fan_in(layer.weight)

    def normalisation(_: nn.Module, given: tuple[Tensor], __: Tensor) -> None:
        inputs.append((given[0].detach().var((0, 2, 3), correction=0), last["fan_in"]))
        last["fan_in"] = 0

    kinds = {nn.ReLU: relu, nn.Conv2d: convolution, nn.BatchNorm2d: normalisation}
    hooks = [layer.register_forward_hook(kinds[type(layer)]) for layer in network.modules() if type(layer) in kinds]
    try:
        yield signs, inputs
    finally:
        for hook in hooks:
            hook.remove()


def naswot(signs: list[Tensor]) -> float:
    """log |K + I|, K_ij = number of ReLUs that are alike for images i and j (Mellor et al., ICML 2021, eq. 2).

    Departure: the unit matrix, one ReLU more that no two images share, without which a network that treats two images
    alike would score minus infinity.
    """
    n = len(signs[0])
    kernel = torch.eye(n, dtype=torch.float64)
    for on in signs:
        kernel += (on @ on.T + (1 - on) @ (1 - on).T).double()
    return float(torch.linalg.slogdet(kernel).logabsdet)


def jacob_cov(jacobian: Tensor) -> float:
    """-sum of log(v + k) + 1 / (v + k) over the eigenvalues v of the correlations of the images' rows of the Jacobian.

    ``jacobian``: the gradient of the summed outputs for each image, (b, ...) (Mellor et al., arXiv 2006.04647v1,
    section 3). An image without a gradient correlates fully with every other: the network treats them alike.
    """
    rows = jacobian.flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    length = rows.norm(dim=1, keepdim=True)
    rows = rows / length.clamp(min=1e-30)
    correlation = rows @ rows.T
    flat = length[:, 0] <= 1e-30
    correlation = correlation.masked_fill(flat[:, None] | flat[None, :], 1.0)
    v = torch.linalg.eigvalsh(correlation).clamp(min=0) + CONSTANT
    return -float((v.log() + 1 / v).sum())


def zen(features: Tensor, moved: Tensor, inputs: list[tuple[Tensor, int]]) -> float:
    """log of how far features (b, c, h, w) of images and of images moved a little are apart, plus what batch
    normalisations take off: the sum of log sqrt of the mean variance of what each is given (Zen-NAS, Lin et al., ICCV
    2021, algorithm 1).

    There weights are standard normal; ours are smaller by sqrt(2 / fan_in), which is made up for. The paper leaves out
    residual links and takes norms over the batch; here links are kept, as the cells are made of them.
    """
    apart = float((features - moved).norm())
    score = math.log(max(apart, 1e-30))
    for variance, n in inputs:
        score += 0.5 * math.log(max(float(variance.mean()), 1e-30)) + (0.5 * math.log(n / 2) if n else 0.0)
    return score


def synflow(network: Network, size: int) -> float:
    """log(1 + sum of |w dR/dw|), R the summed outputs for an image of ones, all weights made positive and batch
    normalisations left out (Tanaka et al., NeurIPS 2020, eq. 3; as a proxy: Abdelfattah et al., ICLR 2021)."""
    positive = copy.deepcopy(network).double()
    for layer in list(positive.modules()):
        for name, child in list(layer.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(layer, name, nn.Identity())
    layers = weights(positive)
    with torch.no_grad():
        for weight in layers:
            weight.abs_()
    out = positive(torch.ones(1, 3, size, size, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(out, layers, allow_unused=True)
    return math.log1p(
        sum(float((w.detach() * g).sum()) for w, g in zip(layers, gradients, strict=True) if g is not None)
    )
