"""What the latency of a predictor that came with the package means, in words: the platforms of timm_latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PER_IMAGE = "image_ms"  # the target that is a share of a step's time
CHIPS = {
    "i7_12700h": "Intel i7-12700H",
    "i9_10940x": "Intel i9-10940X",
    "jetson_nano_cpu": "Jetson Nano, CPU",
    "jetson_nano_gpu": "Jetson Nano, GPU",
    "pro6000maxq": "RTX Pro 6000 Max-Q",
    "rtx3090": "RTX 3090",
    "rtx4090": "RTX 4090",
    "rtx5090": "RTX 5090",
}
SETTINGS = {
    "amp": "mixed precision",
    "bf16": "bfloat16",
    "fp32": "float32",
    "nchw": "NCHW",
    "nhwc": "NHWC",
    "eager": "eager",
    "dynamo": "compiled",
    "ort": "ONNX Runtime",
}


def platform_words(device: str) -> str:
    """`rtx5090_amp_nchw_eager_pt291` as chip, precision, layout, way of running and version of torch."""
    chip = next((name for name in CHIPS if device.startswith(f"{name}_")), "")
    words = [CHIPS[chip]] if chip else []
    for part in device.removeprefix(f"{chip}_").split("_"):
        version = part.removeprefix("pt")
        words.append(
            f"torch {'.'.join(version)}" if version.isdigit() and part != version else SETTINGS.get(part, part)
        )
    return ", ".join(words)


def meaning(about: Mapping[str, Any]) -> str:
    """What the milliseconds of a saved predictor are of."""
    if about["target"] != PER_IMAGE:
        return f"milliseconds a call, of the whole batch, on {about['device']}"
    usual = about.get("batch_sizes", {}).get("median", 1)
    batch = f"the time of a step over its images, {usual:,} as a rule" if usual > 1 else "one at a time"
    return f"milliseconds an image, {batch}, on {platform_words(about['device'])}"
