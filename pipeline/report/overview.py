"""The top of the board: the four answers, one table over all tasks, ranks and paired comparisons."""

from __future__ import annotations

from pipeline.config.budget import Kind
from pipeline.config.nasflat import NASFLAT
from pipeline.core.names import focus_first, is_focus
from pipeline.report import sections
from pipeline.report.format import (
    MISSING,
    TITLES,
    Notes,
    anchor,
    cell,
    code,
    compact,
    joined,
    labels,
    markdown,
    number,
    p_text,
    percent,
    plain,
    size_header,
    size_name,
    slashed,
    span,
    title,
)  # fmt: skip
from pipeline.score import stats
from pipeline.score.headline import mean_over_tasks
from pipeline.score.label_noise import Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.ranking import Ranking
from pipeline.score.scores import Scores
from pipeline.score.tables import Size, Stat, Table

FEW_DEVICES = 3  # more are shown by their mean
RANK_INTERVAL = (
    "In brackets its 95 % interval: the bootstrap over seeds, stretched to Student's t, within the ranks. Few seeds "
    "that agree make no rank certain: with three, 63 % of all runs may still be a rank off, with five 45 %, and no "
    "interval is narrower than that."
)
Column = tuple[str, dict[str, str]]  # heading, text of each predictor


def summary_table(scores: Scores, notes: Notes) -> list[str]:
    """Predictors by everything: mean rank, tau by budget, latency error by protocol and device, cost, coverage."""
    tables, rankings = scores.tables, scores.rankings
    predictors = _order(tables, rankings)
    columns = [_rank_column(ranking, len(rankings) > 1, notes) for ranking in rankings if len(ranking.ranked) > 1]
    columns += _accuracy_columns([table for table in scores.compared_tables if not table.is_cost])
    for table in scores.compared_tables:
        if table.is_cost and table.protocol not in NASFLAT:  # these have a section of their own
            columns += _cost_columns(table, notes, scores.noise)
    columns += _run_columns(tables, predictors, notes)
    columns.append(("Cells with<br>a number", {p: _coverage(rankings, p) for p in predictors}))
    rows = [[f"`{p}`{_mark(tables, p, notes)}", *(texts.get(p, MISSING) for _, texts in columns)] for p in predictors]
    return markdown(["Predictor", *(heading for heading, _ in columns)], rows)


def _order(tables: list[Table], rankings: list[Ranking]) -> list[str]:
    """By mean rank under the first metric, then by that under the next; those without one as in their first table."""
    order = [p for ranking in rankings for p in (ranking.mean_ranks if len(ranking.ranked) > 1 else ())]
    return list(dict.fromkeys(order + [p for table in tables for p in table.ranked()]))


def _rank_column(ranking: Ranking, several: bool, notes: Notes) -> Column:
    what = f"<br>by {TITLES[ranking.metric].removesuffix(', %')}" if several else ""
    note = notes.mark(
        f"Rank of one run among {len(ranking.ranked)} predictors, averaged over {len(ranking.tasks)} tasks "
        f"(data set and label budget) and seeds. {RANK_INTERVAL} Only predictors with a number for every task and seed "
        f"are ranked.{shared_tasks(ranking)}"
    )
    return f"Mean rank{what}{note}", {p: rank_text(rank) for p, rank in ranking.mean_ranks.items()}


def shared_tasks(ranking: Ranking) -> str:
    """Which sizes and seeds are ranked, where some predictors have more; empty where all have the same."""
    if not ranking.leaves_out:
        return ""
    parts = []
    for table, seeds in ranking.seeds.items():
        some = len(table.shared_sizes) < len(table.sizes)
        sizes = f" at {joined([labels(size) for size in table.shared_sizes])} labels" if some else ""
        parts.append(f"{table.dataset}{sizes}, seed{'s' if len(seeds) > 1 else ''} {span(list(seeds))}")
    return f" Ranked is what predictors share: {'; '.join(parts)}."


def rank_text(rank: stats.Interval | float) -> str:
    """A mean rank with its interval; bare where there is one seed."""
    return f"{rank:.2f}" if isinstance(rank, float) else f"{rank.mean:.2f} ({rank.low:.2f} to {rank.high:.2f})"


def _accuracy_columns(tables: list[Table]) -> list[Column]:
    """Tau at each size that accuracy tables have, averaged over those that have it."""
    by_budget: dict[tuple[Kind, str], list[tuple[Table, Size]]] = {}
    for table in tables:
        for size in table.sizes:
            by_budget.setdefault((size.budget.kind, size.budget.amount), []).append((table, size))
    columns = []
    kinds = list(Kind)  # numbers within a kind in their order
    for (kind, amount), tasks in sorted(
        by_budget.items(), key=lambda item: (kinds.index(item[0][0]), min(size.n_train for _, size in item[1]))
    ):
        budgets = list(dict.fromkeys(labels(size) for _, size in tasks))
        heading = f"τ, {percent(amount)}" if kind is Kind.FRACTION else "τ"
        heading += f"<br>{' or '.join(budgets)} labels"
        if len(tables) > 1:
            heading += f"<br>{len(tasks)} tasks" if len(tasks) > 1 else f"<br>{tasks[0][0].dataset}"
        predictors = list(dict.fromkeys(p for table, _ in tasks for p in table.predictors))
        means = {p: mean_over_tasks(tasks, p) for p in predictors}
        columns.append((heading, _best_bold(means, "kendall_tau")))
    return columns


def _best_bold(stats_of: dict[str, Stat], metric: str) -> dict[str, str]:
    texts = {p: number(stat.mean, metric) for p, stat in stats_of.items() if stat.complete}
    best = max(texts.values(), key=float, default=None)
    return {p: cell(stat, metric, best is not None and texts.get(p) == best) for p, stat in stats_of.items()}


def _cost_columns(table: Table, notes: Notes, noise: list[Noise]) -> list[Column]:
    """MAPE / Acc(10 %) at the largest size, by device where there are few; else over families left out."""
    places = table.devices if len(table.devices) <= FEW_DEVICES else [None]
    columns = []
    for device in places:
        where = plain(device) if device else f"mean of {len(table.devices)} devices"
        last = table.sizes[-1]
        if all(size.budget.family for size in table.sizes):
            budget = f"{labels(last)} labels, mean of {len(table.sizes)} families left out"
        else:
            budget = " ".join(
                filter(None, (f"{labels(last)} labels", f"({size_name(last)})" if size_name(last) else ""))
            )
        heading = f"MAPE, % / Acc(10 %), %<br>{table.dataset} {table.scored_on}, {table.protocol}<br>{where}, {budget}"
        if device is None and sections.near_zero_devices(table):
            heading += notes.mark("A few labels near zero decide this MAPE; see the section of the data set.")
        floor = noise_floor(noise, table.dataset, table.scored_on, [device] if device else table.devices)
        if floor:
            heading += f"<br>noise floor {number(floor['mape'], 'mape')} / {number(floor['acc10'], 'acc10')}"
        texts = {}
        for p in table.predictors:
            pair = []
            for metric in ("mape", "acc10"):
                whole = not last.budget.is_drawn and len(table.sizes) > 1
                args = (metric, table.split, device)
                pair.append((metric, table.over_sizes(p, *args) if whole else table.stat(p, last, *args)))
            texts[p] = slashed(pair)
        columns.append((heading, texts))
    return columns


def _run_columns(tables: list[Table], predictors: list[str], notes: Notes) -> list[Column]:
    """CPU-seconds of a fit and parameters at the largest shared size of each table: one value, or lowest to highest."""
    hosts = sorted({str(host) for table in tables for host in table.rows["host_cpu"].drop_nulls().unique()})
    gpus = any((table.rows["torch_device"] == "cuda").any() for table in tables)
    heading = "Fit, CPU-s"
    if len(hosts) > 1:
        heading += notes.mark(f"Measured on {len(hosts)} different processors: {plain('; '.join(hosts))}.")
    if gpus:
        heading += notes.mark("Some fits ran on a GPU: their CPU-seconds leave out the GPU's work.")

    def spread(predictor: str, metric: str, digits: int) -> str:
        of_tables = [t for t in tables if predictor in t.predictors]
        means = [t.stat(predictor, t.shared_sizes[-1], metric, "run").mean for t in of_tables]
        texts = [compact(value, digits) for value in sorted(value for value in means if value is not None)]
        return MISSING if not texts else texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"

    return [
        (heading, {p: spread(p, "fit_cpu_s", 2) for p in predictors}),
        ("Parameters", {p: spread(p, "n_params", 3) for p in predictors}),
    ]


def _coverage(rankings: list[Ranking], predictor: str) -> str:
    have, wanted = map(sum, zip(*(ranking.coverage(predictor) for ranking in rankings), strict=True))
    return f"{have}/{wanted}"


def _mark(tables: list[Table], predictor: str, notes: Notes) -> str:
    """Footnotes on how a predictor's numbers depart from the others'."""
    words = {}
    for table in tables:
        runs = table.rows.filter(predictor=predictor)
        if runs.height and runs["n_val"].max():
            words[f"`{predictor}` also had labels held back for validation; every column counts them."] = None
        if table.overrides.get(predictor, "{}") != "{}":
            words[f"`{predictor}` has the settings {code(table.overrides[predictor])} over its defaults."] = None
        for status in ("error", "diverged", "timeout", "unsupported"):
            n = runs.filter(status=status).select("device", "budget", "seed").unique().height
            if n:
                text = f"`{predictor}`, {title(table)}: {n} run{'s' if n > 1 else ''} ended as {status}."
                words[text] = None
        undefined = any(
            why == "undefined" for size in table.sizes for _, why in table.main(predictor, size).failed
        )  # fmt: skip
        if undefined:
            words[f"`{predictor}` predicts one value for all networks, which have no ranking then."] = None
    return "".join(notes.mark(text) for text in words)


def rank_section(ranking: Ranking) -> list[str]:
    """Ranks by task and every predictor beside the best; [] with fewer than two ranked predictors."""
    if len(ranking.ranked) < 2:
        return []
    lines = [f"### Ranks by {TITLES[ranking.metric].removesuffix(', %')}", ""]
    best = next(iter(ranking.mean_ranks))
    if ranking.compared:
        lines += [*_compared_table(ranking, best), ""]
    by_task = [ranking.task_ranks(table, size) for table, size in ranking.tasks]
    several = len({table.name for table in ranking.tables}) > 1
    heads = [f"{t.dataset}<br>{size_header(s)}" if several else size_header(s) for t, s in ranking.tasks]
    rows = [
        [f"`{p}`", *(f"{ranks[p]:g}" if p in ranks else MISSING for ranks in by_task)]
        for p in _order(ranking.tables, [ranking])
    ]
    lines += ["Rank of the mean over seeds:", "", *markdown(["Predictor", *heads], rows), ""]
    return lines


def _compared_table(ranking: Ranking, best: str) -> list[str]:
    """Every ranked predictor beside the best one, and how to read it."""
    several = len({compared.seeds for compared in ranking.compared}) > 1
    rows = []
    for compared in ranking.compared:
        mean, low, high = (number(value, ranking.metric, 1) for value in compared.paired.difference)
        row = [f"`{compared.predictor}`", mean, f"{low} to {high}", f"{100 * compared.paired.improvement:.0f} %"]
        rows.append([*row, p_text(compared.p_holm), *([str(compared.seeds)] if several else [])])
    header = [f"`{best}` against", "Ahead by", "95 % interval", "Ahead in", "p (Holm)", *(["Seeds"] if several else [])]
    return [
        *markdown(header, rows), "",
        f"Paired by task and seed, on the seeds that both have{_looked_at(ranking)}. `Ahead in`: share of "
        f"task-and-seed pairs in which it is ahead, ties half. p: Student's t over seeds, corrected for {len(rows)} "
        "comparisons (Holm); with few seeds a large p says little.",
    ]  # fmt: skip


def _looked_at(ranking: Ranking) -> str:
    """Which predictors are compared on seeds added after a look alone; empty without any."""
    by_count: dict[int, dict[str, None]] = {}
    for table in ranking.tables:
        for predictor, seen in table.looked_at.items():
            by_count.setdefault(seen, {})[f"`{predictor}`"] = None
    parts = [
        f"; {joined(list(names))} with one another on those added after the first {n} had been looked at"
        for n, names in by_count.items()
    ]
    return "".join(parts)


def glance(tables: list[Table]) -> list[str]:
    """At a small and a larger size of every table: the best predictor and NN-Former's place."""
    header = ["Task", "Labels", "Metric", "Best", "NN-Former", "Best without NN-Former"]
    rows = [_glance_row(table, size) for table in tables for size in table.summary_sizes()]
    return markdown(header, rows, "lrllll")


def _glance_row(table: Table, size: Size) -> list[str]:
    order = table.ranked_at(size)

    def shown(predictor: str | None) -> str:
        return MISSING if predictor is None else f"`{predictor}` {cell(table.main(predictor, size), table.metric)}"

    ours = next(iter(focus_first(p for p in table.predictors if is_focus(p))), None)
    rank = f", rank {order.index(ours) + 1} of {len(order)}" if ours in order else ""
    loud = "**SYNTHETIC** " if table.synthetic else ""
    return [
        f"{loud}[{title(table)}](#{anchor(title(table))})",
        f"{labels(size)} ({size_name(size)})" if size_name(size) else labels(size),
        TITLES[table.metric],
        f"**{shown(order[0])}**" if order else MISSING,
        shown(ours) + rank,
        shown(next((p for p in order if not is_focus(p)), None)),
    ]
