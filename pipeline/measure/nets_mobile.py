"""Mobile networks of inverted residual blocks: MobileNetV2, MobileNetV3-Large, MnasNet-B1, EfficientNet-B0.

The paper's own settings are those of torchvision. Depthwise kernels vary from 1 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.measure.builder import INPUT, Builder, Settings

DEPTHWISE = (1, 3, 5, 7, 9)
EXPANSIONS = (1, 2, 3, 4, 6, 8)
SQUEEZES = (0.0, 0.0, 0.125, 0.25, 0.5)
Activation = Callable[[Builder, str], str]


class Stage(NamedTuple):
    """Blocks of one width: kernel, stride of the first block, expansion, width, number of blocks."""

    kernel: int
    stride: int
    expansion: int
    width: int
    depth: int


def mobilenetv2(b: Builder, s: Settings) -> str:
    """Sandler et al., CVPR 2018. Varied: widths, depthwise kernels, expansions, the number of blocks of a stage."""
    stages = (
        *((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (3, 2, 6, 32, 3), (3, 2, 6, 64, 4)),
        *((3, 1, 6, 96, 3), (3, 2, 6, 160, 3), (3, 1, 6, 320, 1)),
    )
    x = relu6(b, b.conv(INPUT, s.width(32), 3, 2))
    for stage in stages:
        x = _stage(b, s, x, Stage(*stage), relu6, None)
    return _head(b, relu6(b, b.conv(x, s.width(1280))))


def mnasnet(b: Builder, s: Settings) -> str:
    """Tan et al., CVPR 2019, model B1. Varied: widths, depthwise kernels, expansions, blocks, and a
    squeeze-and-excitation for each stage, which B1 lacks and A1 has."""
    stages = (
        *((3, 1, 1, 16, 1), (3, 2, 3, 24, 3), (5, 2, 3, 40, 3), (5, 2, 6, 80, 3)),
        *((3, 1, 6, 96, 2), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)),
    )
    x = b.relu(b.conv(INPUT, s.width(32), 3, 2))
    for stage in stages:
        x = _stage(b, s, x, Stage(*stage), Builder.relu, 0.0)
    return _head(b, b.relu(b.conv(x, s.width(1280))))


def efficientb0(b: Builder, s: Settings) -> str:
    """Tan and Le, ICML 2019. Varied: widths, depthwise kernels, expansions, blocks, the squeeze ratio of a stage."""
    stages = (
        *((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3)),
        *((5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)),
    )
    x = silu(b, b.conv(INPUT, s.width(32), 3, 2))
    for stage in stages:
        x = _stage(b, s, x, Stage(*stage), silu, 0.25)
    return _head(b, silu(b, b.conv(x, s.width(1280))))


def mobilenetv3(b: Builder, s: Settings) -> str:
    """Howard et al., ICCV 2019, the large one. Varied: widths outside and inside blocks, depthwise kernels, blocks,
    squeeze-and-excitation of a stage."""
    x = hard_swish(b, b.conv(INPUT, s.width(16), 3, 2))
    for act, kernel, stride, squeeze, width, insides in (
        (Builder.relu, 3, 1, 0.0, 16, (16,)),
        (Builder.relu, 3, 2, 0.0, 24, (64, 72)),
        (Builder.relu, 5, 2, 0.25, 40, (72, 120, 120)),
        (hard_swish, 3, 2, 0.0, 80, (240, 200, 184, 184)),
        (hard_swish, 3, 1, 0.25, 112, (480, 672)),
        (hard_swish, 5, 2, 0.25, 160, (672, 960, 960)),
    ):
        channels_out, ratio = s.width(width), s.pick(squeeze, SQUEEZES)
        for block, own in enumerate(s.stretch(insides)):
            hidden = b.channels(x) if own == b.channels(x) else s.width(own)
            squeezed = _by_eight(hidden * ratio) if ratio else 0
            x = _block(
                b,
                x,
                hidden,
                channels_out,
                s.kernel(kernel, DEPTHWISE),
                1 if block else stride,
                act,
                squeezed,
                _hard_gate,
            )
    x = b.mean(hard_swish(b, b.conv(x, s.width(960))))
    return b.linear(hard_swish(b, b.linear(b.flatten(x), s.width(1280))), 1000)


def relu6(b: Builder, x: str) -> str:
    """min(max(x, 0), 6)."""
    return b.op("Clip", x, b.constant(0.0), b.constant(6.0))


def silu(b: Builder, x: str) -> str:
    """x sigmoid(x)."""
    return b.op("Mul", x, b.op("Sigmoid", x))


def hard_swish(b: Builder, x: str) -> str:
    """x min(max(x + 3, 0), 6) / 6."""
    return b.op("HardSwish", x)


def _stage(b: Builder, s: Settings, x: str, published: Stage, act: Activation, squeeze: float | None) -> str:
    """`squeeze`: the paper's ratio of squeezed channels to the block's input; None where it is not varied."""
    channels_out = s.width(published.width)
    expansion = s.pick(published.expansion, EXPANSIONS)
    ratio = 0.0 if squeeze is None else s.pick(squeeze, SQUEEZES)
    for block in range(s.depth(published.depth)):
        squeezed = max(1, int(b.channels(x) * ratio)) if ratio else 0
        hidden = b.channels(x) * expansion
        kernel, stride = s.kernel(published.kernel, DEPTHWISE), 1 if block else published.stride
        x = _block(b, x, hidden, channels_out, kernel, stride, act, squeezed, _gate if act is silu else _relu_gate)
    return x


def _block(
    b: Builder,
    x: str,
    hidden: int,
    channels_out: int,
    kernel: int,
    stride: int,
    act: Activation,
    squeezed: int,
    gate: Callable[[Builder, str, int], str],
) -> str:
    """Expansion (left out when it widens nothing), depthwise convolution, gate of `squeezed` channels, projection."""
    y = x if hidden == b.channels(x) else act(b, b.conv(x, hidden))
    y = act(b, b.conv(y, hidden, kernel, stride, groups=hidden))
    if squeezed:
        y = b.op("Mul", y, gate(b, b.mean(y), squeezed))
    y = b.conv(y, channels_out)
    return b.add(x, y) if stride == 1 and channels_out == b.channels(x) else y


def _gate(b: Builder, x: str, squeezed: int) -> str:
    return b.op("Sigmoid", b.conv(silu(b, b.conv(x, squeezed)), b.channels(x)))


def _relu_gate(b: Builder, x: str, squeezed: int) -> str:
    return b.op("Sigmoid", b.conv(b.relu(b.conv(x, squeezed)), b.channels(x)))


def _hard_gate(b: Builder, x: str, squeezed: int) -> str:
    return b.op("HardSigmoid", b.conv(b.relu(b.conv(x, squeezed)), b.channels(x)), alpha=1 / 6)


def _by_eight(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and never more than a tenth below: MobileNet's rounding."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _head(b: Builder, x: str) -> str:
    return b.linear(b.flatten(b.mean(x)), 1000)
