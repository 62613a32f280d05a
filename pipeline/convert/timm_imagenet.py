"""timm's networks trained on ImageNet-1k alone: top-1 on its validation images, one row an architecture.

Source: `results-imagenet.csv` of timm's results, and the graphs of timm_latency. A name is NAME.TAG; the tag names
recipe and data. Of an architecture's weights and input sizes the best counts: graph and recipe go together here. Each
label has the tag of the weights that it is of.
"""

from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _timm, nnlqp
from pipeline.core import schema

NAME, TARGET = "timm_imagenet", "top1_acc"
FILE = "results-imagenet.csv"
BEST = ("volo_d3_448@448", 86.514)
N_TAGS = 86
# What a tag says of other training data: other sets of images, or a teacher or a start that has seen them.
OTHER_DATA = [
    "in12k", "in21k", "in22k", "ig1b", "yfcc", "laion", "jft", "webli", "openai", "datacomp", "merged", "m30m", "m38m",
    "lvd", "wit", "cc12m", "seer", "swag", "clip", "ssld",
]  # fmt: skip


def convert(raw: Path, out: Path) -> None:
    """Convert the table in `raw` and the graphs to both tables in `out`. Raises BenchError."""
    graphs, targets, meta = read(raw)
    sanity(graphs, targets)
    nnlqp.publish(NAME, datasets.get(NAME).version, out, graphs, targets, meta)


def read(raw: Path, networks: Path = _timm.NETWORKS) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs in the folder `networks` that have a label, their targets, and the graphs' metadata."""
    graphs, meta, _ = _timm.read_networks(networks)
    rows = _common.read_csv(raw / FILE, ["model", "img_size", "top1"])
    parts = pl.col("model").str.split_exact(".", 1).struct
    rows = rows.select(
        architecture=parts.field("field_0"),
        tag=parts.field("field_1").fill_null(""),
        name=pl.concat_str(parts.field("field_0"), pl.lit("@"), pl.col("img_size").cast(pl.Int64)),
        value=pl.col("top1").cast(pl.Float64),
    )
    alone = pl.col("tag").str.contains("in1k") & ~pl.col("tag").str.contains_any(OTHER_DATA)
    rows = rows.filter(alone, pl.col("name").is_in(graphs["name"].implode()))
    best = rows.sort("value", "name", descending=[True, False]).unique("architecture", keep="first")
    graphs = _timm.with_labels(graphs, best["name"])
    rows = graphs.select("name", "graph_id").join(best, on="name").sort("graph_id")
    targets = _common.target_frame(TARGET, "any", rows["value"])
    return graphs, targets.with_columns(rows["tag"].alias(schema.TAG)), meta


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: how many architectures and tags, the lineages, the best, and a row of the table."""
    _timm.expect_networks(NAME, graphs)
    value = dict(zip(graphs["name"], _common.values_of(targets, TARGET), strict=True))
    best = max(value, key=value.get)
    _common.expect(NAME, "best architecture", best, BEST[0])
    _common.expect(NAME, "its accuracy", value[best], BEST[1], 1e-6)
    _common.expect(NAME, "number of tags", targets[schema.TAG].n_unique(), N_TAGS)


if __name__ == "__main__":
    _common.cli(NAME, convert)
