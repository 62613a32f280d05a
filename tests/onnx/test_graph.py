"""ONNX to graph: folding, attributes, shapes and costs, on models worked by hand."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from pipeline.onnx.graph import OnnxGraph, read_graph
from tests.helpers.in_process import run_module
from tests.helpers.onnx_files import INT64, LIGHT_NAMES, RESNET18, conv_model, ints, light, model, node, read, weight


def edges(graph: OnnxGraph) -> list[tuple[int, int]]:
    return list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))


def test_convolution_with_bias_by_hand():
    graph = read(conv_model(pads=[1, 1, 1, 1], strides=[2, 2]))
    assert graph.ops == ("Input", "Conv")
    assert edges(graph) == [(0, 1)]
    assert graph.out_shapes == (((2, 4, 8, 8),), ((2, 6, 4, 4),))
    out = 2 * 6 * 4 * 4
    assert graph.macs.tolist() == [0, out * 4 * 9]
    assert graph.flops.tolist() == [0, 2 * out * 4 * 9 + out]
    assert graph.params.tolist() == [0, 6 * 4 * 9 + 6]
    assert graph.memory_bytes.tolist() == [0, 4 * (2 * 4 * 64 + out + 6 * 4 * 9 + 6)]
    assert graph.in_channels.tolist() == [0, 4]
    assert graph.batch_size == 2
    conv = graph.attributes[1]
    assert conv["kernel_shape"] == (3, 3)  # left out in the file, found from the weight
    assert conv["pads"] == (1, 1, 1, 1)
    assert conv["strides"] == (2, 2)
    assert conv["dilations"] == (1, 1)
    assert conv["group"] == (1,)
    assert conv["has_bias"] == (1,)


def test_grouped_convolution_counts_its_groups():
    graph = read(conv_model(group=2))
    assert graph.macs.sum() == 2 * 6 * 6 * 6 * 2 * 9
    assert graph.params.sum() == 6 * 2 * 9 + 6


@pytest.mark.parametrize(
    ("mode", "pads"), [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0,) * 4)]
)
def test_automatic_padding_is_written_out(mode, pads):
    graph = read(conv_model(auto_pad=mode, strides=[2, 2]))
    assert graph.attributes[1]["pads"] == pads
    assert "auto_pad" not in graph.attributes[1]


def test_transposed_convolution():
    proto = model(
        [node("ConvTranspose", ["x", "w"], "y", strides=[2, 2], group=2)],
        {"x": [1, 4, 5, 5]},
        weights=[weight("w", 4, 3, 2, 2)],
    )
    graph = read(proto)
    assert graph.out_shapes[1] == ((1, 6, 10, 10),)
    assert graph.macs.sum() == 4 * 5 * 5 * 3 * 4  # every input element meets 3 x 2 x 2 weights
    assert graph.attributes[1]["output_padding"] == (0, 0)
    assert graph.attributes[1]["has_bias"] == (0,)


@pytest.mark.parametrize(("transposed", "shape"), [(0, [3, 5]), (1, [5, 3])])
def test_gemm(transposed, shape):
    proto = model(
        [node("Gemm", ["x", "w", "b"], "y", transA=transposed)],
        {"x": shape},
        weights=[weight("w", 5, 7), weight("b", 7)],
    )
    graph = read(proto)
    assert graph.macs.sum() == 3 * 5 * 7
    assert graph.flops.sum() == 2 * 3 * 5 * 7 + 3 * 7


def test_attention_products_have_two_data_inputs():
    proto = model(
        [
            node("Transpose", ["k"], "kt", perm=[0, 2, 1]),
            node("MatMul", ["q", "kt"], "scores"),
            node("Softmax", ["scores"], "p", axis=-1),
            node("MatMul", ["p", "k"], "y"),
        ],
        {"q": [2, 6, 8], "k": [2, 5, 8]},
    )
    graph = read(proto)
    assert graph.ops == ("Input", "Input", "Transpose", "MatMul", "Softmax", "MatMul")
    assert edges(graph) == [(0, 3), (1, 2), (1, 5), (2, 3), (3, 4), (4, 5)]
    assert graph.macs.tolist() == [0, 0, 0, 2 * 6 * 5 * 8, 0, 2 * 6 * 8 * 5]
    assert graph.flops[4] == 3 * 2 * 6 * 5
    assert graph.params.sum() == 0


def test_lstm_with_omitted_outputs():
    proto = model(
        [node("LSTM", ["x", "w", "r"], ["", "y"], hidden_size=6)],
        {"x": [7, 2, 4]},
        weights=[weight("w", 1, 24, 4), weight("r", 1, 24, 6)],
    )
    graph = read(proto)
    assert graph.out_shapes[1] == ((1, 2, 6),)
    assert graph.macs.sum() == 7 * 2 * 24 * (4 + 6)


def test_einsum_multiplies_all_index_sizes():
    proto = model([node("Einsum", ["a", "b"], "y", equation="bhid,bhjd->bhij")], {"a": [2, 3, 4, 5], "b": [2, 3, 6, 5]})
    assert read(proto).macs.sum() == 2 * 3 * 4 * 6 * 5


def test_attention_operation_of_new_opsets():
    proto = model(
        [node("Attention", ["q", "k", "v"], "y")], {"q": [2, 3, 4, 8], "k": [2, 3, 6, 8], "v": [2, 3, 6, 5]}, opset=23
    )
    assert read(proto).macs.sum() == 2 * 3 * 4 * 6 * (8 + 5)


def test_dropout_with_its_mask_and_training_outputs():
    outputs = ["n", "mean", "var", "saved_mean", "saved_var"]
    proto = model(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], outputs), node("Dropout", ["n"], ["y", "mask"])],
        {"x": [1, 4, 8, 8]},
        weights=[weight(name, 4) for name in "sbmv"],
        opset=8,
    )
    graph = read(proto)
    assert graph.ops == ("Input", "BatchNormalization", "Dropout")
    assert graph.params.tolist() == [0, 16, 0]
    assert graph.flops.tolist() == [0, 2 * 256, 0]


def test_all_used_outputs_have_shapes():
    proto = model(
        [node("Split", ["x", "sizes"], ["a", "b"], axis=1), node("Relu", ["a"], "y"), node("Relu", ["b"], "z")],
        {"x": [1, 6, 4]},
        outputs=["y", "z"],
        weights=[ints("sizes", 2, 4)],
    )
    graph = read(proto)
    assert graph.out_shapes[1] == ((1, 2, 4), (1, 4, 4))
    assert graph.attributes[1]["split"] == (2, 4)
    assert edges(graph) == [(0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("opset", [6, 11])
def test_attributes_do_not_depend_on_the_opset(opset):
    if opset < 11:
        proto = model([node("Clip", ["x"], "y", min=0.0, max=6.0)], {"x": [1, 3]}, opset=opset)
    else:
        bounds = [
            helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("lo", 0.0), ("hi", 6.0))
        ]
        proto = model([node("Clip", ["x", "lo", "hi"], "y")], {"x": [1, 3]}, weights=bounds, opset=opset)
    graph = read(proto)
    assert graph.attributes[1] == {"min": (0.0,), "max": (6.0,)}
    assert edges(graph) == [(0, 1)]


def test_defaults_of_onnx_are_written_out():
    assert read(model([node("LeakyRelu", ["x"], "y")], {"x": [1, 3]})).attributes[1]["alpha"] == pytest.approx((0.01,))


def test_unknown_operations_keep_their_name():
    proto = model([node("Fancy", ["x"], "a", depth=3), node("Relu", ["a"], "y")], {"x": [1, 3, 8, 8]})
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 5, 4, 4]))
    graph = read(proto)
    assert graph.ops == ("Input", "Fancy", "Relu")
    assert graph.out_shapes[1] == ((1, 5, 4, 4),)
    assert graph.attributes[1] == {"depth": (3,)}
    assert graph.macs.sum() == 0


def test_nodes_in_any_order_are_sorted():
    proto = model([node("Relu", ["a"], "y"), node("Sigmoid", ["x"], "a")], {"x": [1, 3]})
    assert read(proto).ops == ("Input", "Sigmoid", "Relu")


def test_stale_shapes_in_the_file_are_ignored():
    proto = conv_model()
    proto.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 77
    assert read(proto).out_shapes[1] == ((2, 6, 6, 6),)


def test_open_dimensions_need_a_size():
    proto = model(
        [node("Gather", ["table", "ids"], "y")], {"ids": ["batch", "length"]}, weights=[weight("table", 9, 4)]
    )
    proto.graph.input[0].type.tensor_type.elem_type = INT64
    with pytest.raises(BenchError, match=r"dimension 1 of input 'ids' is open \(length\).*--dim length=SIZE"):
        read(proto)
    assert read(proto, dims={"length": 7}).out_shapes[1] == ((1, 7, 4),)
    assert read(proto, dims={"length": 7}, batch_size=3).out_shapes[1] == ((3, 7, 4),)


def test_float16_halves_the_traffic():
    nodes = [node("Relu", ["x"], "y")]
    assert read(model(nodes, {"x": [1, 8]}, kind=TensorProto.FLOAT16)).memory_bytes.sum() == 2 * 16


@pytest.mark.parametrize("name", LIGHT_NAMES)
def test_the_models_packaged_in_onnx_convert(name):
    graph = read_graph(light(name))
    assert "ConstantOfShape" not in graph.ops
    assert graph.ops.count("Input") == 1
    assert graph.macs.sum() > 1e8
    assert (graph.src < graph.dst).all()


@pytest.mark.real_data
def test_the_command_prints_a_line_per_file_and_fails_when_one_is_refused(tmp_path, mirror):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"nothing")
    done = run_module("pipeline.onnx", mirror / RESNET18, bad, light("squeezenet"))
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert "69 operations, 77 edges, 1,814,073,344 MACs, 3,638,007,272 FLOPs, 11,699,112 parameters" in first
    assert "66 operations" in second
    assert done.stderr == f"error: {bad}: truncated or not an ONNX file; get it again\n"
