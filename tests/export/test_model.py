"""A torch network becomes an ONNX file without weights that counts what torch counts; no timm is needed here."""

from __future__ import annotations

import io
from importlib.util import find_spec

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from pipeline.export import model, operators
from pipeline.onnx.graph import read_graph

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch would have its slower exporter used


class Twins(nn.Module):
    """Two convolutions of one shape, and a normalisation with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.norm(torch.relu(self.first(x))))


class Folds(nn.Module):
    """Windows of an image and the image of the windows, of a size that is traced."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        windows = nn.functional.unfold(x, (3, 5), padding=(1, 2), stride=2)
        return nn.functional.fold(windows, x.shape[2:], (3, 5), padding=(1, 2), stride=2)


def test_equal_weights_stay_apart_and_have_no_values():
    twins = Twins()
    twins.second.load_state_dict(twins.first.state_dict())
    content = model.to_onnx(twins, torch.zeros(1, 3, 8, 8))
    graph = read_graph(content)
    assert graph.ops == ("Input", "Conv", "Relu", "BatchNormalization", "Conv")
    assert graph.params.sum() == 2 * (81 + 3) + 6 + 6  # weights, scale and shift, running statistics
    weights = onnx.ModelProto.FromString(content).graph.initializer
    assert len(weights) == 8 and not any(weight.raw_data or weight.float_data for weight in weights)
    assert len(content) < 3000


@pytest.mark.parametrize(
    ("module", "shape"),
    [(nn.RMSNorm(8), (1, 5, 8)), (nn.RMSNorm((5, 8), 1e-3), (1, 5, 8)), (Folds(), (1, 2, 8, 12))],
    ids=["rms_norm", "rms_norm of two dimensions", "fold"],
)
def test_operations_that_the_exporter_lacks_compute_the_same(module, shape):
    operators.register()
    x = torch.linspace(-1, 1, int(np.prod(shape))).view(shape)
    buffer = io.BytesIO()
    torch.onnx.export(module, (x,), buffer, dynamo=False, opset_version=operators.OPSET, input_names=["x"])
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-5)
    assert read_graph(model.to_onnx(module, x)).out_shapes[-1] == (shape,)


def test_initialisation_is_left_out_inside_alone():
    before = nn.init.zeros_
    with model.uninitialised():
        assert nn.init.zeros_(torch.ones(2)).tolist() == [1, 1]
        nn.Linear(2, 2)
    assert nn.init.zeros_ is before


def test_a_network_without_branches_to_merge_is_deployed_as_it_is():
    assert model.as_deployed(Twins()) is None


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is an extra: pip install -e .[timm]")
def test_networks_of_timm():
    graph = read_graph(model.to_onnx(model.timm_network("resnet50", 224), torch.zeros(1, 3, 224, 224)))
    statistics = sum(shape[0][1] for op, shape in zip(graph.ops, graph.out_shapes, strict=True) if "Norm" in op)
    assert graph.params.sum() - 2 * statistics == 25_557_032  # He et al., CVPR 2016, as torch counts it
    assert graph.macs.sum() == pytest.approx(4.09e9, rel=0.01)
    wider = model.timm_network("vit_tiny_patch16_224", 384)  # its size is fixed unless it is made for another
    assert read_graph(model.to_onnx(wider, torch.zeros(1, 3, 384, 384))).out_shapes[-1] == ((1, 1000),)
    branched = model.timm_network("mobileone_s0", 224)
    assert sum(p.numel() for p in branched.parameters()) == 5_293_272
    assert sum(p.numel() for p in model.as_deployed(branched).parameters()) == pytest.approx(2.08e6, rel=0.01)
