"""HELP: latency (ms) of 5,000 FBNet networks on 27 devices and batch sizes, as chains of blocks.

Source: arch.pt, 5,000 lists of 22 codes of blocks, and one <device>.pt per device in the same order. The latencies of
ADDITIVE are sums of a table of blocks, to the last digit, and no measurements of whole networks.
"""

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _help
from pipeline.convert._help import TARGET
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle
from pipeline.spaces import additive, blocks, cells

NAME = "help_fbnet"
ADDITIVE = ("eyeriss", "fpga", "pixel3", "raspi4")
PHONES = {"samsung_s7": 0.099, "essential_ph_1": 0.334, "pixel2": 0.613}  # R2 of the linear fit
FASTEST_AND_SLOWEST = {"fpga": (203, 3893), "titan_rtx_1": (112, 3440), "gold_6226": (651, 4713)}  # graph_id


def convert(raw: Path, out: Path) -> None:
    """Convert the files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    networks = _networks(raw / "arch.pt")
    latencies = _help.latencies(raw, datasets.get(NAME).targets[TARGET], len(networks))
    names = ["|".join(network) for network in networks]
    flops, params = zip(*map(blocks.costs_fbnet, networks), strict=True)
    graphs = cells.graphs_frame(names, "fbnet", list(map(blocks.chain, networks)), blocks.VOCAB_FBNET, flops, params)
    _common.publish(NAME, out, graphs, _help.targets(latencies), blocks.VOCAB_FBNET, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: sizes, fastest and slowest networks, and how well a sum over blocks explains devices."""
    _common.expect(NAME, "different networks", graphs["iso"].n_unique(), 5_000)
    _common.expect(NAME, "nodes of a network", set(graphs["n_nodes"]), {24})
    _common.expect(NAME, "labels per device", set(targets.group_by("device").len()["len"]), {5_000})
    for device, ends in FASTEST_AND_SLOWEST.items():
        values = _common.values_of(targets, TARGET, device)
        _common.expect(NAME, f"fastest and slowest network of {device}", (values.arg_min(), values.arg_max()), ends)
    for device, known in (dict.fromkeys(ADDITIVE, 1.0) | PHONES).items():
        r2 = additive_r2(graphs, _common.values_of(targets, TARGET, device).to_numpy())
        _common.expect(NAME, f"R2 of a sum over blocks on {device}", r2, known, 1e-9 if device in ADDITIVE else 1e-3)


def additive_r2(graphs: pl.DataFrame, values: np.ndarray) -> float:
    """R2, on networks held out, of a least-squares sum of one number a place and block; `values`: (n,), as `graphs`."""
    return additive.r2(*additive.held_out(additive.places(graphs["name"].to_list()), values))


def _networks(path: Path) -> list[tuple[str, ...]]:
    content = unpickle.load_torch(path, {})
    if not isinstance(content, list) or not content:
        raise BenchError(f"{path}: not a list of networks; fetch it again")
    try:
        return [blocks.fbnet(codes) for codes in content]
    except (TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a list of networks: {error}; fetch it again") from error


if __name__ == "__main__":
    _common.cli(NAME, convert)
