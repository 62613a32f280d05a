"""Files on which a reader of ONNX goes wrong, and their right answers: MACs and parameters, or why they are refused."""

from __future__ import annotations

import pytest

from pipeline.core.errors import BenchError
from pipeline.onnx.graph import read_graph

RIGHT = {
    "view_op11": (9_472, 2_668),
    "interpolate_op11": (3_840, 12),
    "gather_elements": (2_048, 1_664),
    "const_div": (1_188, 21),
    "if_inside": (1_024, 256),
    "loop_constant": (5_120, 256),
    "attention_past": (103_424, 0),
    "einsum_broadcast": (7_560, 0),
    "stft_default": (128_640, 16_480),
    "sparse_weight": (512, 128),
    "minus_one": (3_888, 108),
    "domain_nodes": (3_072, 48),
    "ceil_pool_k1": (1_152, 32),
    "scales": (1_200, 12),
    "external": (5_328, 1_548),
    "one_linear": (100, 110),
    "chain5000": (0, 0),
}
REFUSED = {
    "linear_ml": "shapes of operations of ai.onnx.ml are not inferred",
    "no_name": "--dim x:2=SIZE",
    "sequence_axis": r"is open \(seq\)",
}


@pytest.fixture
def cases(mirror):
    folder = mirror.parent / "onnx_cases"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize("name", RIGHT)
def test_counts(cases, name):
    graph = read_graph(cases / f"{name}.onnx")
    assert (graph.macs.sum(), graph.params.sum()) == RIGHT[name]


@pytest.mark.real_data
@pytest.mark.parametrize("name", REFUSED)
def test_refusals(cases, name):
    with pytest.raises(BenchError, match=REFUSED[name]):
        read_graph(cases / f"{name}.onnx")


@pytest.mark.real_data
def test_sizes(cases):
    assert read_graph(cases / "view_op11.onnx", batch_size=4).macs.sum() == 37_888
    assert read_graph(cases / "no_name.onnx", dims={"x:2": 10, "x:3": 10}).macs.sum() == 8 * 8 * 4 * 27
    assert read_graph(cases / "sequence_axis.onnx", dims={"seq": 7}, batch_size=2).macs.sum() == 7 * 16 * 8 + 2 * 7 * 8
