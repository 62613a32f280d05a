"""Every published figure of NN-Former, and what the boards that run it as published came to."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.names import FOCUS, is_as_published
from pipeline.report.format import MISSING, TITLES, cell, compact, folded, markdown, number, plain
from pipeline.report.questions import WORDS
from pipeline.report.sections import confidence_legend, picked_by, published_labels
from pipeline.score.published import CONFIDENCE, LEAVE_OUT, Comparison, Figure
from pipeline.score.scores import Scores

ABLATED = f"{FOCUS}_paper_"  # published under this name: the paper's model with parts changed
FORMS = {  # of ABLATED
    "transformer": "attention without masks, plain feed-forward",
    "plain_ffn": "plain feed-forward",
    "global": "attention without masks",
    "no_siblings": "masks of edges alone",
    "adj_share_child": "masks of edges along the data and of common children alone",
    "nar_positions": "NAR-Former's positions added",
    "laplacian": "Laplacian positions added",
    "ffn_along": "feed-forward along edges alone",
    "ffn_against": "feed-forward against edges alone",
}
COSTS = {"n_params": "parameters", "predict_ms": "ms a prediction", "train_h": "hours of training"}
COST = "cost"  # protocol of figures of what the model costs


def figures_of_focus(figures: Iterable[Figure]) -> list[Figure]:
    """NN-Former's own figures, those in doubt left out."""
    return [f for f in figures if not f.in_doubt and (f.predictor == FOCUS or f.predictor.startswith(ABLATED))]


def results(boards: dict[str, Scores]) -> dict[tuple, list[Comparison]]:
    """Ours beside published figures, by the key of the figure: labels of NN-Former as published alone."""
    found: dict[tuple, list[Comparison]] = {}
    for scores in boards.values():
        for comparison in (c for table in scores.tables for c in scores.comparisons[table.name]):
            if is_as_published(comparison.label):
                found.setdefault(comparison.figure.key, []).append(comparison)
    return found


def not_run(boards: dict[str, Scores], figures: Iterable[Figure]) -> str:
    """How many figures of accuracy and latency no board has run, in words; empty where each has been."""
    known = [figure for figure in figures_of_focus(figures) if figure.protocol != COST]
    found = results(boards)
    n = sum(figure.key not in found for figure in known)
    sampled = sum(all(c.on_sample for c in found.get(figure.key, [])) for figure in known) - n
    more = f"; {sampled} more on a sample of other networks alone, which gives no verdict" if sampled else ""
    return f"**not run**: {n} of {len(known)} published figures{more}" if n or sampled else ""


def figures_table(boards: dict[str, Scores], figures: Iterable[Figure]) -> list[str]:
    """A row a figure, with ours as published beside it, behind a caption that opens it; [] without any figure."""
    known, found = figures_of_focus(figures), results(boards)
    if not known:
        return []
    n = sum(figure.in_doubt and figure.predictor == FOCUS for figure in figures)
    figures_words = f"{n} figure{'s' if n > 1 else ''} of config/published.csv"
    in_doubt = ["", f"Not shown, as sources contradict each other: {figures_words}."] if n else []
    picked = [line for text in dict.fromkeys(map(picked_by, filter(lambda f: f.n_val, known))) for line in ("", text)]
    rows = [_row(figure, found.get(figure.key, []), boards) for figure in known]
    header = ["Published", "Labels", "Metric", "Figure", "Confidence", "Ours, as published", "Fit, CPU-h"]
    return folded(
        "Each published figure of NN-Former, and ours",
        [*markdown(header, rows, "lrlrllr"), "", *confidence_legend(known, WORDS["agrees"]), *picked, *in_doubt],
    )  # fmt: skip


def _row(figure: Figure, ours: list[Comparison], boards: dict[str, Scores]) -> list[str]:
    form = figure.predictor.removeprefix(ABLATED)
    if figure.protocol == COST:
        value = compact(figure.value) if figure.metric == "n_params" else f"{figure.value:g}"
        text = _parameters(boards) if figure.metric == "n_params" else "not compared: other hardware"
        what, labels, hours = "cost", MISSING, MISSING
    else:
        value, labels = number(figure.value, figure.metric), published_labels(figure)
        if form in FORMS and figure.metric == "kendall_tau":
            value = f"{figure.value:.4f}"  # forms differ in the fourth digit
        family = figure.protocol.removeprefix(LEAVE_OUT) if figure.protocol.startswith(LEAVE_OUT) else ""
        without = "mean of families left out" if family == "mean" else f"without {family}" if family else ""
        best = "best of several runs" if figure.statistic == "best" else ""
        what = ", ".join(filter(None, (plain(figure.dataset), plain(without), FORMS.get(form, ""), best)))
        text = "<br>".join(map(_ours, ours)) or "not run"
        hours = "<br>".join(MISSING if c.cpu_s is None else f"{c.cpu_s / 3600:.2g}" for c in ours) or MISSING
    metric = COSTS.get(figure.metric) or TITLES.get(figure.metric) or plain(figure.metric)
    return [what, labels, metric, value, CONFIDENCE[figure.confidence][0], text, hours]


def _ours(comparison: Comparison) -> str:
    text = f"`{comparison.label}` {cell(comparison.ours, comparison.figure.metric)}"
    if comparison.on_sample:
        return f"{text} on a sample of other networks: no verdict"
    return f"{text}: **{WORDS[comparison.verdict]}**"


def _parameters(boards: dict[str, Scores]) -> str:
    """Parameters of each label as published, at its largest size."""
    found = {}
    for table in (table for scores in boards.values() for table in scores.tables):
        for label in filter(is_as_published, table.predictors):
            n = table.stat(label, table.shared_sizes[-1], "n_params", "run").mean
            if n is not None:
                found[f"`{label}` {compact(n)}"] = None
    return "<br>".join(found) or "not run"
