"""NNLQP, unseen structures: 20,000 networks of 10 families and the vision transformers, measured on one GPU.

Source: dataset.tar.gz (folder unseen_structure) and dataset2.tar.gz (folder vit) of the release v1.0-data of
github.com/ModelTC/NNLQP; train/test marks (1,800/200 per family) from gt_stage.txt of NAR-Former V2, where gt.txt has
none.
"""

from pathlib import Path

import polars as pl

from pipeline.convert import _common, nnlqp

NAME = "nnlqp_unseen"
VERSION = "1"
FAMILIES = (
    *("alexnet", "efficientb0", "googlenet", "mnasnet", "mobilenetv2"),
    *("mobilenetv3", "nasbench201", "resnet18", "squeezenet", "vgg16"),
)
GTX1660 = nnlqp.PLATFORMS[1]


def convert(raw: Path, out: Path) -> None:
    """Convert the two archives in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    graphs, targets, meta = read(raw)
    sanity(graphs, targets)
    nnlqp.publish(NAME, VERSION, out, graphs, targets, meta)


def read(raw: Path, workers: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs, targets and metadata of the archives in `raw`."""
    unseen = nnlqp.with_stages(nnlqp.read_part(raw / "dataset.tar.gz", "unseen_structure"), raw / "gt_stage.txt")
    return nnlqp.tables([unseen, nnlqp.read_part(raw / "dataset2.tar.gz", "vit")], workers)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: 2,000 networks in each of 10 families, 1,800 to train and 200 to test, all on the same GPU."""
    nnlqp.expect_stages(NAME, graphs, targets, FAMILIES, train=1_800, test=200)
    of_families = targets.join(graphs.filter(pl.col("family").is_in(FAMILIES)), on="graph_id", how="semi")
    _common.expect(NAME, "labels of the 10 families", of_families.height, 20_000)
    _common.expect(NAME, "devices of the 10 families", of_families["device"].unique().to_list(), [GTX1660])


if __name__ == "__main__":
    _common.cli(NAME, convert)
