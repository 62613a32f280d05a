"""What a figure was made with: processor, accelerator, code revision."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from pipeline.core.paths import ROOT


@cache
def cpu() -> str:
    """Model name of the processor and the number of its visible cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def gpu() -> str | None:
    """Name of the first CUDA device, None where there is none."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


@cache
def code_rev() -> str:
    """Short commit of the project, with ``+`` when pipeline/ or predictors/ differ from it; ``unknown`` outside git."""

    def git(*args: str) -> str:
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "pipeline", "predictors")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
