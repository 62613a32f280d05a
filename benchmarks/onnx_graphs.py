"""ONNX files in memory as `Graphs`, as converting and loading makes them; for tests and for measuring."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.graphs import Graphs, from_frame
from pipeline.onnx.columns import frame, pack
from pipeline.onnx.graph import read_graph


def graphs_of(files: Sequence[tuple[str, bytes]]) -> Graphs:
    """The networks of (family, file content), in that order."""
    packed = [pack(read_graph(content, family)) for family, content in files]
    return from_frame(*frame(packed, [str(i) for i in range(len(files))], [family for family, _ in files]))
