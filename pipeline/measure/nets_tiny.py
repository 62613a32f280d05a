"""Networks of at most some twenty operations that take less than about 0.1 ms."""

from __future__ import annotations

from onnx import TensorProto

from pipeline.measure.builder import Builder, Settings

WIDTHS = (4, 8, 12, 16, 24, 32)
KINDS = (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64)  # of inputs


def tiny(b: Builder, s: Settings) -> str:
    """LeNet-5 (LeCun et al., Proceedings of the IEEE 1998), as it is taught: full second layer, Tanh, linear output.

    Varied: what it is at all: layers on a vector, convolutions on an image of 8 to 32 pixels or on a signal;
    whether the input is of another type, and cast, or longer, and cut.
    """
    return s.pick(_lenet, (_layers, _image, _signal))(b, s)


def _lenet(b: Builder, s: Settings) -> str:
    x = b.reads(1, 1, 32, 32)
    for width in (6, 16):
        x = b.pool(b.op("Tanh", b.conv(x, width, 5, pad=0)), 2, kind="AveragePool")
    x = b.flatten(x)
    for units in (120, 84):
        x = b.op("Tanh", b.linear(x, units))
    return b.linear(x, 10)


def _layers(b: Builder, s: Settings) -> str:
    x = _input(b, s, 1, s.pick(4, (4, 8, 13, 16, 32, 64, 128)))
    act = s.pick("Relu", ("Relu", "Tanh", "Sigmoid"))
    for _ in range(s.pick(1, range(5))):
        x = b.op(act, b.linear(x, s.pick(8, (8, 16, 24, 32, 64, 100, 128))))
    return b.linear(x, s.pick(1, (1, 2, 3, 10)))


def _image(b: Builder, s: Settings) -> str:
    edge = s.pick(8, (8, 12, 16, 24, 28, 32))
    return _convolutions(b, s, _input(b, s, 1, s.pick(1, (1, 3)), edge, edge), s.pick(1, range(1, 7)))


def _signal(b: Builder, s: Settings) -> str:
    channels, length = s.pick(1, (1, 3, 6, 9)), s.pick(32, (32, 50, 64, 100, 128))
    return _convolutions(b, s, _input(b, s, 1, channels, length), s.pick(1, (1, 2, 3)))


def _input(b: Builder, s: Settings, *shape: int) -> str:
    """An input of this shape, once it is cast and cut."""
    *rest, size = shape
    kind, more = s.pick(TensorProto.FLOAT, KINDS), s.pick(0, (0, 0, 1, 8))
    x = b.reads(*rest, size + more, kind=kind)
    if kind != TensorProto.FLOAT:
        x = b.op("Cast", x, to=TensorProto.FLOAT)
    if more:
        x = b.op("Slice", x, *(b.constant([entry]) for entry in (0, size, len(rest))), shape=shape)
    return x


def _convolutions(b: Builder, s: Settings, x: str, n: int) -> str:
    """`n` convolutions, of which those on many positions shorten it, and a layer on what is left or on its mean."""
    for _ in range(n):
        stride = s.pick(1, (1, 2)) if b.shapes[x][2] > 16 else 1
        x = b.relu(b.conv(x, s.pick(8, WIDTHS if b.shapes[x][2] <= 16 else WIDTHS[:4]), s.kernel(3, (1, 3, 5)), stride))
        if b.shapes[x][2] > 8 and s.pick(False, (True, False)):
            x = b.pool(x, 2)
    x = b.mean(x) if s.pick(True, (True, False)) else x
    return b.linear(b.flatten(x), s.pick(10, (2, 4, 10)))
