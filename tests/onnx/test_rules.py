"""Shapes and costs that onnx's inference lacks or gets wrong: poolings, spectra, attention with a past, com.microsoft.

com.microsoft's shapes are compared with what ONNX Runtime gives out.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipeline.core.errors import BenchError
from tests.helpers.onnx_files import FLOAT, INT64, model, node, read, weight

RNG = np.random.default_rng(0)
SCALE, ZERO = np.float32(0.1), np.uint8(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def bytes_(*shape: int) -> np.ndarray:
    return RNG.integers(0, 255, shape, dtype=np.uint8)


# operation, inputs (None: left out), attributes, outputs, multiply-accumulates by hand
MICROSOFT = {
    "FusedConv": (
        [floats(1, 3, 9, 9), floats(4, 3, 3, 3), floats(4)],
        {"strides": [2, 2], "activation": "Relu"},
        1,
        1728,
    ),
    "FusedConv same": (
        [floats(1, 3, 9, 9), floats(4, 3, 3, 3)],
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        1,
        2700,
    ),
    "FusedGemm": ([floats(3, 5), floats(7, 5), floats(7)], {"transB": 1, "activation": "Relu"}, 1, 105),
    "FusedMatMul": ([floats(2, 5, 3), floats(2, 7, 5)], {"transA": 1, "transB": 1}, 1, 210),
    "FusedMatMul batch": ([floats(5, 2, 3), floats(2, 3, 7)], {"transBatchA": 1}, 1, 210),
    "MatMulIntegerToFloat": ([bytes_(2, 4, 5), bytes_(5, 7), SCALE, SCALE], {}, 1, 280),
    "DynamicQuantizeMatMul": ([floats(2, 4, 5), bytes_(5, 7), SCALE, ZERO], {}, 1, 280),
    "QGemm": ([bytes_(4, 5), SCALE, ZERO, bytes_(7, 5), SCALE, ZERO], {"transB": 1}, 1, 140),
    "MatMulNBits": ([floats(2, 3, 64), bytes_(10, 2, 16), floats(20)], {"K": 64, "N": 10, "block_size": 32}, 1, 3840),
    "QLinearAdd": ([bytes_(2, 3, 4), SCALE, ZERO, bytes_(3, 4), SCALE, ZERO, SCALE, ZERO], {}, 1, 0),
    "QLinearSigmoid": ([bytes_(2, 3), SCALE, ZERO, SCALE, ZERO], {}, 1, 0),
    "QLinearConv": (
        [bytes_(1, 9, 9, 3), SCALE, ZERO, bytes_(4, 3, 3, 3), SCALE, ZERO, SCALE, ZERO],
        {"channels_last": 1, "pads": [1] * 4, "strides": [2, 2]},
        1,
        2700,
    ),
    "QLinearAveragePool": (
        [bytes_(1, 3, 9, 9), SCALE, ZERO, SCALE, ZERO],
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
        1,
        0,
    ),
    "QLinearGlobalAveragePool": ([bytes_(1, 9, 9, 3), SCALE, ZERO, SCALE, ZERO], {"channels_last": 1}, 1, 0),
    "NhwcMaxPool": ([bytes_(1, 9, 9, 3)], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}, 1, 0),
    "DynamicQuantizeLSTM": (
        [floats(7, 2, 4), bytes_(1, 4, 24), bytes_(1, 6, 24), floats(1, 48), *[None] * 4]
        + [floats(1), bytes_(1), floats(1), bytes_(1)],
        {"hidden_size": 6},
        3,
        7 * 2 * 24 * (4 + 6),
    ),
    "BiasGelu": ([floats(2, 3, 4), floats(4)], {}, 1, 0),
    "SkipLayerNormalization": ([floats(2, 3, 4), floats(2, 3, 4), floats(4), floats(4), floats(4)], {}, 4, 0),
    "EmbedLayerNormalization": (
        [np.zeros((2, 5), np.int32), None, floats(50, 8), floats(10, 8), None, floats(8), floats(8)],
        {},
        2,
        0,
    ),
    "Attention": ([floats(2, 5, 16), floats(16, 48), floats(48)], {"num_heads": 4}, 1, 10 * 16 * 48 + 10 * 5 * 32),
    "Attention past": (
        [floats(2, 5, 16), floats(16, 48), floats(48), None, floats(2, 2, 4, 3, 4)],
        {"num_heads": 4},
        2,
        10 * 16 * 48 + 10 * 8 * 32,
    ),
    "MultiHeadAttention": (
        [floats(2, 5, 16), floats(2, 5, 16), floats(2, 5, 16), *[None] * 3, floats(2, 4, 3, 4), floats(2, 4, 3, 4)],
        {"num_heads": 4},
        3,
        10 * 8 * 32,
    ),
    "RotaryEmbedding": (
        [floats(2, 5, 16), np.zeros((2, 5), np.int64), floats(10, 4), floats(10, 4)],
        {"num_heads": 2},
        1,
        0,
    ),
}


def microsoft(name: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    inputs, attributes, outputs, _ = MICROSOFT[name]
    named = {f"i{place}": value for place, value in enumerate(inputs) if value is not None}
    reads = [f"i{place}" if value is not None else "" for place, value in enumerate(inputs)]
    writes = [f"o{place}" for place in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(name.split()[0], reads, writes, domain="com.microsoft", **attributes)],
        "g",
        [helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), inputs[0].shape)],
        [onnx.ValueInfoProto(name=write) for write in writes],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in named.items() if key != "i0"],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), {"i0": inputs[0]}


@pytest.mark.parametrize("name", MICROSOFT)
def test_com_microsoft_against_the_runtime(name):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    proto, feeds = microsoft(name)
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    graph = read(proto)
    assert graph.out_shapes[1] == tuple(value.shape for value in session.run(None, feeds))
    assert graph.macs.sum() == MICROSOFT[name][3]


@pytest.mark.parametrize(
    "name",
    [
        "FusedConv",
        "FusedGemm",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "QGemm",
        "MatMulNBits",
        "QLinearConv",
        "QLinearAveragePool",
        "NhwcMaxPool",
        "BiasGelu",
        "Attention",
    ],
)
def test_com_microsoft_at_another_batch_size(name):
    proto, _ = microsoft(name)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    for output in ["", "present"] if name == "Attention" else [""]:
        if output:
            proto.graph.node[0].output.append(output)
            proto.graph.output.add(name=output)
        scaled, inferred = read(proto, batch_size=6), read(proto, dims={"N": 6})
        assert scaled.out_shapes == inferred.out_shapes
        assert scaled.macs.tolist() == inferred.macs.tolist()


def test_weights_packed_into_bytes_are_counted_one_by_one():
    assert read(microsoft("MatMulNBits")[0]).params.sum() == 64 * 10 + 20


def test_factors_that_do_not_fit_are_refused():
    proto, _ = microsoft("FusedGemm")
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(floats(7, 6), "i1"))
    with pytest.raises(BenchError, match=r"FusedGemm \('o0'\) has inputs or attributes that do not fit"):
        read(proto)


@pytest.mark.parametrize("opset", [11, 19, 22])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "out"),
    [(12, 1, 2, 0, 6), (7, 3, 2, 0, 3), (8, 3, 2, 0, 4), (6, 2, 3, 1, 3), (5, 2, 3, 1, 2)],
)
def test_poolings_that_round_up(op, opset, size, kernel, stride, pad, out):
    pool = node(op, ["x"], "y", ceil_mode=1, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
    proto = model([pool], {"x": [1, 2, size, size]}, opset=opset)
    assert read(proto).out_shapes[1] == ((1, 2, out, out),)
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    proto.ir_version = 8
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": floats(1, 2, size, size)})[0].shape == (1, 2, out, out)


@pytest.mark.parametrize(("settings", "bins"), [({}, 201), ({"onesided": 1}, 201), ({"onesided": 0}, 400)])
def test_a_spectrum_has_one_side_by_default(settings, bins):
    step = helper.make_tensor("step", INT64, [], [160])
    proto = model(
        [node("STFT", ["x", "step", "w"], "y", **settings)], {"x": [1, 1600, 1]}, weights=[step, weight("w", 400)]
    )
    proto.opset_import[0].version = 17
    assert read(proto).out_shapes[1] == ((1, 8, bins, 2),)


def test_attention_sees_the_past():
    heads = {"q": [1, 8, 1, 64], "k": [1, 8, 1, 64], "v": [1, 8, 1, 64], "pk": [1, 8, 100, 64], "pv": [1, 8, 100, 64]}
    attention = node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"])
    graph = read(model([attention], heads, outputs=["y", "nk", "nv"], opset=23))
    assert graph.macs.sum() == 8 * 101 * 2 * 64
    assert graph.out_shapes[-1][1] == (1, 8, 101, 64)


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("...ij,...jk->...ik", [[1, 5, 7, 8], [3, 1, 8, 9]], 3 * 5 * 7 * 8 * 9),
        ("ij,jk,kl->il", [[2, 3], [3, 4], [4, 5]], 2 * 3 * 4 + 2 * 4 * 5),
        ("ij,jk->k", [[2, 3], [3, 4]], 3 * 4),
        ("i,j->ij", [[2], [3]], 6),
        ("bij,bjk", [[2, 3, 4], [2, 4, 5]], 2 * 3 * 4 * 5),
        ("ii->i", [[3, 3]], 0),
    ],
)
def test_einsum_is_contracted_pair_by_pair(equation, shapes, macs):
    inputs = {f"x{place}": shape for place, shape in enumerate(shapes)}
    assert read(model([node("Einsum", list(inputs), "y", equation=equation)], inputs)).macs.sum() == macs


@pytest.mark.parametrize("op", ["GroupNormalization", "MeanVarianceNormalization"])
def test_normalisations_that_onnx_infers_nothing_of(op):
    weights = [weight("s", 4), weight("b", 4)] if op.startswith("Group") else []
    proto = model(
        [node(op, ["x", *(w.name for w in weights)], "y", **({"num_groups": 2} if weights else {}))],
        {"x": [1, 4, 5, 5]},
        weights=weights,
        opset=21,
    )
    assert read(proto).out_shapes[1] == ((1, 4, 5, 5),)


def test_operations_of_ai_onnx_ml_are_refused_for_what_they_are():
    regressor = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[0.1] * 30)
    proto = model([regressor], {"x": ["N", 30]}, opset=17)
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    with pytest.raises(BenchError, match=r"shapes of operations of ai\.onnx\.ml are not inferred, and LinearRegressor"):
        read(proto)


def test_the_default_domain_spelled_out():
    nodes = [node("Conv", ["x", "w"], "c"), node("Relu", ["c"], "y")]
    for proto in nodes:
        proto.domain = "ai.onnx"
    graph = read(model(nodes, {"x": [1, 3, 8, 8]}, weights=[weight("w", 16, 3, 1, 1)]))
    assert graph.macs.sum() == 3072
    assert graph.params.sum() == 48


def test_sparse_weights_count_as_dense_ones():
    proto = model([node("MatMul", ["x", "k"], "y")], {"x": [4, 16]}, opset=17)
    values = helper.make_tensor("k", FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("places", INT64, [2], [3, 77])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [16, 8]))
    assert read(proto).macs.sum() == 4 * 16 * 8
    assert read(proto).params.sum() == 16 * 8


@pytest.mark.parametrize("opset", [9, 13])
def test_scales_of_a_resizing_are_no_weights(opset):
    scales = helper.make_tensor("scales", FLOAT, [4], [1, 1, 2, 2])
    resize = node("Upsample", ["x", "scales"], "u") if opset == 9 else node("Resize", ["x", "", "scales"], "u")
    proto = model(
        [resize, node("Conv", ["u", "w"], "y")], {"x": [1, 3, 5, 5]}, weights=[scales, weight("w", 4, 3, 1, 1)]
    )
    proto.opset_import[0].version = opset
    assert read(proto).params.sum() == 12
    assert read(proto).macs.sum() == 10 * 10 * 12


def test_types_of_a_byte_are_weights():
    assert read(microsoft("DynamicQuantizeMatMul")[0]).params.sum() == 35
