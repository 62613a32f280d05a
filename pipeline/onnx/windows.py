"""Where the windows of convolutions and poolings stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipeline.onnx.model import Shape

Settings = Mapping[str, object]


def window(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], automatic: bytes, up: bool = False
) -> int:
    """Positions of a window along one axis."""
    if automatic.startswith(b"SAME"):
        return math.ceil(size / stride)
    span = dilation * (kernel - 1) + 1
    room = size + (0 if automatic == b"VALID" else sum(pads)) - span
    count = (-(-room // stride) if up else room // stride) + 1
    return count - (up and (count - 1) * stride >= size + pads[0])


def windows(settings: Settings, sizes: Shape, kernel: Sequence[int]) -> Shape:
    """Output sizes of windows of `kernel` over `sizes`, by the attributes of a convolution or pooling.

    With ceil_mode the last window must start inside the input or its padding before it, as runtimes and the
    specification have it since opset 22; onnx's inference of older opsets counts one that starts behind.
    """
    n, ones = len(sizes), [1] * len(sizes)
    strides, dilations = settings.get("strides") or ones, settings.get("dilations") or ones
    pads, automatic = settings.get("pads") or [0] * 2 * n, settings.get("auto_pad", b"NOTSET")
    up = bool(settings.get("ceil_mode", 0))
    return tuple(
        window(sizes[i], kernel[i], strides[i], dilations[i], (pads[i], pads[i + n]), automatic, up) for i in range(n)
    )


def same_pads(op: str, values: dict[str, tuple], before: tuple, after: tuple, lower: bool) -> tuple[int, ...]:
    """The pads that auto_pad SAME_UPPER or SAME_LOWER stands for: all begins, then all ends."""
    if op == "ConvTranspose":
        before, after = after, before
    begins, ends = [], []
    sizes = zip(before, after, values["kernel_shape"], values["strides"], values["dilations"], strict=True)
    for size, count, kernel, stride, dilation in sizes:
        total = max((count - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(large if lower else small)
        ends.append(small if lower else large)
    return (*begins, *ends)
