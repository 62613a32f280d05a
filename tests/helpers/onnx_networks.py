"""Random weight-free ONNX networks as they are trained: with batch normalisation, any batch size, old operations.

What `pipeline.measure.families` makes is as networks run. These have what exporters leave behind, for tests and for
measuring the converter.

Weights are initializers with a shape and no value, as in NNLQP's own files.
"""

from __future__ import annotations

import random

import onnx
from onnx import TensorProto, helper


class Builder:
    """Builds one network operation by operation; every method returns the name of the tensor it makes."""

    def __init__(self, shape: tuple[int, ...], opset: int = 11, dtype: int = TensorProto.FLOAT) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.opset, self.dtype = opset, dtype
        self.input = helper.make_tensor_value_info("input", dtype, list(shape))
        self.channels = {"input": shape[1]}

    def weight(self, *shape: int) -> str:
        """A weight without a value."""
        name = f"weight.{len(self.weights)}"
        tensor = TensorProto(name=name, data_type=self.dtype)
        tensor.dims.extend(shape)
        self.weights.append(tensor)
        return name

    def constant(self, *values: int) -> str:
        """A vector of integers, as Reshape and others take it."""
        name = f"const.{len(self.weights)}"
        self.weights.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Any operation with one output."""
        output = f"{kind}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        self.channels[output] = self.channels.get(inputs[0], 0)
        return output

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        pad: int | None = None,
        bias: bool = True,
    ) -> str:
        """A convolution; padded to keep the size unless `pad` says otherwise."""
        pad = kernel // 2 if pad is None else pad
        weights = [self.weight(channels, self.channels[x] // groups, kernel, kernel)]
        weights += [self.weight(channels)] if bias else []
        out = self.op(
            "Conv",
            x,
            *weights,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
            dilations=[1, 1],
        )
        self.channels[out] = channels
        return out

    def norm(self, x: str) -> str:
        """Batch normalisation."""
        return self.op("BatchNormalization", x, *(self.weight(self.channels[x]) for _ in range(4)), epsilon=1e-5)

    def pool(self, x: str, kind: str = "MaxPool", kernel: int = 3, stride: int = 2) -> str:
        """A max or average pooling."""
        return self.op(kind, x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer on (batch, inputs)."""
        return self.op("Gemm", x, self.weight(outputs, inputs), self.weight(outputs), transB=1)

    def classifier(self, x: str, classes: int = 1000) -> str:
        """Global pooling and a fully connected layer."""
        channels = self.channels[x]
        return self.linear(self.op("Flatten", self.op("GlobalAveragePool", x), axis=1), channels, classes)

    def model(self, output: str) -> bytes:
        """The finished network as the bytes of an ONNX file."""
        result = helper.make_tensor_value_info(output, self.dtype, None)
        graph = helper.make_graph(self.nodes, "network", [self.input], [result], initializer=self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)]).SerializeToString()


def resnet(rng: random.Random, batch: int = 1) -> bytes:
    """Residual blocks of random width, depth and kernel."""
    b = Builder((batch, 3, 224, 224))
    x = b.pool(b.op("Relu", b.norm(b.conv("input", rng.choice((32, 48, 64)), 7, 2, bias=False))))
    for stage in range(4):
        width = rng.randrange(32, 96, 8) << stage
        for block in range(rng.randint(1, 3)):
            stride = 2 if stage and not block else 1
            kernel = rng.choice((3, 3, 5, 7))
            y = b.op("Relu", b.norm(b.conv(x, width, kernel, stride, bias=False)))
            y = b.norm(b.conv(y, width, 3, bias=False))
            if stride > 1 or b.channels[x] != width:
                x = b.norm(b.conv(x, width, 1, stride, bias=False))
            x = b.op("Relu", b.op("Add", y, x))
    return b.model(b.classifier(x))


def vgg(rng: random.Random, batch: int = 1) -> bytes:
    """Plain convolutions and three fully connected layers after a Reshape with a fixed batch dimension."""
    b = Builder((batch, 3, 224, 224))
    x = "input"
    for stage in range(5):
        width = min(512, rng.randrange(32, 96, 16) << stage)
        for _ in range(rng.randint(1, 3)):
            x = b.op("Relu", b.conv(x, width, rng.choice((3, 3, 5))))
        x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    features = b.channels[x] * 49
    x = b.op("Reshape", x, b.constant(batch, features))
    hidden = rng.choice((1024, 2048, 4096))
    x = b.op("Dropout", b.op("Relu", b.linear(x, features, hidden)), ratio=0.5)
    return b.model(b.linear(x, hidden, 1000))


def mobilenet(rng: random.Random, batch: int = 1) -> bytes:
    """Inverted residuals with depthwise convolutions, squeeze-and-excitation and hard swish or ReLU6."""
    b = Builder((batch, 3, 224, 224))
    low, high = b.weight(), b.weight()

    def swish(x: str) -> str:
        return b.op("Mul", x, b.op("HardSigmoid", x, alpha=1 / 6)) if hard else b.op("Clip", x, low, high)

    hard = rng.random() < 0.5
    x = swish(b.norm(b.conv("input", 16, 3, 2, bias=False)))
    for stage in range(5):
        width = rng.randrange(16, 48, 8) * (stage + 1)
        for block in range(rng.randint(1, 4)):
            stride = 2 if stage < 4 and not block else 1
            hidden = b.channels[x] * rng.choice((3, 4, 6))
            y = swish(b.norm(b.conv(x, hidden, 1, bias=False)))
            y = swish(b.norm(b.conv(y, hidden, rng.choice((3, 5, 7)), stride, groups=hidden, bias=False)))
            if hard:
                s = b.op("Relu", b.conv(b.op("GlobalAveragePool", y), hidden // 4, 1))
                y = b.op("Mul", y, b.op("Sigmoid", b.conv(s, hidden, 1)))
            y = b.norm(b.conv(y, width, 1, bias=False))
            x = b.op("Add", x, y) if stride == 1 and b.channels[x] == width else y
    return b.model(b.classifier(x))


def googlenet(rng: random.Random, batch: int = 1) -> bytes:
    """Inception blocks of four branches."""
    b = Builder((batch, 3, 224, 224))
    x = b.pool(b.op("Relu", b.conv("input", 64, 7, 2)))
    for stage in range(3):
        for _ in range(rng.randint(1, 4)):
            width = rng.randrange(32, 96, 8) * (stage + 1)
            branches = [b.op("Relu", b.conv(x, width, 1))]
            for kernel in (3, rng.choice((3, 5))):
                branches.append(b.op("Relu", b.conv(b.op("Relu", b.conv(x, width // 2, 1)), width, kernel)))
            branches.append(b.op("Relu", b.conv(b.pool(x, stride=1), width // 2, 1)))
            x = b.op("Concat", *branches, axis=1)
            b.channels[x] = sum(b.channels[branch] for branch in branches)
        x = b.pool(x)
    return b.model(b.classifier(x))


def vit(rng: random.Random, batch: int = 1) -> bytes:
    """A vision transformer; its Reshapes repeat the batch size."""
    b = Builder((batch, 3, 224, 224), opset=13)
    heads, size, patch = rng.choice((3, 4, 6)), rng.choice((32, 64)), rng.choice((16, 32))
    dim, length = heads * size, (224 // patch) ** 2
    x = b.op("Reshape", b.conv("input", dim, patch, patch, pad=0), b.constant(batch, dim, length))
    x = b.op("Add", b.op("Transpose", x, perm=[0, 2, 1]), b.weight(1, length, dim))
    for _ in range(rng.randint(2, 6)):
        y = _layer_norm(b, x, dim)
        q, k, v = (
            b.op(
                "Transpose", b.op("Reshape", _dense(b, y, dim, dim), b.constant(batch, length, heads, size)), perm=perm
            )
            for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        a = b.op("Softmax", b.op("Mul", b.op("MatMul", q, k), b.weight()), axis=-1)
        y = b.op("Transpose", b.op("MatMul", a, v), perm=[0, 2, 1, 3])
        x = b.op("Add", x, _dense(b, b.op("Reshape", y, b.constant(batch, length, dim)), dim, dim))
        y = _dense(b, _layer_norm(b, x, dim), dim, 4 * dim)
        y = b.op("Mul", y, b.op("Add", b.op("Erf", b.op("Div", y, b.weight())), b.weight()))
        x = b.op("Add", x, _dense(b, y, 4 * dim, dim))
    x = b.op("ReduceMean", x, axes=[1], keepdims=0)
    return b.model(b.linear(x, dim, 1000))


def _dense(b: Builder, x: str, inputs: int, outputs: int) -> str:
    return b.op("Add", b.op("MatMul", x, b.weight(inputs, outputs)), b.weight(outputs))


def _layer_norm(b: Builder, x: str, dim: int) -> str:
    centred = b.op("Sub", x, b.op("ReduceMean", x, axes=[-1], keepdims=1))
    variance = b.op("ReduceMean", b.op("Mul", centred, centred), axes=[-1], keepdims=1)
    scaled = b.op("Div", centred, b.op("Sqrt", b.op("Add", variance, b.weight())))
    return b.op("Add", b.op("Mul", scaled, b.weight(dim)), b.weight(dim))


FAMILIES = {"resnet18": resnet, "vgg16": vgg, "mobilenetv3": mobilenet, "googlenet": googlenet, "vit": vit}


def networks(count: int, seed: int = 0, batch: int = 1) -> list[tuple[str, bytes]]:
    """`count` networks as (family, file content), the families in turn."""
    rng = random.Random(seed)
    names = list(FAMILIES)
    return [(names[i % len(names)], FAMILIES[names[i % len(names)]](rng, batch)) for i in range(count)]
