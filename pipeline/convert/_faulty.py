"""Readings of NAS-Bench-201 cells that cannot be: marked in the targets table, and kept there."""

from collections.abc import Sequence

import polars as pl

from pipeline.convert import _common
from pipeline.core.schema import FAULTY
from pipeline.core.targets import is_cost
from pipeline.spaces import cells

SHARE = 44  # of the cheapest cell with a path from input to output; readings are below a 48th or above a 41st
MOST = 0.01  # of the labels of a target and device


def mark(name: str, names: Sequence[str], targets: pl.DataFrame) -> pl.DataFrame:
    """`targets` with the column `faulty`; without it where no label is.

    A cost is faulty that is below a 44th of the cheapest cell, on the same device, with a path from input to output:
    stem, reduction blocks and classifier, which every network runs, take longer. `names`: architecture strings by
    graph_id. Raises BenchError where over 1 % of the labels of a target and device would be.
    """
    connected = [len(cells.cell_201(cells.parse_arch(arch)).edges) > 0 for arch in names]
    key = ["target", "device"]
    cheapest = targets.filter(pl.col("graph_id").is_in([i for i, path in enumerate(connected) if path]))
    cheapest = cheapest.group_by(key).agg(pl.col("value").min().alias("cheapest"))
    costs = [target for target in targets["target"].unique() if is_cost(target)]
    below = pl.col("target").is_in(costs) & (pl.col("value") < pl.col("cheapest") / SHARE)
    marked = targets.join(cheapest, on=key, how="left", maintain_order="left")
    marked = marked.with_columns(below.fill_null(False).alias(FAULTY))
    marked = marked.drop("cheapest")
    shares = marked.group_by(key).agg(pl.col(FAULTY).mean())
    _common.expect(
        name, f"a device with over {MOST:.0%} faulty labels", shares.filter(pl.col(FAULTY) > MOST).rows(), []
    )
    return marked if marked[FAULTY].any() else targets


def counts(targets: pl.DataFrame) -> dict[tuple[str, str], int]:
    """Faulty labels by target and device, where there are any."""
    if FAULTY not in targets.columns:
        return {}
    rows = targets.filter(FAULTY).group_by("target", "device").len().iter_rows()
    return {(target, device): count for target, device, count in rows}
