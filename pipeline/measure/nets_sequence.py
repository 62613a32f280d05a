"""Networks on sequences of vectors: recurrent ones and temporal convolutions. The input is made of floats."""

from __future__ import annotations

from pipeline.measure.builder import Builder, Settings

GATES = {"LSTM": 4, "GRU": 3}


def recurrent(b: Builder, s: Settings) -> str:
    """Hochreiter and Schmidhuber, Neural Computation 1997 (LSTM); Cho et al., EMNLP 2014 (GRU). As its own network
    stands the medium one of Zaremba et al. 2014 (arXiv:1409.2329): two layers of 650 cells on 35 words, here given as
    vectors, and the next of 10,000 words. Varied: the kind, layers, directions, steps, cells, inputs, classes.
    """
    kind, layers, directions = s.pick("LSTM", tuple(GATES)), s.pick(2, (1, 2, 3)), s.pick(1, (1, 2))
    steps, hidden = s.pick(35, (16, 32, 64, 96, 128, 192, 256)), s.pick(650, range(32, 513, 16))
    inputs, classes = s.pick(650, range(32, 513, 32)), s.pick(10_000, (2, 10, 100, 1000, 10_000))
    x = b.transpose(b.reads(1, steps, inputs), 1, 0, 2)
    for _ in range(layers):
        x = _layer(b, x, kind, hidden, directions)
    last = b.op("Gather", x, b.constant([-1]), axis=0, shape=(1, 1, hidden * directions))
    return b.linear(b.flatten(last), classes)


def _layer(b: Builder, x: str, kind: str, hidden: int, directions: int) -> str:
    """(steps, 1, inputs) to (steps, 1, directions x hidden)."""
    steps, _, inputs = b.shapes[x]
    rows = GATES[kind] * hidden
    b.macs += steps * directions * rows * (inputs + hidden)
    sizes = ((directions, rows, inputs), (directions, rows, hidden), (directions, 2 * rows))
    about = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
    about |= {"linear_before_reset": 1} if kind == "GRU" else {}
    y = b.op(kind, x, *(b.weight(*size) for size in sizes), shape=(steps, directions, 1, hidden), **about)
    return b.reshape(b.transpose(y, 0, 2, 1, 3), steps, 1, directions * hidden)


def conv1d(b: Builder, s: Settings) -> str:
    """Bai et al. 2018 (arXiv:1803.01271), the temporal convolutional network for the 784 pixels of sequential MNIST.
    Varied: channels and length of the input, widths, kernels, levels, the step of a first convolution that shortens the
    signal as M5's does (Dai et al., ICASSP 2017), classes, and whether a position sees later ones.
    """
    channels, length, stride = s.pick(1, (1, 2, 16, 40, 64)), s.pick(784, range(500, 16_001, 500)), s.pick(1, (1, 2, 4))
    kernel, causal, levels = s.kernel(7, (3, 5, 7, 9)), s.pick(True, (True, False)), s.pick(8, range(3, 11))
    scale = s.pick(1, (1, 2, 4, 8))
    x = b.reads(1, channels, length)
    if stride > 1:
        x = b.relu(b.conv(x, s.width(25 * scale), 4 * stride, stride, pad=2 * stride))
    for level in range(levels):
        width = s.width(25 * scale)
        y = x
        for _ in range(2):
            y = b.relu(_dilated(b, y, width, kernel, 1 << min(level, 7), causal))
        x = b.relu(b.add(y, x if b.channels(x) == width else b.conv(x, width)))
    last = (1, b.channels(x), 1)
    x = b.op("Gather", x, b.constant([-1]), axis=2, shape=last) if causal else b.mean(x)
    return b.linear(b.flatten(x), s.pick(10, (10, 35, 128)))


def _dilated(b: Builder, x: str, width: int, kernel: int, dilation: int, causal: bool) -> str:
    """A dilated convolution that keeps the length; what a causal one sees of later positions is cut off again."""
    if not causal:
        return b.conv(x, width, kernel, dilation=dilation)
    y = b.conv(x, width, kernel, pad=dilation * (kernel - 1), dilation=dilation)
    window = [b.constant(entry) for entry in ([0], [b.shapes[x][2]], [2])]
    return b.op("Slice", y, *window, shape=(1, width, b.shapes[x][2]))
