"""timm's networks on seven chips: latency of published image networks, by timm's benchmark tables and clsbench.

Source: `benchmark-infer-*.csv` of timm's results, three tables of clsbench, and the graphs that `pipeline.export.run`
made, in data/kept. Target latency_ms is the time of one step, of a batch whose size varies by row; image_ms is
that time over the batch size. Graphs are at batch size 1.
"""

from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _timm, nnlqp
from pipeline.core import schema

NAME = "timm_latency"
CLSBENCH = {  # file: device, milliseconds of its unit
    "imagenet_nano_gpu_ort.csv": ("jetson_nano_gpu_fp32_ort", 1e3),
    "imagenet_nano_cpu_ort.csv": ("jetson_nano_cpu_fp32_ort", 1e3),
    "imagenet_vim3.csv": ("vim3", 1.0),
}
SIZE_WITHIN = 0.1  # a file of clsbench may be so much larger or smaller than the graph's parameters
PARAMS_WITHIN, PARAMS_SHARE = 0.01, 0.98  # beside rounding to 10,000
FLOPS_WITHIN, FLOPS_SHARE = 0.03, 0.95  # beside rounding to 10 million
LEAST = {"i7_12700h_fp32_nchw_dynamo_pt240": 1_100, "rtx5090_amp_nchw_eager_pt291": 1_200}  # labels


def convert(raw: Path, out: Path) -> None:
    """Convert the tables in `raw` and the graphs to both tables in `out`. Raises BenchError."""
    graphs, targets, meta = read(raw)
    sanity(graphs, targets)
    nnlqp.publish(NAME, datasets.get(NAME).version, out, graphs, targets, meta)


def read(raw: Path, networks: Path = _timm.NETWORKS) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs in the folder `networks` that have a label, their targets, and the graphs' metadata."""
    graphs, meta, listing = _timm.read_networks(networks)
    names = set(graphs["name"])
    tables = {path: _timm.read_table(path, names) for path in sorted(raw.glob("benchmark-infer-*.csv"))}
    _check_costs(graphs, listing, tables)
    labels = [rows.with_columns(device=pl.lit(_timm.device_of(path.name))) for path, rows in tables.items()]
    labels += [clsbench(raw / file, *about, graphs) for file, about in CLSBENCH.items()]
    columns = ("name", "device", "batch_size", "step_ms")
    rows = pl.concat([part.select(columns) for part in labels])
    graphs = _timm.with_labels(graphs, rows["name"])
    rows = rows.join(graphs.select("name", "graph_id"), on="name")
    targets = [
        rows.select(
            "graph_id", "device", "batch_size", target=pl.lit(target), value=value, stage=pl.lit(None, pl.String)
        )
        for target, value in (("latency_ms", pl.col("step_ms")), ("image_ms", pl.col("step_ms") / pl.col("batch_size")))
    ]
    order = ("target", "device", "graph_id")
    return graphs, pl.concat(targets).select(list(schema.TARGETS)).sort(order), meta


def clsbench(path: Path, device: str, unit_ms: float, graphs: pl.DataFrame) -> pl.DataFrame:
    """name, device, batch_size, step_ms of a table of clsbench: the median over the weights of one architecture.

    Its names are NAME[.WEIGHTS]_SIZE. Weights with another number of classes than the graph's are left out: the file's
    size in megabytes tells.
    """
    rows = _common.read_csv(path, ["model_name", "mean_latency", "model_size"])
    parts = pl.col("model_name").str.extract_groups(r"^(?<name>[^.]+?)(?:\..*)?_(?<size>\d+)$").struct
    rows = rows.with_columns(name=pl.concat_str(parts.field("name"), pl.lit("@"), parts.field("size")))
    rows = rows.join(graphs.select("name", "params"), on="name")
    same = (pl.col("model_size") * 2**20 / 4 / pl.col("params") - 1).abs() < SIZE_WITHIN
    medians = rows.filter(same).group_by("name", maintain_order=True).agg(pl.col("mean_latency").median())
    return medians.select(
        "name", device=pl.lit(device), batch_size=pl.lit(1, pl.UInt16), step_ms=pl.col("mean_latency") * unit_ms
    )


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: how many graphs and, on two platforms, labels; the lineages, and the devices of each target."""
    _timm.expect_networks(NAME, graphs)
    for device, least in LEAST.items():
        _common.expect(NAME, f"{least} labels on {device}", targets.filter(device=device).height >= 2 * least, True)
    devices = {name: set(found) for name, found in targets.group_by("target").agg("device").iter_rows()}
    _common.expect(
        NAME, "targets and devices", devices, {name: set(d) for name, d in datasets.get(NAME).targets.items()}
    )


def _check_costs(graphs: pl.DataFrame, listing: pl.DataFrame, tables: dict[Path, pl.DataFrame]) -> None:
    """Known facts: nearly all networks have the parameters and the GMACs of each table, as far as it rounds.

    The tables' GMACs count normalisations and activations too: half the FLOPs of a graph.
    """
    known = graphs.select("name", pl.col("flops") / 2e9).join(listing.select("name", pl.col("params") / 1e6), on="name")
    for path, rows in tables.items():
        pair = rows.join(known, on="name")
        for fact, ours, theirs, rounding, within, share in (
            ("parameters", "params", "params_m", 0.005, PARAMS_WITHIN, PARAMS_SHARE),
            ("FLOPs", "flops", "gmacs", 0.005, FLOPS_WITHIN, FLOPS_SHARE),
        ):
            both = pair.drop_nulls(theirs)
            close = (both[ours] - both[theirs]).abs() <= within * both[theirs] + rounding
            what = f"{path.name}: {fact} within {within:.0%} of {share:.0%} of the networks"
            _common.expect(NAME, what, both.height == 0 or close.mean() >= share, True)


if __name__ == "__main__":
    _common.cli(NAME, convert)
