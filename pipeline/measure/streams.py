"""Two or more streams of operations for ONNX Runtime's parallel execution mode, so that branches run side by side.

Since version 1.14 that mode alone changes nothing on a CPU: all operations of one device are one stream, which runs
them one after the other (its issue 16158). A file may deal them out to several streams, which run at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import onnx

HANDOVER_US = 100.0  # from the end of an operation to the start of one that waited for it in another stream
TIMED = "_kernel_time"  # how the runtime's profile marks the run of an operation


def durations(profile: Path) -> dict[str, float]:
    """Least microseconds of every operation in a profile of a sequential session, in the order of the first run."""
    found: dict[str, float] = {}
    events = [e for e in json.loads(profile.read_text()) if e.get("cat") == "Node" and e["name"].endswith(TIMED)]
    for event in sorted(events, key=lambda e: e["ts"]):
        name = event["name"].removesuffix(TIMED)
        found[name] = min(found.get(name, float("inf")), event["dur"])
    return found


def deal(nodes: Sequence[onnx.NodeProto], duration_us: dict[str, float], n: int) -> list[list[str]]:
    """Names of the ``nodes`` by stream: in the order of ``duration_us``, each goes where it can begin first.

    An operation begins when its stream is free and its inputs are there, those of other streams `HANDOVER_US` later; of
    equal streams it takes that of its latest input. Streams without an operation are left out.
    """
    by_name, dealt = {node.name: node for node in nodes}, [[] for _ in range(n)]
    free, made = [0.0] * n, {}  # when each stream is free; when and in which stream each tensor was made
    for name, duration in duration_us.items():
        inputs = [made[tensor] for tensor in by_name[name].input if tensor in made]
        latest = max(inputs, default=(0.0, 0))[1]

        def start(stream: int, inputs: list[tuple[float, int]] = inputs) -> float:
            return max([free[stream], *(end + HANDOVER_US * (of != stream) for end, of in inputs)])

        chosen = min(range(n), key=lambda stream: (start(stream), stream != latest))
        free[chosen] = start(chosen) + duration
        dealt[chosen].append(name)
        made |= dict.fromkeys(by_name[name].output, (free[chosen], chosen))
    return [names for names in dealt if names]


def write(path: Path, dealt: list[list[str]]) -> None:
    """The file that ``session.node_partition_config_file`` names."""
    settings = {"type": "DeviceBasedPartitioner", "streams": dealt, "devices": ["0"] * len(dealt)}
    path.write_text(json.dumps(settings))
