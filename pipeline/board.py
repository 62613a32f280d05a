"""The board as Markdown: numbers of pipeline.summary in, text out. Nothing is read or computed here but texts."""

from __future__ import annotations

from decimal import Decimal

from pipeline import published
from pipeline.grid import predictor_of
from pipeline.summary import Size, Stat, Table

MISSING = "–"
DIGITS = {"kendall_tau": 3, "spearman": 3}  # all other metrics are percentages: 2
TITLES = {"kendall_tau": "Kendall's τ", "mape": "MAPE, %", "acc10": "Acc(10 %), %", "spearman": "Spearman's ρ"}
MISSION = "nn_former"


def markdown(header: list[str], rows: list[list[str]], align: str = "") -> list[str]:
    """A Markdown table; `align` has one letter a column, l or r (default: first column left, the others right)."""
    align = align or "l" + "r" * (len(header) - 1)
    rule = ["---:" if side == "r" else ":---" for side in align]
    return ["| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)]


def number(value: float | None, metric: str) -> str:
    """A metric's value with its usual digits; an en dash without one."""
    return MISSING if value is None else f"{value:.{DIGITS.get(metric, 2)}f}"


def cell(stat: Stat, metric: str, bold: bool = False, spread: bool = True) -> str:
    """Mean ± sd over seeds; where seeds lack a number, how many have one, or why none has."""
    if stat.mean is None:
        reasons = list(dict.fromkeys(status for _, status in stat.failed))
        return MISSING if not reasons or reasons == ["missing"] else " / ".join(r for r in reasons if r != "missing")
    text = number(stat.mean, metric)
    if spread and stat.sd is not None:
        text += f" ± {number(stat.sd, metric)}"
    if bold:
        text = f"**{text}**"
    if not stat.complete:
        text += f" ({len(stat.values)} of {stat.expected} seeds)"
    return text


def size_name(size: Size) -> str:
    """A training size as the grid gives it: `1 %`, `without vgg`, `marked train`; empty for a count."""
    word = size.fraction.partition("-from-")[0]
    if word == "stage":
        return "marked train"
    if word.startswith("without-"):
        return word.replace("-", " ")
    return "" if word.startswith("n") else f"{(Decimal(word) * 100).normalize():f} %"


def labels(size: Size) -> str:
    """The label budget: `156`, `125 + 31 val` with labels held back, `10 + 8,100 source` with other devices' labels."""
    low, high = size.n_val
    text = f"{size.n_train:,}"
    if high:
        text += f" + {low if low == high else f'{low}–{high}'} val"
    return text + (f" + {size.n_source:,} source" if size.n_source else "")


def size_header(size: Size) -> str:
    """Column title: the size and its label budget."""
    return "<br>".join(filter(None, (size_name(size), f"{labels(size)} labels")))


def compact(value: float | None) -> str:
    """A count or a duration in three significant digits, with thousands as k and millions as M."""
    if value is None:
        return MISSING
    for scale, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"


def costs(table: Table, predictor: str) -> list[str]:
    """Fit CPU-seconds, prediction seconds and parameters at the largest size, mean over seeds and devices."""
    names = ("fit_cpu_s", "predict_s", "n_params")
    return [compact(table.stat(predictor, table.sizes[-1], name, "run").mean) for name in names]


def best_of(table: Table, size: Size, metric: str, device: str | None = None) -> set[str]:
    """Predictors whose printed mean equals that of the best with all seeds, on the main split."""
    order = table.ranked_at(size, metric, device)
    texts = [number(table.stat(p, size, metric, table.split, device).mean, metric) for p in order]
    return {p for p, text in zip(order, texts, strict=True) if text == texts[0]}


def main_table(table: Table) -> list[str]:
    """Predictors by sizes, the main metric on the main split, with the cost of each."""
    cost_header = [f"Fit, CPU-s<br>at {table.sizes[-1].n_train:,}", "Predict, s", "Parameters"]
    header = ["Predictor", *map(size_header, table.sizes), "Mean", *cost_header]
    best = {size: best_of(table, size, table.metric) for size in table.sizes}
    order = table.ranked()
    rows = []
    for predictor in order:
        stats = [(size, table.stat(predictor, size, table.metric, table.split)) for size in table.sizes]
        row = [cell(stat, table.metric, predictor in best[size]) for size, stat in stats]
        mean = number(table.overall(predictor), table.metric)
        if predictor == order[0] and mean != MISSING:
            mean = f"**{mean}**"
        rows.append([f"`{predictor}`", *row, mean, *costs(table, predictor)])
    return markdown(header, rows)


def slashed(stats: list[tuple[str, Stat]], bold: tuple[bool, ...] = ()) -> str:
    """Means of several (metric, stat), parted by slashes, in bold where asked; one word where all say the same."""
    bold = bold or (False,) * len(stats)
    texts = [cell(stat, metric, strong, False) for (metric, stat), strong in zip(stats, bold, strict=True)]
    if all(stat.mean is None for _, stat in stats) and len(set(texts)) == 1:
        return texts[0]
    return " / ".join(texts)


def pair_table(table: Table, keys: list[tuple[str, str]]) -> list[str]:
    """Predictors by sizes; each cell gives the (metric, split) pairs of `keys`, means only, parted by a slash."""
    rows = []
    for predictor in table.ranked():
        row = [slashed([(m, table.stat(predictor, size, m, split)) for m, split in keys]) for size in table.sizes]
        rows.append([f"`{predictor}`", *row])
    return markdown(["Predictor", *map(size_header, table.sizes)], rows)


def device_table(table: Table, size: Size) -> list[str]:
    """Devices by predictors at one size: MAPE / Acc(10 %) / τ or ρ on held-out networks, the best of each bold."""
    keys = ("mape", "acc10", "spearman" if table.metric == "spearman" else "kendall_tau")
    order = table.ranked()
    rows = []
    for device in (*table.devices, None):
        best = [best_of(table, size, metric, device) for metric in keys]
        row = []
        for predictor in order:
            stats = [(metric, table.stat(predictor, size, metric, table.split, device)) for metric in keys]
            row.append(slashed(stats, tuple(predictor in names for names in best)))
        rows.append(["**mean of devices**" if device is None else device, *row])
    return markdown(["Device", *(f"`{p}`" for p in order)], rows)


def near_zero_devices(table: Table) -> list[str]:
    """Devices where the best predictor is within 10 % for over a third of the graphs, yet its MAPE is above 100 %."""
    size, found = table.sizes[-1], []
    for device in table.devices:
        best = next(iter(table.ranked_at(size, "acc10", device)), None)
        means = (
            {m: table.stat(best, size, m, table.split, device).mean or 0.0 for m in ("mape", "acc10")} if best else {}
        )
        if means and means["mape"] > 100 and means["acc10"] > 100 / 3:
            found.append(device)
    return found


def failures(table: Table) -> list[str]:
    """One line for every cell whose run did not end well or is missing, with its seeds and the reason."""
    lines = []
    for predictor in table.predictors:
        for size in table.sizes:
            for device in table.devices:
                failed = table.stat(predictor, size, table.metric, table.split, device).failed
                for status in dict.fromkeys(status for _, status in failed if status != "undefined"):
                    seeds = ", ".join(str(seed) for seed, why in failed if why == status)
                    where = f" on {device}" if len(table.devices) > 1 else ""
                    lines.append(f"- `{predictor}`, {labels(size)} labels{where}: {status} (seed {seeds})")
    return lines


def published_table(table: Table, figures: list[published.Figure]) -> list[str]:
    """Published figures beside ours, where data set, protocol, labels, predictor and metric agree; [] without any."""
    same = [f for f in figures if (f.dataset, f.protocol) == (table.dataset, table.protocol)]
    known = {f.predictor for f in same}
    rows, letters = [], set()
    for predictor in table.ranked():
        name = published.name_of(predictor, known)
        for size in table.sizes:
            for figure in same:
                if (figure.predictor, figure.n_train) == (name, size.n_train):
                    rows.append(_published_row(table, predictor, size, figure))
                    letters.add(figure.confidence)
    if not rows:
        return []
    header = ["Predictor", "Labels", "Metric", "Ours", "Published", "Difference", "Source of the published figure"]
    legend = "; ".join(f"{k}: {v}" for k, v in published.CONFIDENCE.items() if k in letters)
    note = (
        f"Confidence in a published figure: {legend}. A published run may have used more labels than its figure says: "
        "the released code of NN-Former picks its checkpoint with 1,024 further validation labels. Ours shows them all."
    )
    return [*markdown(header, rows, "lrlrrrl"), "", note]


def _published_row(table: Table, predictor: str, size: Size, figure: published.Figure) -> list[str]:
    metric = figure.metric
    stat = table.stat(predictor, size, metric, table.split)
    difference = MISSING if stat.mean is None else f"{stat.mean - figure.value:+.{DIGITS.get(metric, 2)}f}"
    shown = f"{number(figure.value, metric)} ({figure.confidence})"
    source = figure.source if figure.predictor == predictor else f"`{figure.predictor}`: {figure.source}"
    ours = cell(stat, metric)
    return [f"`{predictor}`", labels(size), TITLES.get(metric, metric), ours, shown, difference, source]


def glance(tables: list[Table]) -> list[str]:
    """The summary at the top: at a small and a larger size of every table, the best predictor and NN-Former's place."""
    header = ["Task", "Labels", "Metric", "Best", "NN-Former", "Best without NN-Former"]
    rows = [_glance_row(table, size) for table in tables for size in table.summary_sizes()]
    return markdown(header, rows, "lrllll")


def _glance_row(table: Table, size: Size) -> list[str]:
    order = table.ranked_at(size)

    def shown(predictor: str | None) -> str:
        if predictor is None:
            return MISSING
        return f"`{predictor}` {cell(table.stat(predictor, size, table.metric, table.split), table.metric)}"

    mission = sorted((p for p in table.predictors if predictor_of(p) == MISSION), key=lambda p: (p != MISSION, p))
    ours = mission[0] if mission else None
    rank = f", rank {order.index(ours) + 1} of {len(order)}" if ours in order else ""
    loud = "**SYNTHETIC** " if table.synthetic else ""
    return [
        f"{loud}[{title(table)}](#{anchor(table)})",
        f"{labels(size)} ({size_name(size)})" if size_name(size) else labels(size),
        TITLES[table.metric],
        f"**{shown(order[0])}**" if order else MISSING,
        shown(ours) + rank,
        shown(next((p for p in order if predictor_of(p) != MISSION), None)),
    ]


def title(table: Table) -> str:
    """Heading of a table's section."""
    trained = "" if table.protocol == "direct" else f", {table.protocol} protocol"
    return f"{table.dataset}: {table.scored_on}{trained}"


def anchor(table: Table) -> str:
    """The link target GitHub makes of the heading."""
    kept = "".join(c for c in title(table).lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
