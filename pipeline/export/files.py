"""Names of networks of timm, of their files, and the log of how each was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".onnx.gz"
DEPLOYED = "-deployed"  # ends the name of a network whose branches are merged for inference
LOG = "made.jsonl"


class Network(NamedTuple):
    """A network of timm and the edge of its square input, in pixels."""

    name: str
    size: int

    def __str__(self) -> str:
        return f"{self.name}@{self.size}"

    def file(self, folder: Path, deployed: bool = False) -> Path:
        """Where its ONNX file is."""
        return folder / f"{self}{DEPLOYED if deployed else ''}{SUFFIX}"


def read_log(folder: Path) -> dict[Network, dict]:
    """What was said last of each network that was tried: see `pipeline.export.worker.answer`."""
    path = folder / LOG
    lines = path.read_text().splitlines() if path.exists() else []
    answers = [json.loads(line) for line in lines if line.endswith("}")]  # the last may be cut short
    return {Network(answer["name"], answer["size"]): answer for answer in answers}
