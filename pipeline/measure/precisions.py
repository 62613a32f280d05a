"""The families' networks in 8-bit integers and in half precision, as exporters write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from pipeline.measure import nets_attention, nets_mobile, nets_plain
from pipeline.measure.builder import INPUT, Builder, Settings

NETWORKS = (
    *(nets_plain.alexnet, nets_plain.googlenet, nets_plain.resnet18, nets_plain.squeezenet, nets_plain.vgg16),
    *(nets_mobile.efficientb0, nets_mobile.mnasnet, nets_mobile.mobilenetv2, nets_mobile.mobilenetv3),
    *(nets_attention.vit, nets_attention.bert),
)
WEIGHTED = ("Conv", "Gemm", "MatMul")
# Operations that have an 8-bit kernel, when all they read are activations.
CARRIED = ("Add", "Mul", "Sigmoid", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool")
FUSED = ("Relu", "Clip")  # into the operation before them, as is a bias
MOVED = ("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Reshape", "Transpose", "Flatten", "Gather")
POSITIVE = (*FUSED, "Sigmoid", "Softmax", "HardSigmoid")
SCALE = 6 / 256  # of activations that are never negative; the others', from -6 to 6, is twice that


def any_network(b: Builder, s: Settings) -> str:
    """ResNet-18. Varied: of which of eleven families, and all that varies there."""
    return s.pick(nets_plain.resnet18, NETWORKS)(b, s)


class Float16(Builder):
    """Weights and activations in half precision (Micikevicius et al., ICLR 2018), input and output in single.

    Where a runtime has no such kernel, as for most operations on CPUs, it converts back and forth by itself.
    """

    kind = TensorProto.FLOAT16
    source = "single"

    def __init__(self, size: int = 224) -> None:
        super().__init__(size)
        self.nodes.append(helper.make_node("Cast", [self.source], [INPUT], to=TensorProto.FLOAT16))

    def reads(self, *shape: int, kind: int = TensorProto.FLOAT) -> str:
        """As in Builder; integers are not converted."""
        if kind != TensorProto.FLOAT:
            self.source = INPUT
            del self.nodes[0]
        return super().reads(*shape, kind=kind)

    def model(self, output: str) -> onnx.ModelProto:
        """The finished network."""
        return super().model(self.op("Cast", output, to=TensorProto.FLOAT))


class Quantized(Builder):
    """Static quantization (Jacob et al., CVPR 2018) in the form of pairs of QuantizeLinear and DequantizeLinear.

    Weights are int8 and their biases int32, one scale a tensor; activations are uint8 between operations that have such
    kernels. Scales are made up. Normalisation, Softmax and activations other than Relu and Sigmoid stay in floats.
    """

    def __init__(self, size: int = 224) -> None:
        super().__init__(size)
        self._positive: set[str] = set()  # tensors without negative numbers
        self._wide: set[str] = set()  # what 8-bit kernels make, not yet rounded
        self._pairs: dict[str, str] = {}  # tensor: what rounding makes of it

    def op(self, kind: str, *inputs: str, shape: Sequence[int] | None = None, **attributes: object) -> str:
        """As in Builder, with the inputs rounded that the operation reads in 8 bits."""
        carried = kind in WEIGHTED or (kind in CARRIED and all(x in self.shapes for x in inputs))
        fused = kind in FUSED or (kind == "Add" and not carried)  # a bias
        waits = set() if fused else self._wide
        n_read = 1 if kind in WEIGHTED else len(inputs)
        read = [self._rounded(x) if carried or x in waits else x for x in inputs[:n_read]]
        read += self._weights(inputs) if kind in WEIGHTED else []
        output = super().op(kind, *read, shape=shape or self.shapes[inputs[0]], **attributes)
        if kind in POSITIVE or (kind in MOVED and all(x in self._positive for x in inputs if x in self.shapes)):
            self._positive.add(output)
        if carried or (fused and inputs[0] in self._wide):
            self._wide.add(output)
        return output

    def _weights(self, inputs: tuple[str, ...]) -> list[str]:
        """The second factor and the bias."""
        x, factor, *bias = inputs
        if factor in self.shapes:
            return [self._rounded(factor)]
        tensor = self.tensor(factor)
        tensor.data_type = TensorProto.INT8
        fan_in = math.prod(tensor.dims[1:]) if len(tensor.dims) > 2 else max(tensor.dims)
        scale = math.sqrt(2 / fan_in) / 32
        read = [self._exact(factor, scale, TensorProto.INT8)]
        for name in bias:
            self.tensor(name).data_type = TensorProto.INT32
            self.params -= math.prod(self.tensor(name).dims)  # integers of this size are not counted as weights
            read.append(self._exact(name, scale * self._about(x)[0], TensorProto.INT32))
        return read

    def _exact(self, weight: str, scale: float, kind: int) -> str:
        zero = self.constant(0, kind)
        return super().op("DequantizeLinear", weight, self.constant(scale), zero, shape=self.tensor(weight).dims)

    def _about(self, x: str) -> tuple[float, int]:
        """Scale and zero of an activation."""
        return (SCALE, 0) if x in self._positive else (2 * SCALE, 128)

    def _rounded(self, x: str) -> str:
        if x not in self._pairs:
            scale, zero = self._about(x)
            about = self.constant(scale), self.constant(zero, TensorProto.UINT8)
            self._pairs[x] = super().op("DequantizeLinear", super().op("QuantizeLinear", x, *about), *about)
        return self._pairs[x]


class Dynamic(Builder):
    """Dynamic quantization, as ONNX Runtime's own tool writes it: weights are int8, one scale a tensor; what a matrix
    product or a convolution reads is rounded to uint8 by its own range as it comes. All else stays in floats."""

    def __init__(self, size: int = 224) -> None:
        super().__init__(size)
        self._read: dict[str, list[str]] = {}  # tensor: what rounding makes of it

    def op(self, kind: str, *inputs: str, shape: Sequence[int] | None = None, **attributes: object) -> str:
        """As in Builder, products with weights in integers."""
        if kind not in WEIGHTED or inputs[1] in self.shapes:
            return super().op(kind, *inputs, shape=shape, **attributes)
        x, factor, *bias = inputs
        if kind == "Gemm":
            self.tensor(factor).dims[:] = reversed(self.tensor(factor).dims)
            attributes = {}
        if x not in self._read:
            self._read[x] = rounded(self, x)
        product = "ConvInteger" if kind == "Conv" else "MatMulInteger"
        y = integer_product(self, product, self._read[x], factor, shape, **attributes)
        for name in bias:
            if kind == "Conv":
                self.tensor(name).dims.extend([1] * (len(shape) - 2))
            y = super().op("Add", y, name)
        return y


def rounded(b: Builder, x: str) -> list[str]:
    """A tensor in uint8 by its own range, the scale and the zero."""
    return b.several("DynamicQuantizeLinear", x, shapes=[b.shapes[x], (), ()])


def integer_product(
    b: Builder, kind: str, read: Sequence[str], factor: str, shape: Sequence[int], **attributes: object
) -> str:
    """ConvInteger or MatMulInteger of what `rounded` gives and a weight, which becomes int8; in floats."""
    x, scale, zero = read
    b.tensor(factor).data_type = TensorProto.INT8
    y = b.op(kind, x, factor, zero, b.constant(0, TensorProto.INT8), shape=shape, **attributes)
    return b.op("Mul", b.op("Cast", y, to=TensorProto.FLOAT), b.op("Mul", scale, b.constant(0.01)))
