"""The top of the board: the four answers, one table over all tasks, ranks and paired comparisons."""

from __future__ import annotations

import statistics
from decimal import Decimal

from pipeline.core.names import predictor_of
from pipeline.report import sections
from pipeline.report.format import (
    MISSING,
    MISSION,
    TITLES,
    Notes,
    anchor,
    cell,
    compact,
    labels,
    markdown,
    number,
    ordered,
    percent,
    size_header,
    size_name,
    slashed,
    title,
)  # fmt: skip
from pipeline.report.questions import answers
from pipeline.score import stats
from pipeline.score.label_noise import Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.published import Figure
from pipeline.score.ranking import Ranking, rankings
from pipeline.score.tables import Size, Stat, Table

FEW_DEVICES = 3  # more are shown by their mean
Column = tuple[str, dict[str, str]]  # heading, text of each predictor


def answers_table(
    tables: list[Table], figures: list[Figure], noise: list[Noise] = (), others: dict[str, dict] | None = None
) -> list[str]:
    """The four questions and their answers."""
    return markdown(["Question", "Answer"], [list(pair) for pair in answers(tables, figures, noise, others)], "ll")


def summary_table(tables: list[Table], notes: Notes, noise: list[Noise] = ()) -> list[str]:
    """Predictors by everything: mean rank, tau by budget, latency error by protocol and device, cost, coverage."""
    found = rankings(tables)
    predictors = _order(tables, found)
    columns = [_rank_column(ranking, len(found) > 1, notes) for ranking in found if len(ranking.ranked) > 1]
    kept = [table for ranking in found for table in ranking.tables]
    columns += _accuracy_columns([table for table in kept if not table.is_cost])
    for table in kept:
        if table.is_cost:
            columns += _cost_columns(table, notes, noise)
    columns += _run_columns(tables, predictors, notes)
    columns.append(("Cells with<br>a number", {p: _coverage(found, p) for p in predictors}))
    rows = [[f"`{p}`{_mark(tables, p, notes)}", *(texts.get(p, MISSING) for _, texts in columns)] for p in predictors]
    return markdown(["Predictor", *(heading for heading, _ in columns)], rows)


def _order(tables: list[Table], found: list[Ranking]) -> list[str]:
    """By mean rank under the first metric, then by that under the next; those without one as in their first table."""
    order = [p for ranking in found for p in (ranking.mean_ranks if len(ranking.ranked) > 1 else ())]
    return list(dict.fromkeys(order + [p for table in tables for p in table.ranked()]))


def _rank_column(ranking: Ranking, several: bool, notes: Notes) -> Column:
    what = f"<br>by {TITLES[ranking.metric].removesuffix(', %')}" if several else ""
    note = notes.mark(
        f"Rank of one run among {len(ranking.ranked)} predictors, averaged over {len(ranking.tasks)} tasks "
        "(data set and label budget) and seeds; no interval where all seeds agree. Only predictors with a number for "
        "every task and seed are ranked."
    )
    return f"Mean rank{what}{note}", {p: rank_text(rank) for p, rank in ranking.mean_ranks.items()}


def rank_text(rank: stats.Interval | float) -> str:
    """A mean rank with its interval where seeds differ."""
    if isinstance(rank, float):
        return f"{rank:.2f}"
    half = rank.high - rank.mean
    return f"{rank.mean:.2f} ± {half:.2f}" if half > 0 else f"{rank.mean:.2f}"


def _accuracy_columns(tables: list[Table]) -> list[Column]:
    """Tau at each size that accuracy tables have, averaged over those that have it."""
    by_word: dict[str, list[tuple[Table, Size]]] = {}
    for table in tables:
        for size in table.sizes:
            by_word.setdefault(size.word, []).append((table, size))
    columns = []
    for word, tasks in sorted(by_word.items(), key=lambda item: _amount(item[0])):
        budgets = list(dict.fromkeys(labels(size) for _, size in tasks))
        heading = f"τ, {percent(word)}" if not word.startswith("n") else "τ"
        heading += f"<br>{' or '.join(budgets)} labels"
        if len(tables) > 1:
            heading += f"<br>{len(tasks)} data sets" if len(tasks) > 1 else f"<br>{tasks[0][0].dataset}"
        predictors = list(dict.fromkeys(p for table, _ in tasks for p in table.predictors))
        columns.append((heading, _best_bold({p: _mean_over(tasks, p) for p in predictors}, "kendall_tau")))
    return columns


def _mean_over(tasks: list[tuple[Table, Size]], predictor: str) -> Stat:
    """The metric averaged over tasks seed by seed; a task that lacks a seed's number makes that seed fail."""
    found = [table.main(predictor, size) for table, size in tasks]
    if len(found) == 1:
        return found[0]
    by_seed = [dict(zip(stat.seeds, stat.values, strict=True)) for stat in found]
    wanted = sorted({seed for table, _ in tasks for seed in table.seeds})
    whole = [seed for seed in wanted if all(seed in values for values in by_seed)]
    failed = [(seed, next((w for s in found for k, w in s.failed if k == seed), "missing")) for seed in wanted]
    return Stat(
        tuple(statistics.fmean(values[seed] for values in by_seed) for seed in whole),
        len(wanted), tuple((seed, why) for seed, why in failed if seed not in whole), tuple(whole),
    )  # fmt: skip


def _best_bold(found: dict[str, Stat], metric: str) -> dict[str, str]:
    texts = {p: number(stat.mean, metric) for p, stat in found.items() if stat.complete}
    best = max(texts.values(), key=float, default=None)
    return {p: cell(stat, metric, best is not None and texts.get(p) == best) for p, stat in found.items()}


def _amount(word: str) -> tuple[int, Decimal]:
    return (1, Decimal(word[1:])) if word.startswith("n") else (0, Decimal(word))


def _cost_columns(table: Table, notes: Notes, noise: list[Noise]) -> list[Column]:
    """MAPE / Acc(10 %) at the largest size, by device where there are few; else over families left out."""
    places = table.devices if len(table.devices) <= FEW_DEVICES else [None]
    columns = []
    for device in places:
        where = device or f"mean of {len(table.devices)} devices"
        last = table.sizes[-1]
        if all(size.word.startswith("without-") for size in table.sizes):
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
                whole = not last.is_count and len(table.sizes) > 1
                args = (metric, table.split, device)
                pair.append((metric, table.over_sizes(p, *args) if whole else table.stat(p, last, *args)))
            texts[p] = slashed(pair)
        columns.append((heading, texts))
    return columns


def _run_columns(tables: list[Table], predictors: list[str], notes: Notes) -> list[Column]:
    """CPU-seconds of one fit and parameters at the largest size of each table: one value, or lowest to highest."""
    hosts = sorted({str(host) for table in tables for host in table.rows["host_cpu"].drop_nulls().unique()})
    gpus = any((table.rows["torch_device"] == "cuda").any() for table in tables)
    heading = "Fit, CPU-s"
    if len(hosts) > 1:
        heading += notes.mark(f"Measured on {len(hosts)} different processors: {'; '.join(hosts)}.")
    if gpus:
        heading += notes.mark("Some fits ran on a GPU: their CPU-seconds leave out the GPU's work.")

    def spread(predictor: str, metric: str, digits: int) -> str:
        found = [t.stat(predictor, t.sizes[-1], metric, "run").mean for t in tables if predictor in t.predictors]
        texts = [compact(value, digits) for value in sorted(value for value in found if value is not None)]
        return MISSING if not texts else texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"

    return [
        (heading, {p: spread(p, "fit_cpu_s", 2) for p in predictors}),
        ("Parameters", {p: spread(p, "n_params", 3) for p in predictors}),
    ]


def _coverage(found: list[Ranking], predictor: str) -> str:
    have, wanted = map(sum, zip(*(ranking.coverage(predictor) for ranking in found), strict=True))
    return f"{have}/{wanted}"


def _mark(tables: list[Table], predictor: str, notes: Notes) -> str:
    """Footnotes on how a predictor's numbers depart from the others'."""
    words = {}
    for table in tables:
        mine = table.rows.filter(predictor=predictor)
        if mine.height and mine["n_val"].max():
            words[f"`{predictor}` also had labels held back for validation; every column counts them."] = None
        if table.overrides.get(predictor, "{}") != "{}":
            words[f"`{predictor}` has the settings `{table.overrides[predictor]}` over its defaults."] = None
        for status in ("diverged", "timeout", "unsupported"):
            n = mine.filter(status=status).select("device", "fraction", "seed").unique().height
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
        rows = []
        for found in ranking.compared:
            low, high = (number(v, ranking.metric) for v in (found.paired.difference.low, found.paired.difference.high))
            rows.append(
                [
                    f"`{found.predictor}`", number(found.paired.difference.mean, ranking.metric), f"{low} to {high}",
                    f"{100 * found.paired.improvement:.0f} %", p_text(found.p_holm),
                ]
            )  # fmt: skip
        header = [f"`{best}` against", "Ahead by", "95 % interval", "Ahead in", "p (Holm)"]
        lines += [*markdown(header, rows), ""]
        lines += [
            "Paired by task and seed. `Ahead in`: share of task-and-seed pairs in which it is ahead, ties half. "
            f"p: Student's t over seeds, corrected for {len(rows)} comparisons (Holm); with few seeds a large p "
            "says little.",
            "",
        ]
    by_task = [ranking.task_ranks(table, size) for table, size in ranking.tasks]
    several = len({table.name for table in ranking.tables}) > 1
    heads = [f"{t.dataset}<br>{size_header(s)}" if several else size_header(s) for t, s in ranking.tasks]
    rows = [
        [f"`{p}`", *(f"{found[p]:g}" if p in found else MISSING for found in by_task)]
        for p in _order(ranking.tables, [ranking])
    ]
    lines += ["Rank of the mean over seeds:", "", *markdown(["Predictor", *heads], rows), ""]
    return lines


def p_text(p: float) -> str:
    """A p value with two significant digits, from 0.0001 up."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def glance(tables: list[Table]) -> list[str]:
    """At a small and a larger size of every table: the best predictor and NN-Former's place."""
    header = ["Task", "Labels", "Metric", "Best", "NN-Former", "Best without NN-Former"]
    rows = [_glance_row(table, size) for table in tables for size in table.summary_sizes()]
    return markdown(header, rows, "lrllll")


def _glance_row(table: Table, size: Size) -> list[str]:
    order = table.ranked_at(size)

    def shown(predictor: str | None) -> str:
        return MISSING if predictor is None else f"`{predictor}` {cell(table.main(predictor, size), table.metric)}"

    mission = ordered([p for p in table.predictors if predictor_of(p) == MISSION])
    ours = mission[0] if mission else None
    rank = f", rank {order.index(ours) + 1} of {len(order)}" if ours in order else ""
    loud = "**SYNTHETIC** " if table.synthetic else ""
    return [
        f"{loud}[{title(table)}](#{anchor(title(table))})",
        f"{labels(size)} ({size_name(size)})" if size_name(size) else labels(size),
        TITLES[table.metric],
        f"**{shown(order[0])}**" if order else MISSING,
        shown(ours) + rank,
        shown(next((p for p in order if predictor_of(p) != MISSION), None)),
    ]
