"""Builds weight-free ONNX networks, and draws the settings of one around those of its paper.

A weight is an initializer with a shape and no value, as in NNLQP's files. Batch normalisation that follows a
convolution is folded into its weights, as exporters do for inference: the convolution has a bias instead.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from pipeline.spaces.cells import iso_hash

OPSET, IR_VERSION = 17, 8
INPUT = "input"


class Settings:
    """The settings of one network: the paper's own, or drawn around them when `rng` is given.

    Every method takes the paper's value. `narrower` multiplies every width, `number` is the variant's. Of a network
    drawn, `step` divides all widths: 8 or, for every other network, 16, as most published networks have it and runtimes
    like it.
    """

    def __init__(self, rng: random.Random | None = None, narrower: float = 1.0, number: int = 0) -> None:
        self.rng, self.narrower, self.number = rng, narrower, number
        self.step = rng.choice((8, 16)) if rng else 1

    def width(self, published: int) -> int:
        """Channels: 0.2 to 1.8 of the paper's, in steps of `step`, at least one step."""
        if self.rng is None:
            return published
        return self.step * max(1, round(published * self.rng.uniform(0.2, 1.8) * self.narrower / self.step))

    def kernel(self, published: int, choices: Sequence[int] = (1, 3, 5, 7)) -> int:
        """Edge of a square kernel."""
        return self.pick(published, choices)

    def depth(self, published: int) -> int:
        """Layers or blocks in a row: up to half more or fewer, at least one either way, never none."""
        if self.rng is None:
            return published
        spread = max(1, published // 2)
        return self.rng.randint(max(1, published - spread), published + spread)

    def pick(self, published, choices: Sequence):
        """One of `choices`."""
        return published if self.rng is None else self.rng.choice(choices)

    def stretch(self, published: Sequence) -> list:
        """A row of different layers: `depth` of them, cut at the end or the last one repeated."""
        return [published[min(i, len(published) - 1)] for i in range(self.depth(len(published)))]


class Builder:
    """Builds one network, batch 1, operation by operation; every method returns the name of the tensor it makes.

    `shapes` are those of the tensors made so far, `macs` the multiply-accumulates, `params` the elements
    of all weights. Kernels and images are square, or of one dimension.
    """

    kind = TensorProto.FLOAT  # of weights and numbers
    source = INPUT  # the network's own input; INPUT is what the families read

    def __init__(self, size: int = 224) -> None:
        self.source_kind = TensorProto.FLOAT
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: (1, 3, size, size)}
        self.macs = self.params = 0
        self._made = {INPUT: 0}  # tensor -> number of the node that makes it, the input being 0
        self._labels, self._edges = [INPUT], []
        self._shared: dict[str, str] = {}

    def reads(self, *shape: int, kind: int = TensorProto.FLOAT) -> str:
        """Make the input another one than an image: of this shape and element type."""
        self.shapes[INPUT], self.source_kind = shape, kind
        self._labels[0] = f"{INPUT} {shape}"
        return INPUT

    def channels(self, x: str) -> int:
        """Size of dimension 1."""
        return self.shapes[x][1]

    def weight(self, *shape: int) -> str:
        """A weight without a value."""
        tensor = TensorProto(name=f"w{len(self.weights)}", data_type=self.kind, dims=shape)
        self.weights.append(tensor)
        self.params += math.prod(shape)
        return tensor.name

    def tensor(self, weight: str) -> TensorProto:
        """The initializer of a weight."""
        return self.weights[int(weight[1:])]

    def constant(self, value: float | Sequence[float], kind: int | None = None) -> str:
        """A number, or a vector of integers such as Reshape takes; the same value is stored once."""
        is_vector = isinstance(value, Sequence)
        kind = kind or (TensorProto.INT64 if is_vector else self.kind)
        key = f"{kind} {value!r}"
        if key not in self._shared:
            name = self._shared[key] = f"c{len(self._shared)}"
            dims, values = ([len(value)], value) if is_vector else ([], [value])
            self.weights.append(helper.make_tensor(name, kind, dims, values))
        return self._shared[key]

    def op(self, kind: str, *inputs: str, shape: Sequence[int] | None = None, **attributes: object) -> str:
        """Any operation with one output, of the first input's shape unless `shape` is given."""
        return self.several(kind, *inputs, shapes=[self.shapes[inputs[0]] if shape is None else shape], **attributes)[0]

    def several(self, kind: str, *inputs: str, shapes: Sequence[Sequence[int]], **attributes: object) -> list[str]:
        """Any operation, with an output of each shape."""
        name = f"t{len(self.nodes)}"
        outputs = [name, *(f"{name}_{place}" for place in range(1, len(shapes)))]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        number = len(self._labels)
        for output, shape in zip(outputs, shapes, strict=True):
            self.shapes[output], self._made[output] = tuple(shape), number
        sizes = " ".join(str(self.shapes[output]) for output in outputs)
        self._labels.append(f"{kind} {len(inputs)} {sorted(attributes.items())} {sizes}")
        self._edges += [(self._made[x], number) for x in inputs if x in self._made]
        return outputs

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        pad: int | None = None,
        groups: int = 1,
        bias: bool = True,
        dilation: int = 1,
    ) -> str:
        """A convolution; padded to keep the size unless `pad` says otherwise."""
        pad = dilation * (kernel // 2) if pad is None else pad
        inside = self.channels(x) // groups
        sizes = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in self.shapes[x][2:]]
        window = _window(len(sizes), kernel, stride, pad)
        edges = window["kernel_shape"]
        self.macs += channels * math.prod(sizes) * inside * math.prod(edges)
        weights = [self.weight(channels, inside, *edges), *([self.weight(channels)] if bias else [])]
        extra = {"group": groups} if groups > 1 else {}
        extra |= {"dilations": [dilation] * len(sizes)} if dilation > 1 else {}
        return self.op("Conv", x, *weights, shape=(1, channels, *sizes), **window, **extra)

    def relu(self, x: str) -> str:
        """max(x, 0)."""
        return self.op("Relu", x)

    def pool(
        self, x: str, kernel: int = 3, stride: int = 2, pad: int = 0, kind: str = "MaxPool", ceil: bool = False, **more
    ) -> str:
        """A max or average pooling. `ceil`: the output size is rounded up."""
        rounded = math.ceil if ceil else math.floor
        sizes = [rounded((size + 2 * pad - kernel) / stride) + 1 for size in self.shapes[x][2:]]
        extra = {"ceil_mode": 1} if ceil else {}
        window = _window(len(sizes), kernel, stride, pad)
        return self.op(kind, x, shape=(1, self.channels(x), *sizes), **window, **extra, **more)

    def add(self, x: str, y: str) -> str:
        """Elementwise sum of two tensors of one shape."""
        return self.op("Add", x, y)

    def concat(self, *xs: str) -> str:
        """Joins tensors along the channels."""
        _, _, *size = self.shapes[xs[0]]
        return self.op("Concat", *xs, axis=1, shape=(1, sum(map(self.channels, xs)), *size))

    def mean(self, x: str) -> str:
        """Global average pooling."""
        ones = [1] * len(self.shapes[x][2:])
        return self.op("GlobalAveragePool", x, shape=(1, self.channels(x), *ones))

    def flatten(self, x: str) -> str:
        """(1, everything)."""
        return self.op("Flatten", x, shape=(1, math.prod(self.shapes[x])))

    def linear(self, x: str, outputs: int) -> str:
        """A fully connected layer on (1, inputs)."""
        inputs = self.channels(x)
        self.macs += inputs * outputs
        return self.op("Gemm", x, self.weight(outputs, inputs), self.weight(outputs), shape=(1, outputs), transB=1)

    def norm(self, x: str) -> str:
        """Batch normalisation that no convolution can take in."""
        return self.op("BatchNormalization", x, *(self.weight(self.channels(x)) for _ in range(4)))

    def layer_norm(self, x: str) -> str:
        """Normalisation over the last dimension."""
        size = self.shapes[x][-1]
        return self.op("LayerNormalization", x, self.weight(size), self.weight(size), epsilon=1e-6)

    def reshape(self, x: str, *shape: int) -> str:
        """The same elements in another shape."""
        return self.op("Reshape", x, self.constant(list(shape)), shape=shape)

    def transpose(self, x: str, *perm: int) -> str:
        """Dimension i of the result is dimension perm[i] of `x`."""
        return self.op("Transpose", x, perm=list(perm), shape=[self.shapes[x][axis] for axis in perm])

    def matmul(self, x: str, y: str) -> str:
        """Batched matrix product of two tensors."""
        shape = (*self.shapes[x][:-1], self.shapes[y][-1])
        self.macs += math.prod(shape) * self.shapes[x][-1]
        return self.op("MatMul", x, y, shape=shape)

    def dense(self, x: str, outputs: int) -> str:
        """A fully connected layer on the last dimension: MatMul and Add, as exporters write it."""
        *rest, inputs = self.shapes[x]
        self.macs += math.prod(rest) * inputs * outputs
        y = self.op("MatMul", x, self.weight(inputs, outputs), shape=(*rest, outputs))
        return self.op("Add", y, self.weight(outputs))

    def structure(self) -> int:
        """A hash that networks of the same operations, attributes, shapes and wiring share, in whatever order built."""
        return iso_hash(self._labels, self._edges)

    def model(self, output: str) -> onnx.ModelProto:
        """The finished network."""
        output_info = helper.make_tensor_value_info(output, TensorProto.FLOAT, self.shapes[output])
        input_info = helper.make_tensor_value_info(self.source, self.source_kind, self.shapes[INPUT])
        graph = helper.make_graph(self.nodes, "network", [input_info], [output_info], initializer=self.weights)
        domains = {"", *(node.domain for node in self.nodes)}
        opsets = [helper.make_opsetid(domain, 1 if domain else OPSET) for domain in sorted(domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="nn-former-bench")


def _window(rank: int, kernel: int, stride: int, pad: int) -> dict[str, list[int]]:
    """The attributes of a convolution or a pooling over `rank` dimensions."""
    return {"kernel_shape": [kernel] * rank, "strides": [stride] * rank, "pads": [pad] * 2 * rank}
