"""HELP: latency (ms) of 5,000 MobileNetV3 networks of Once-for-all on 12 combinations of GPU and batch size.

Source: ofa_archs.pt, a dictionary whose `arch` lists {ks, e, d, r}: kernels and expansions of 20 places, depths of five
stages, resolution of the input; and one <device>.pt per device in the same order.
"""

from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _help
from pipeline.convert._help import TARGET
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle, unpickle_numpy
from pipeline.spaces import blocks, cells

NAME = "help_ofa"
FASTEST_AND_SLOWEST = {"titan_rtx_64": (4072, 4556), "titan_xp_1": (1291, 4512), "v100_32": (4155, 4556)}  # graph_id
# Pearson's correlation of latency and pixels of the input: none at batch size 1, where launches of kernels decide.
BY_PIXELS = {"titan_rtx_1": 0.014, "titan_xp_1": -0.029, "v100_64": 0.878, "titan_rtx_64": 0.895}


def convert(raw: Path, out: Path) -> None:
    """Convert the files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    networks = _networks(raw / "ofa_archs.pt")
    latencies = _help.latencies(raw, datasets.get(NAME).targets[TARGET], len(networks))
    names = [f"r{resolution}|{'|'.join(chosen)}" for chosen, resolution in networks]
    chains = [blocks.chain(chosen, f"input_{resolution}") for chosen, resolution in networks]
    graphs = cells.graphs_frame(names, "ofa_mobilenetv3", chains, blocks.VOCAB_OFA)
    _common.publish(NAME, out, graphs, _help.targets(latencies), blocks.VOCAB_OFA, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: sizes, fastest and slowest networks, and what the resolution explains."""
    _common.expect(NAME, "different networks", graphs["iso"].n_unique(), 5_000)
    _common.expect(NAME, "nodes of a network", set(graphs["n_nodes"]), {22})
    _common.expect(NAME, "labels per device", set(targets.group_by("device").len()["len"]), {5_000})
    resolution = graphs["op"].list.first()
    _common.expect(NAME, "resolutions", resolution.n_unique(), len(blocks.RESOLUTIONS_OFA))
    pixels = (128 + 4 * resolution.cast(pl.Int64)) ** 2
    for device, ends in FASTEST_AND_SLOWEST.items():
        values = _common.values_of(targets, TARGET, device)
        _common.expect(NAME, f"fastest and slowest network of {device}", (values.arg_min(), values.arg_max()), ends)
    for device, known in BY_PIXELS.items():
        correlation = pl.select(pl.corr(pixels, _common.values_of(targets, TARGET, device))).item()
        _common.expect(NAME, f"correlation of pixels and {TARGET} of {device}", correlation, known, 1e-3)


def _networks(path: Path) -> list[tuple[tuple[str, ...], int]]:
    """Blocks and resolution of each network. Raises BenchError when the file holds anything else."""
    content = unpickle.load_torch(path, unpickle_numpy.ALLOWED)
    try:
        networks = [(blocks.ofa(arch["ks"], arch["e"], arch["d"]), arch["r"]) for arch in content["arch"]]
        if not networks or any(resolution not in blocks.RESOLUTIONS_OFA for _, resolution in networks):
            raise ValueError("a resolution is not of the space")
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not networks of Once-for-all: {error}; fetch it again") from error
    return networks


if __name__ == "__main__":
    _common.cli(NAME, convert)
