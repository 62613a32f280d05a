"""Networks of one operation that goes through a tensor element by element, reduces it or moves its elements.

An operation draws its input and its own settings; `pipeline.measure.nets_operations` has the list of all.
"""

from __future__ import annotations

import math

from onnx import TensorProto

from pipeline.measure.builder import Builder, Settings

CHANNELS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
EDGES = (7, 8, 14, 16, 28, 32, 56, 112)
LENGTHS = (4, 16, 32, 64, 128, 197, 256, 512)
WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512, 768)


def tensor(b: Builder, s: Settings) -> str:
    """The input: an image of some channels, or a sequence of vectors."""
    if s.pick(True, (True, False)):
        return image(b, s)
    return b.reads(1, s.pick(128, LENGTHS), s.pick(256, WIDTHS))


def image(b: Builder, s: Settings, rank: int = 2) -> str:
    edge = s.pick(56, EDGES if rank == 2 else (8, 14, 16, 28))
    return b.reads(1, s.pick(64, CHANNELS), *[edge] * rank)


def signal(b: Builder, s: Settings) -> str:
    return b.reads(1, s.pick(64, CHANNELS), s.pick(1000, (100, 250, 500, 1000, 2000, 4000)))


def repeated(b: Builder, s: Settings, kind: str, **attributes: object) -> str:
    x = tensor(b, s)
    for _ in range(s.pick(1, (1, 2, 4))):
        x = b.op(kind, x, **attributes)
    return x


def with_tensor(b: Builder, s: Settings, kind: str) -> str:
    """With a second operand: of the same shape, a number a channel, or one number."""
    x = tensor(b, s)
    for _ in range(s.pick(1, (1, 2, 4))):
        y = s.pick("same", ("same", "channels", "number"))
        if y == "same":
            other = b.weight(*b.shapes[x])
        else:
            other = b.weight(*_a_channel(b, x)) if y == "channels" else b.constant(0.5)
        x = b.op(kind, x, other)
    return x


def _a_channel(b: Builder, x: str) -> tuple[int, ...]:
    """The shape of a number a channel, those of an image in front."""
    shape = b.shapes[x]
    return (shape[1], *[1] * (len(shape) - 2)) if len(shape) > 3 else shape[-1:]


def power(b: Builder, s: Settings) -> str:
    return b.op("Pow", tensor(b, s), b.constant(s.pick(2.0, (2.0, 3.0, 0.5))))


def slope(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    return b.op("PRelu", x, b.weight(*_a_channel(b, x)))


def chosen(b: Builder, s: Settings) -> str:
    """The larger of a tensor and a number, by a mask."""
    x = tensor(b, s)
    mask = b.op("Greater", x, b.constant(0.5))
    return b.op("Where", mask, x, b.constant(0.25))


def cast(b: Builder, s: Settings) -> str:
    to = s.pick(TensorProto.INT64, (TensorProto.INT64, TensorProto.INT32, TensorProto.DOUBLE, TensorProto.UINT8))
    return b.op("Cast", b.op("Cast", tensor(b, s), to=to), to=TensorProto.FLOAT)


def _axes(b: Builder, s: Settings, x: str) -> list[int]:
    """The last axis, the first that is not the batch, or an image's both last."""
    rank = len(b.shapes[x])
    return s.pick([rank - 1], ([rank - 1], [1], list(range(2, rank))))


def reduced(b: Builder, s: Settings, kind: str) -> str:
    x = tensor(b, s)
    axes = _axes(b, s, x)
    shape = [1 if axis in axes else size for axis, size in enumerate(b.shapes[x])]
    if kind == "ReduceSum":
        return b.op(kind, x, b.constant(axes), shape=shape)
    return b.op(kind, x, shape=shape, axes=axes)


def largest(b: Builder, s: Settings, kind: str) -> str:
    x = tensor(b, s)
    axis = _axes(b, s, x)[0]
    shape = [1 if place == axis else size for place, size in enumerate(b.shapes[x])]
    return b.op("Cast", b.op(kind, x, shape=shape, axis=axis), to=TensorProto.FLOAT)


def top(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    *rest, size = b.shapes[x]
    k = min(size, s.pick(1, (1, 5, 10)))
    values, _ = b.several("TopK", x, b.constant([k]), shapes=[(*rest, k)] * 2)
    return values


def along(b: Builder, s: Settings, kind: str) -> str:
    x = tensor(b, s)
    return b.op(kind, x, axis=_axes(b, s, x)[0])


def running_sum(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    return b.op("CumSum", x, b.constant(_axes(b, s, x)[0], TensorProto.INT64))


def instance_norm(b: Builder, s: Settings) -> str:
    x = s.pick(image, (image, signal))(b, s)
    return b.op("InstanceNormalization", x, b.weight(b.channels(x)), b.weight(b.channels(x)))


def group_norm(b: Builder, s: Settings) -> str:
    """In groups of channels, as exporters write it: a normalisation of instances between two changes of shape."""
    x = image(b, s)
    shape, groups = b.shapes[x], s.pick(8, (1, 2, 4, 8))
    scale, shift = (b.constant([1.0] * groups, TensorProto.FLOAT), b.constant([0.0] * groups, TensorProto.FLOAT))
    y = b.op("InstanceNormalization", b.reshape(x, 1, groups, math.prod(shape) // groups), scale, shift)
    y = b.reshape(y, *shape)
    return b.op("Add", b.op("Mul", y, b.weight(shape[1], 1, 1)), b.weight(shape[1], 1, 1))


def response_norm(b: Builder, s: Settings) -> str:
    return b.op("LRN", image(b, s), size=s.pick(5, (3, 5)))


def layer_norm(b: Builder, s: Settings) -> str:
    return b.layer_norm(tensor(b, s))


def batch_norm(b: Builder, s: Settings) -> str:
    return b.norm(s.pick(image, (image, signal))(b, s))


def transposed(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    turns = ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 1, 3)) if len(b.shapes[x]) > 3 else ((0, 2, 1), (1, 0, 2))
    return b.transpose(x, *s.pick(turns[0], turns))


def joined(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    axis, n = s.pick(1, (1, len(b.shapes[x]) - 1)), s.pick(2, (2, 3, 4))
    shape = list(b.shapes[x])
    shape[axis] *= n
    return b.op("Concat", *[x] * n, axis=axis, shape=shape)


def cut(b: Builder, s: Settings) -> str:
    """A part along an axis: a half, all but the first, or every second."""
    x = tensor(b, s)
    axis = s.pick(1, range(1, len(b.shapes[x])))
    shape = list(b.shapes[x])
    size = shape[axis]
    start, end, step = s.pick((0, size // 2, 1), ((0, size // 2, 1), (1, size, 1), (0, size, 2)))
    shape[axis] = -(-(end - start) // step)
    return b.op("Slice", x, *(b.constant([entry]) for entry in (start, end, axis, step)), shape=shape)


def split(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    axis, n = s.pick(1, (1, len(b.shapes[x]) - 1)), s.pick(2, (2, 4))
    shape = list(b.shapes[x])
    part = shape[axis] = shape[axis] // n
    left = b.shapes[x][axis] - (n - 1) * part
    sizes = [shape[:axis] + [size] + shape[axis + 1 :] for size in [part] * (n - 1) + [left]]
    return b.several("Split", x, b.constant([size[axis] for size in sizes]), shapes=sizes, axis=axis)[0]


def gathered(b: Builder, s: Settings) -> str:
    x = tensor(b, s)
    axis = s.pick(1, range(1, len(b.shapes[x])))
    shape = list(b.shapes[x])
    n = min(shape[axis], s.pick(4, (1, 4, 16, 64)))
    shape[axis] = n
    return b.op("Gather", x, b.constant(list(range(n))), axis=axis, shape=shape)


def padded(b: Builder, s: Settings) -> str:
    x = s.pick(image, (image, signal))(b, s)
    rank, more = len(b.shapes[x]), s.pick(1, (1, 2, 3))
    pads = [0, 0, *[more] * (rank - 2)]
    shape = [size + 2 * pad for size, pad in zip(b.shapes[x], pads, strict=True)]
    return b.op("Pad", x, b.constant(pads * 2), shape=shape, mode=s.pick("constant", ("constant", "reflect", "edge")))


def spread(b: Builder, s: Settings, kind: str) -> str:
    """Every number of a channel as often as an image has places, or a tensor twice to four times."""
    if kind == "Expand":
        x = b.reads(1, s.pick(64, CHANNELS), 1, 1)
        shape = (1, b.channels(x), *[s.pick(56, EDGES)] * 2)
        return b.op(kind, x, b.constant(list(shape)), shape=shape)
    x = tensor(b, s)
    times = [1] * len(b.shapes[x])
    times[s.pick(1, range(1, len(times)))] = s.pick(2, (2, 4))
    return b.op(kind, x, b.constant(times), shape=[n * size for n, size in zip(times, b.shapes[x], strict=True)])


def resized(b: Builder, s: Settings, mode: str) -> str:
    x = image(b, s)
    _, channels, edge, _ = b.shapes[x]
    shape = (1, channels, *[edge * 2 if edge < 112 else edge // 2] * 2)
    return b.op("Resize", x, "", "", b.constant(list(shape)), shape=shape, mode=mode)


def blocks(b: Builder, s: Settings, kind: str) -> str:
    x = image(b, s)
    _, channels, edge, _ = b.shapes[x]
    shape = (
        (1, channels // 4, 2 * edge, 2 * edge) if kind == "DepthToSpace" else (1, channels * 4, edge // 2, edge // 2)
    )
    if kind == "SpaceToDepth" and edge % 2:
        x = b.reads(1, channels, edge - 1, edge - 1)
    return b.op(kind, x, blocksize=2, shape=shape)


def another_rank(b: Builder, s: Settings, kind: str) -> str:
    x = tensor(b, s)
    if kind == "Unsqueeze":
        return b.op(kind, x, b.constant([0]), shape=(1, *b.shapes[x]))
    if kind == "Squeeze":
        return b.op(kind, x, b.constant([0]), shape=b.shapes[x][1:])
    return b.reshape(x, math.prod(b.shapes[x][:2]), math.prod(b.shapes[x][2:]))


def to_8_bits(b: Builder, s: Settings) -> str:
    """To 8 bits and back."""
    return there_and_back(b, tensor(b, s))


def there_and_back(b: Builder, x: str) -> str:
    """QuantizeLinear and DequantizeLinear."""
    about = b.constant(0.05), b.constant(128, TensorProto.UINT8)
    return b.op("DequantizeLinear", b.op("QuantizeLinear", x, *about), *about)
