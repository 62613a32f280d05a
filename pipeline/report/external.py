"""The section of a board on results from outside: shown, and counted in no rank, mean or answer."""

from __future__ import annotations

from pipeline.report.format import MISSING, TITLES, markdown, number, plain, span
from pipeline.score.external import Scored
from pipeline.score.tables import Table


def external_section(results: list[Scored], tables: list[Table]) -> list[str]:
    """One row a result, beside the board's best predictor of as many labels; [] without results."""
    rows = [_row(result, table) for result in results if (table := _table(result, tables)) is not None]
    if not rows:
        return []
    header = ["External result", "By", "Labels of", "Labels", "Trained on", "Other labels", "Seeds"]
    header += ["Metric", "`all`", "`test`", "Best here, as many labels"]
    return [
        "## External results",
        "",
        "Predictions that others made and sent in ([how](../../docs/external_results.md)): scored here, not made here. "
        "What they were trained on is the senders' word. They count in no rank, mean or answer of this page.",
        "",
        *markdown(header, rows, "lllrllllrrl"),
        "",
    ]


def _table(result: Scored, tables: list[Table]) -> Table | None:
    about = result.about
    fits = (t for t in tables if (t.dataset, t.target, t.scored_on) == (about.dataset, about.target, about.target))
    return next((table for table in fits if about.device in table.devices), None)


def _row(result: Scored, table: Table) -> list[str]:
    about, metric = result.about, table.metric
    trained = "as ours" if about.training_set == "suite" else "a set of its own"
    on = f" on {plain(about.device)}" if about.device != "any" else ""
    scores = [number(result.mean(split, metric), metric) for split in ("all", "test")]
    return [
        f"*external:* `{about.name}`",
        f"{plain(about.by)}: {plain(about.source)}",
        f"`{about.dataset}` `{about.target}`{on}",
        f"{about.labels:,}",
        trained,
        plain(about.other_labels),
        span(list(result.scores)),
        TITLES[metric],
        *scores,
        _best_here(result, table),
    ]


def _best_here(result: Scored, table: Table) -> str:
    """The best predictor of the board with as many labels, those for validation included."""
    about, split = result.about, table.split
    for size in table.sizes:
        if size.n_train + size.n_val[1] == about.labels and not size.n_source:
            for predictor in table.ranked_at(size, device=about.device)[:1]:
                mean = table.stat(predictor, size, table.metric, split, about.device).mean
                return f"`{predictor}` {number(mean, table.metric)} (`{split}`)"
    return MISSING
