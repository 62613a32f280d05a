"""From a model without weights to a function that runs it once on a platform. Imports a runtime when called."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from pipeline.core.errors import BenchError
from pipeline.measure import weights
from pipeline.measure.platforms import Platform


def prepare(platform: Platform, content: bytes, where: str, seed: int = 0) -> Callable[[], object]:
    """A function that runs the model of `content` once, on random input, and returns its outputs.

    Raises BenchError when the file is no good model or the platform is not there, and what the runtime raises.
    """
    platform.version()
    model, values, loaded = weights.fill(content, where, seed)
    inputs = weights.inputs(loaded, seed)
    if platform.package == "openvino":
        return _openvino(platform, model, values, inputs)
    if platform.precision == "int8":
        quantized = _quantize(weights.embedded(model, values), inputs)
        return _onnxruntime(platform, quantized, {}, inputs)
    return _onnxruntime(platform, model.SerializeToString(), values, inputs)


def _onnxruntime(platform: Platform, content: bytes, values: dict[str, np.ndarray], inputs: dict[str, np.ndarray]):
    import onnxruntime

    if platform.provider not in onnxruntime.get_available_providers():
        raise BenchError(f"{platform.name}: this onnxruntime has no {platform.provider}; install one that has")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = platform.n_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if values:
        options.add_external_initializers(
            list(values), [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in values.values()]
        )
    session = onnxruntime.InferenceSession(content, options, providers=[platform.provider])
    run = partial(session.run, None, inputs)
    run.values = values  # the session reads them where they are
    return run


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
