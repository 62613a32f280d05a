"""From a model without weights to a function that runs it once on a platform. Imports a runtime when called."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from pipeline.core.errors import BenchError
from pipeline.measure import streams, weights
from pipeline.measure.platforms import Platform

TIMED_RUNS = 5  # of a network whose operations are dealt out to streams
# Threads that run streams. Work that waited goes to a thread drawn at random, be it busy: with two threads,
# half of the time nothing would run side by side. No more work at once than there are streams; the caller waits.
POOL = 8


def prepare(
    platform: Platform,
    content: bytes,
    where: str,
    seed: int = 0,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
) -> Callable[[], object]:
    """A function that runs the model of `content`, the file `where`, once on random input and returns its outputs.

    Sizes as in `pipeline.measure.weights.fill`.
    Raises BenchError when the file is no good model or the platform is not there, and what the runtime raises.
    """
    platform.version()
    model, values, loaded = weights.fill(content, where, seed, batch_size, dims, Path(where).parent)
    inputs = weights.inputs(loaded, seed)
    if platform.package == "openvino":
        return _openvino(platform, model, values, inputs)
    if platform.precision == "int8":
        quantized = _quantize(weights.embedded(model, values), inputs)
        return _onnxruntime(platform, quantized, {}, inputs)
    return _onnxruntime(platform, model.SerializeToString(), values, inputs)


def _onnxruntime(platform: Platform, content: bytes, values: dict[str, np.ndarray], inputs: dict[str, np.ndarray]):
    if platform.streams > 1:
        return partial(_side_by_side(platform, content, values, inputs).run, None, inputs)
    run = partial(_session(platform, content, values=values).run, None, inputs)
    run.values = values  # the session reads them where they are
    return run


def _session(
    platform: Platform,
    content: bytes,
    settings: dict[str, str] | None = None,
    values: dict[str, np.ndarray] | None = None,
    **options: object,
):
    """A session with ``options`` of its SessionOptions and ``settings`` of its configuration beside what all have."""
    import onnxruntime

    if platform.provider not in onnxruntime.get_available_providers():
        raise BenchError(f"{platform.name}: this onnxruntime has no {platform.provider}; install one that has")
    about = onnxruntime.SessionOptions()
    fixed = {"intra_op_num_threads": platform.n_threads(), "inter_op_num_threads": 1, "log_severity_level": 4}
    for name, value in (fixed | options).items():
        setattr(about, name, value)
    for name, value in {"session.set_denormal_as_zero": "1", **(settings or {})}.items():
        about.add_session_config_entry(name, value)
    if values:
        about.add_external_initializers(
            list(values), [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in values.values()]
        )
    return onnxruntime.InferenceSession(content, about, providers=[platform.provider])


def _side_by_side(platform: Platform, content: bytes, values: dict[str, np.ndarray], inputs: dict[str, np.ndarray]):
    """A session of several streams: the model is optimised, its operations are timed, then dealt out."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        optimised, file = Path(folder) / "optimised.onnx", Path(folder) / "streams.json"
        _session(platform, content, values=values, optimized_model_filepath=str(optimised))
        model = onnx.load(optimised)
        for i, node in enumerate(model.graph.node):
            node.name = f"op{i}"
        content = model.SerializeToString()
        as_it_is = {"graph_optimization_level": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL}
        profile = {"enable_profiling": True, "profile_file_prefix": str(Path(folder) / "profile")}
        alone = _session(platform, content, **as_it_is, **profile)
        for _ in range(TIMED_RUNS):
            alone.run(None, inputs)
        dealt = streams.deal(model.graph.node, streams.durations(Path(alone.end_profiling())), platform.streams)
        streams.write(file, dealt)
        mode = {"execution_mode": onnxruntime.ExecutionMode.ORT_PARALLEL, "inter_op_num_threads": POOL + 1}
        settings = {"session.node_partition_config_file": str(file), "session.inter_op.allow_spinning": "0"}
        return _session(platform, content, settings, **as_it_is, **mode)


def _quantize(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> bytes:
    """Weights and activations in 8 bits (ONNX Runtime's static quantization, QDQ, ranges from one random input)."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Once(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [inputs]

        def get_next(self):
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, str(plain), skip_symbolic_shape=True)
        quantization.quantize_static(str(plain), str(small), Once())
        return small.read_bytes()


def _openvino(platform: Platform, model: onnx.ModelProto, values: dict[str, np.ndarray], inputs: dict[str, np.ndarray]):
    import openvino

    core = openvino.Core()
    network = core.read_model(weights.embedded(model, values).SerializeToString())
    settings = {
        "INFERENCE_NUM_THREADS": platform.n_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    return lambda: request.infer(inputs)
