"""The board as one flat table, a row for each predictor, task, size and device: what the CSV and the HTML page show."""

from __future__ import annotations

import polars as pl

from pipeline.report.format import labels
from pipeline.score.published import CONFIDENCE
from pipeline.score.scores import Scores
from pipeline.score.tables import Size, Table

SCHEMA = pl.Schema(
    {
        "dataset": pl.String, "version": pl.String, "protocol": pl.String, "trained_on": pl.String,
        "scored_on": pl.String, "device": pl.String, "predictor": pl.String, "size": pl.String, "labels": pl.String,
        "n_train": pl.Int64, "n_val": pl.Int64, "n_source": pl.Int64, "metric": pl.String, "split": pl.String,
        "mean": pl.Float64, "half_interval": pl.Float64, "sd": pl.Float64, "rank": pl.Float64, "test": pl.Float64,
        "novel": pl.Float64, "novel_function": pl.Float64, "kendall_tau": pl.Float64, "mape": pl.Float64,
        "acc10": pl.Float64, "fit_cpu_s": pl.Float64, "predict_s": pl.Float64, "n_params": pl.Float64,
        "seeds": pl.String, "status": pl.String, "published": pl.Float64, "published_confidence": pl.String,
        "machine": pl.String, "code": pl.String,
    }
)  # fmt: skip


def rows(scores: Scores) -> pl.DataFrame:
    """All numbers of the board, in the order of the grid: tables, sizes, predictors, devices and their mean."""
    ranked = {table.name: ranking for ranking in scores.rankings for table in ranking.tables}
    words = {letter: word for letter, (word, _) in CONFIDENCE.items()}
    flat = []
    for table in scores.tables:
        shown = [c for c in scores.comparisons[table.name] if c.figure.metric in (table.metric, "mape")]
        published = {(c.label, c.size): c for c in shown}
        facts = {key: _distinct(table, column) for key, column in (("machine", "host_cpu"), ("code", "code_rev"))}
        n_val = dict(table.rows.group_by("predictor").agg(pl.col("n_val").max()).iter_rows())
        for size in table.sizes:
            ranks = ranked[table.name].task_ranks(table, size) if table.name in ranked else {}
            for predictor in (p for p in table.predictors if table.seeds_of(p, [size])):
                for device in (*table.devices, None) if len(table.devices) > 1 else table.devices:
                    row = _row(table, size, predictor, device)
                    comparison = published.get((predictor, size)) if device is None or len(table.devices) == 1 else None
                    if comparison:
                        row |= {
                            "published": comparison.figure.value,
                            "published_confidence": f"{comparison.figure.metric} {words[comparison.figure.confidence]}",
                        }
                    row |= {key: values.get(predictor, "") for key, values in facts.items()}
                    row["rank"] = ranks.get(predictor) if device is None or len(table.devices) == 1 else None
                    flat.append(row | {"n_val": n_val.get(predictor, 0)})
    return pl.DataFrame(flat, schema=SCHEMA)


def _distinct(table: Table, column: str) -> dict[str, str]:
    """The values of a column, by predictor."""
    values = pl.col(column).drop_nulls().unique().sort().str.join(", ")
    return dict(table.rows.group_by("predictor").agg(values).iter_rows())


def _row(table: Table, size: Size, predictor: str, device: str | None) -> dict:
    def mean(metric: str, split: str) -> float | None:
        return table.stat(predictor, size, metric, split, device).mean

    stat = table.main(predictor, size, device)
    status = " / ".join(dict.fromkeys(why for _, why in stat.failed)) or "ok"
    return {
        "dataset": table.dataset, "version": table.version, "protocol": table.protocol, "trained_on": table.target,
        "scored_on": table.scored_on, "device": device or f"mean of {len(table.devices)}", "predictor": predictor,
        "size": size.budget.own_labels, "labels": labels(size), "n_train": size.n_train, "n_source": size.n_source,
        "metric": table.metric, "split": table.split, "mean": stat.mean, "half_interval": stat.half, "sd": stat.sd,
        "test": mean(table.metric, "test"), "novel": mean(table.metric, "novel"),
        "novel_function": mean(table.metric, "novel_function"),
        "kendall_tau": mean("kendall_tau", table.split), "mape": mean("mape", table.split),
        "acc10": mean("acc10", table.split), "fit_cpu_s": mean("fit_cpu_s", "run"),
        "predict_s": mean("predict_s", "run"), "n_params": mean("n_params", "run"),
        "seeds": f"{len(stat.values)}/{stat.expected}", "status": status,
    }  # fmt: skip
