"""Made-up scores of transfer to new devices: no number is a result."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.config import grid as grids
from pipeline.config.budget import Sources
from pipeline.config.datasets import Dataset
from pipeline.score import tables
from pipeline.score.label_noise import ADDITIVE, FAULTY, REPEATS, Noise
from pipeline.score.likeness import Likeness
from pipeline.score.published import Figure
from pipeline.score.scores import Scores
from tests.helpers.board_fixtures import ABOUT
from tests.helpers.score_fixtures import DATASET, make_cell, score_rows_of

DEVICES = ("phone", "watch", "car")
SOURCES = Sources(("car",), 50)
ABOUT_DEVICES: Dataset = replace(ABOUT, targets={"lat_ms": DEVICES})
FIGURES = [
    Figure(DATASET, "nasflat_fd", 20, "nasflat", "spearman", 0.8, "S", "a table"),
    Figure(DATASET, "nasflat_fd", 10, "help", "spearman", 0.6, "S", "a table"),
    Figure(DATASET, "nasflat_fa", 20, "nasflat", "spearman", 0.8, "S", "a table"),
]
NOISE = [
    Noise(DATASET, "lat_ms", "phone", ADDITIVE, 200, {"kendall_tau": 1.0, "spearman": 1.0, "r2": 1.0}),
    Noise(DATASET, "lat_ms", "watch", ADDITIVE, 200, {"kendall_tau": 0.4, "spearman": 0.5, "r2": 0.25}),
    Noise(DATASET, "lat_ms", "watch", REPEATS, 60, {"kendall_tau": 0.7, "spearman": 0.75, "mape": 9.0, "acc10": 60.0}),
    Noise(DATASET, "lat_ms", "phone", FAULTY, 8, {"share": 0.8}),
]
ALIKE = Likeness(DATASET, "lat_ms", DEVICES, (0.25, 0.9, -0.5))
# Spearman by protocol, predictor and labels, seed by seed; both devices get the same, and a MAPE of 100 (1 - rho).
RHO = {
    ("nasflat_fd", "nn_former", "n20"): (0.90, 0.901, 0.899),
    ("nasflat_fd", "layerwise", "n20"): (0.70, 0.71, 0.69),
    ("nasflat_fd", "nn_former", "n10"): (0.75, 0.85, 0.80),
    ("nasflat_fd", "layerwise", "n10"): (0.60, 0.61, 0.59),
    ("nasflat_fa", "nn_former", "n20"): (0.50, 0.51, 0.49),
    ("nasflat_fa", "layerwise", "n20"): (0.70, 0.71, 0.69),
    ("few_shot", "nn_former", "n5"): (0.50, 0.52, 0.48),
    ("few_shot", "nn_former", "n10"): (0.60, 0.62, 0.58),
    ("few_shot", "nn_former", "n100"): (0.69, 0.70, 0.68),
    ("direct", "layerwise", "n90"): (0.80, 0.81, 0.79),
    ("direct", "layerwise", "n90-faulty"): (0.20, 0.21, 0.19),
}


def scores(rho: dict | None = None, devices=("phone", "watch"), **about) -> Scores:
    """The scores of RHO, or of others, on some devices."""
    cells, rows = [], []
    for (protocol, label, word), values in (rho or RHO).items():
        for seed, value in enumerate(values):
            for device in devices:
                sources = None if protocol == "direct" else SOURCES
                cell = make_cell(
                    target="lat_ms", label=label, budget=word, seed=seed, device=device, protocol=protocol,
                    sources=sources,
                )  # fmt: skip
                cells.append(cell)
                rows.append(_rows(cell, value))
    grid = grids.Grid("tiny", "config/tiny.yaml", "cpu", 60, None, tuple(cells))
    table = pl.concat(rows)
    made = tables.tables_of(grid, table, {DATASET: replace(ABOUT_DEVICES, **about)}, "scores")
    return Scores(grid, table, made, FIGURES, NOISE, {}, [ALIKE])


def _rows(cell, value: float) -> pl.DataFrame:
    """The score rows of one cell."""
    key = {"protocol": cell.protocol, "target": "lat_ms", "scored_on": "lat_ms", "device": cell.device}
    rows = score_rows_of({(cell.label, str(cell.budget), cell.seed): value}, **key)
    quality = rows.filter(metric="kendall_tau").with_columns(value=pl.lit(value))
    mape = quality.with_columns(metric=pl.lit("mape"), value=pl.lit(100 * (1 - value)))
    acc10 = quality.with_columns(metric=pl.lit("acc10"), value=pl.lit(100 * value))
    return pl.concat([rows, quality.with_columns(metric=pl.lit("spearman")), mape, acc10])
