"""The platforms this machine can be: runtime x hardware x precision x threads. Light to import: no runtime."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from pipeline.core.errors import BenchError
from pipeline.core.workers import cores


@dataclass(frozen=True)
class Platform:
    """One way to run a network. `provider` is ONNX Runtime's; `threads` None: all cores this process may use.

    `streams`: operations that may run side by side, each on `threads` of its own (ONNX Runtime's parallel mode).
    `nnlqp_id` stands for the platform in a gt.txt (pipeline/convert/nnlqp.py); NNLQP's own are below 1000.
    """

    name: str
    nnlqp_id: int
    package: str = "onnxruntime"
    provider: str = "CPUExecutionProvider"
    precision: str = "fp32"
    threads: int | None = None
    streams: int = 1

    def n_threads(self) -> int:
        """Threads one operation may use on this machine."""
        return self.threads or cores()

    def version(self) -> str:
        """Version of the runtime. Raises BenchError when it is not installed."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            extra = "" if self.package == "onnxruntime" else f", e.g. pip install {self.package}"
            raise BenchError(f"{self.name}: package {self.package} is not installed; install it{extra}") from None


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("ort-cpu-fp32-1t", 1001, threads=1),
        Platform("ort-cpu-fp32", 1002),
        Platform("ort-cpu-int8", 1003, precision="int8"),
        Platform("openvino-cpu-fp32", 1004, package="openvino", provider=""),
        Platform("ort-cuda-fp32", 1005, package="onnxruntime-gpu", provider="CUDAExecutionProvider"),
        Platform("ort-cpu-fp32-parallel", 1006, threads=1, streams=2),
    )
}


def get(name: str) -> Platform:
    """The platform called `name`. Raises BenchError listing the known names."""
    if name not in PLATFORMS:
        raise BenchError(f"no platform {name!r}; known: {', '.join(PLATFORMS)}")
    return PLATFORMS[name]
