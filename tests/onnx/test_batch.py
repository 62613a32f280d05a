"""Another batch size than the file's: compared with the same network written out at that batch size."""

from __future__ import annotations

import io
import warnings

import pytest
import torch
from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.onnx.batch import reshaped
from pipeline.onnx.graph import OnnxGraph, read_graph
from tests.helpers.onnx_files import LIGHT_NAMES, ints, light, model, node
from tests.helpers.onnx_networks import FAMILIES, networks


def same(left: OnnxGraph, right: OnnxGraph) -> bool:
    """Equal, but for the traffic of recurrent cells: their constant initial state keeps its size."""
    traffic = [a == b or op == "LSTM" for op, a, b in zip(left.ops, left.memory_bytes, right.memory_bytes, strict=True)]
    return (
        left.ops == right.ops
        and left.out_shapes == right.out_shapes
        and left.flops.tolist() == right.flops.tolist()
        and all(traffic)
    )


@pytest.mark.parametrize("index", range(len(FAMILIES)))
def test_generated_networks_at_batch_1_and_8(index):
    (family, one), (_, eight) = networks(len(FAMILIES))[index], networks(len(FAMILIES), batch=8)[index]
    assert same(read_graph(one, family, batch_size=8), read_graph(eight, family))
    assert same(read_graph(eight, family, batch_size=1), read_graph(one, family))
    assert same(read_graph(eight, family, batch_size=3), read_graph(one, family, batch_size=3))


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_packaged_models_scale_with_the_batch(name):
    one, four = read_graph(light(name)), read_graph(light(name), batch_size=4)
    assert (four.macs == 4 * one.macs).all()
    assert (four.flops == 4 * one.flops).all()
    assert (four.params == one.params).all()


class SequenceFirst(nn.Module):
    """The batch is dimension 1 inside, merged with the heads and with the length on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).permute(2, 0, 1)
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(0))


class Windows(nn.Module):
    """Windows of a feature map as a batch of their own, as in Swin transformers; shapes written into the graph."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        x = torch.softmax(x @ x.transpose(1, 2), -1) @ x
        return x.view(n, -1, c).mean(1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 16, 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.flatten(2).transpose(1, 2))[0][:, -1]


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(32, 8, 3)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(nn.functional.adaptive_avg_pool2d(self.conv(x), 1).squeeze(3).squeeze(2))


@pytest.mark.parametrize("network", [SequenceFirst, Windows, Recurrent, Pooled])
@pytest.mark.parametrize("opset", [14, 17])
def test_exported_networks_at_batch_1_and_4(network, opset):
    torch.manual_seed(0)
    net = network().eval()
    one, four, anyone = (
        export(net, batch, opset, open_batch) for batch, open_batch in ((1, False), (4, False), (2, True))
    )
    assert same(read_graph(one, "one", batch_size=4), read_graph(four, "four"))
    assert same(read_graph(four, "four", batch_size=1), read_graph(one, "one"))
    assert read_graph(anyone, "any", batch_size=4).macs.sum() == read_graph(four, "four").macs.sum()


def export(net: nn.Module, batch: int, opset: int, open_batch: bool) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            torch.zeros(batch, 32, 8, 8),
            file,
            opset_version=opset,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}} if open_batch else None,
            dynamo=False,
        )
    return file.getvalue()


@pytest.mark.parametrize(
    ("place", "before", "after", "batch", "expected"),
    [
        ((0, 1), (1, 512, 1, 1), (1, 512), 1, (0, 1)),
        ((0, 1), (1, 196, 768), (196, 768), 1, (0, 1)),  # merged with the length behind it
        ((1, 1), (197, 1, 768), (197, 12, 64), 1, (1, 1)),  # merged with the heads
        ((1, 1), (197, 1, 768), (197, 768), 1, (0, 197)),  # merged with the length before it
        ((0, 197), (197, 768), (197, 1, 768), 1, (1, 1)),  # and split off again
        ((1, 1), (197, 12, 64), (197, 768), 1, (0, 197)),
        ((1, 1), (197, 12, 64), (197, 12, 64, 1), 1, (1, 1)),
        ((0, 1), (8, 3), (1, 8, 3), 8, (1, 1)),
        ((1, 1), (197, 8, 768), (1576, 768), 8, (0, 197)),
        ((0, 197), (1576, 768), (197, 8, 768), 8, (1, 1)),
    ],
)
def test_reshape_moves_the_batch(place, before, after, batch, expected):
    assert reshaped(place, before, after, batch) == expected


def test_a_lost_batch_is_refused():
    proto = model([node("Gather", ["x", "i"], "y", axis=0)], {"x": [1, 3]}, weights=[ints("i", 0)])
    with pytest.raises(BenchError, match="batch size 1 can't be changed to 4: it reaches no output; use 1"):
        read_graph(proto.SerializeToString(), batch_size=4)
