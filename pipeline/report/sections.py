"""The Markdown tables of one section of the board: numbers of `pipeline.score.tables` in, lines out."""

from __future__ import annotations

from pipeline.core.names import is_focus
from pipeline.report.format import (
    MISSING,
    TITLES,
    Notes,
    cell,
    code,
    compact,
    joined,
    labels,
    markdown,
    number,
    plain,
    size_header,
    size_name,
    slashed,
    span,
)  # fmt: skip
from pipeline.score import published
from pipeline.score.label_noise import REPEATS, SECOND, Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.messages import Messages
from pipeline.score.tables import Size, Table

LONGEST = 200  # characters of a message


def costs(table: Table, predictor: str) -> list[str]:
    """Fit CPU-seconds, prediction seconds and parameters at the largest shared size, mean over seeds and devices."""
    size = table.shared_sizes[-1]
    means = [table.stat(predictor, size, name, "run").mean for name in ("fit_cpu_s", "predict_s", "n_params")]
    return [compact(means[0], 2), compact(means[1], 2), compact(means[2])]


def best_of(table: Table, size: Size, metric: str, device: str | None = None) -> set[str]:
    """Predictors whose printed mean equals that of the best with all seeds, on the main split."""
    order = table.ranked_at(size, metric, device)
    texts = [number(table.stat(p, size, metric, table.split, device).mean, metric) for p in order]
    return {p for p, text in zip(order, texts, strict=True) if text == texts[0]}


def main_table(table: Table) -> list[str]:
    """Predictors by sizes, the main metric on the main split, with the cost of each."""
    cost_header = [f"Fit, CPU-s<br>at {table.shared_sizes[-1].n_train:,}", "Predict, s", "Parameters"]
    some = len(table.shared_sizes) < len(table.sizes)
    mean_header = f"Mean of<br>{joined([size_name(s) or labels(s) for s in table.shared_sizes])}" if some else "Mean"
    header = ["Predictor", *map(size_header, table.sizes), mean_header, *cost_header]
    best = {size: best_of(table, size, table.metric) for size in table.sizes}
    order = table.ranked()
    rows = []
    for predictor in order:
        row = [cell(table.main(predictor, size), table.metric, predictor in best[size]) for size in table.sizes]
        mean = number(table.overall(predictor), table.metric)
        if predictor == order[0] and mean != MISSING:
            mean = f"**{mean}**"
        rows.append([f"`{predictor}`", *row, mean, *costs(table, predictor)])
    return markdown(header, rows)


def pair_table(table: Table, keys: list[tuple[str, str]], noise: list[Noise] = ()) -> list[str]:
    """Predictors by sizes; each cell gives the (metric, split) pairs of `keys`, means only, parted by a slash.

    The first row is the noise floor, where labels were measured twice.
    """
    floor = noise_floor(noise, table.dataset, table.scored_on, table.devices)
    rows = []
    if floor:
        values = " / ".join(number(floor.get(metric), metric) for metric, _ in keys)
        rows.append(["*measured again*", *(f"*{values}*" for _ in table.sizes)])
    for predictor in table.ranked():
        row = [slashed([(m, table.stat(predictor, size, m, split)) for m, split in keys]) for size in table.sizes]
        rows.append([f"`{predictor}`", *row])
    return markdown(["Predictor", *map(size_header, table.sizes)], rows)


def device_table(table: Table, size: Size, noise: list[Noise]) -> list[str]:
    """Devices by predictors at one size: MAPE / Acc(10 %) / τ or ρ on held-out networks, the best of each bold.

    The last column gives MAPE / Acc(10 %) / τ of networks measured twice, where the noise of the labels is known.
    """
    keys = ("mape", "acc10", "spearman" if table.metric == "spearman" else "kendall_tau")
    repeats = {
        n.device: " / ".join(number(n.values[m], m) for m in ("mape", "acc10", "kendall_tau"))
        for n in noise
        if (n.dataset, n.scored_on) == (table.dataset, table.scored_on)
        and n.kind in (REPEATS, SECOND)
        and n.device in table.devices
    }
    order = table.ranked()
    rows = []
    for device in (*table.devices, None):
        best = [best_of(table, size, metric, device) for metric in keys]
        row = []
        for predictor in order:
            of_cell = [(metric, table.stat(predictor, size, metric, table.split, device)) for metric in keys]
            row.append(slashed(of_cell, tuple(predictor in names for names in best)))
        floor = [repeats.get(device, MISSING)] if repeats else []
        rows.append([plain(device) if device else f"**mean of devices**{_shared_seeds(table, size)}", *row, *floor])
    return markdown(["Device", *(f"`{p}`" for p in order), *(["measured twice<br>(τ)"] if repeats else [])], rows)


def _shared_seeds(table: Table, size: Size) -> str:
    """The seeds that such a mean is of, where some devices have more."""
    of_all = {seed for p in table.predictors for seed in table.seeds_of(p, [size])}
    of_any = {
        seed for p in table.predictors for device in table.devices for seed in table.seeds_of(p, [size], [device])
    }
    if of_all == of_any or not of_all:
        return ""
    return f", seed{'s' if len(of_all) > 1 else ''} {joined([str(seed) for seed in sorted(of_all)])}, which all have"


def near_zero_devices(table: Table) -> list[str]:
    """Devices where the best predictor is within 10 % for over a third of the graphs, yet its MAPE is above 100 %."""
    size, near_zero = table.sizes[-1], []
    for device in table.devices:
        best = next(iter(table.ranked_at(size, "acc10", device)), None)
        means = (
            {m: table.stat(best, size, m, table.split, device).mean or 0.0 for m in ("mape", "acc10")} if best else {}
        )
        if means and means["mape"] > 100 and means["acc10"] > 100 / 3:
            near_zero.append(device)
    return near_zero


def failures(table: Table, messages: Messages) -> list[str]:
    """One line for every cell whose run did not end well or is missing, with its seeds, the reason and its message."""
    lines = []
    for predictor in table.predictors:
        for size in table.sizes:
            for device in table.devices:
                where = f" on {plain(device)}" if len(table.devices) > 1 else ""
                named = f", {size_name(size)}" if not size.budget.is_drawn else ""
                key = (table.dataset, table.target, device, predictor, str(size.budget))
                seeds: dict[tuple[str, str], list[str]] = {}  # of each status and message
                for seed, status in table.main(predictor, size, device).failed:
                    if status != "undefined":
                        seeds.setdefault((status, messages.get((*key, seed), "")), []).append(str(seed))
                for (status, message), failed in seeds.items():
                    line = f"- `{predictor}`, {labels(size)} labels{named}{where}: {status} (seed {', '.join(failed)})"
                    lines.append(line + (f": {_quoted(message)}" if message else ""))
    return lines


def _quoted(message: str) -> str:
    """A message as code, on one line and not longer than two."""
    text = " ".join(message.split())
    return code(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def published_table(table: Table, comparisons: list[published.Comparison], notes: Notes) -> list[str]:
    """Published figures beside ours, which hold them in their interval or lie above or below; [] without any."""
    if not comparisons:
        return []
    header = [
        "Predictor", "Labels: ours", "Labels: published", "Metric", "Ours", "Published", "Confidence", "Difference",
        "Ours is", "Fit, CPU-s", "Source of the published figure",
    ]  # fmt: skip
    rows = [_published_row(table, comparison, notes) for comparison in comparisons]
    return [*markdown(header, rows, "lrrlrrlrlrl"), "", *confidence_legend([c.figure for c in comparisons])]


def confidence_legend(figures: list[published.Figure], agrees: str = "agrees") -> list[str]:
    """What the words of confidence mean that stand beside some figures, and what our verdicts say."""
    letters = {figure.confidence for figure in figures}
    legend = "; ".join(f"*{word}*: {text}" for k, (word, text) in published.CONFIDENCE.items() if k in letters)
    return [
        f"Confidence in a published figure: {legend}. Published figures are rounded, of an unknown number of runs and "
        f"without a spread: only our own interval is known. *{agrees}*: it holds the figure; *above*, *below*: our "
        "number is higher or lower than the figure by more (of MAPE, lower is better).",
    ]  # fmt: skip


def _published_row(table: Table, comparison: published.Comparison, notes: Notes) -> list[str]:
    figure, size, metric = comparison.figure, comparison.size, comparison.figure.metric
    label = f"`{comparison.label}`{_settings_mark(table, comparison.label, notes)}"
    difference = "" if comparison.difference is None else f"{comparison.difference:+.{len(number(0.0, metric)) - 2}f}"
    source = plain(figure.source)
    if figure.predictor != comparison.label:
        source = f"{code(figure.predictor)}: {source}"
    ours, theirs = "mean of all families", published_labels(figure)
    if size is not None:
        ours = labels(size) if size.budget.is_drawn else f"{labels(size)} ({size_name(size)})"
    if figure.n_val:
        theirs += notes.mark(picked_by(figure))
    verdict = comparison.verdict
    if comparison.on_sample:
        verdict = f"of another set: {plain(figure.dataset)}"
    elif verdict == "below" and figure.n_val and is_focus(comparison.label):
        verdict += notes.mark("The published figure had more labels to choose with.")
    return [
        label, ours, theirs, TITLES.get(metric) or plain(metric), cell(comparison.ours, metric),
        number(figure.value, metric), published.CONFIDENCE[figure.confidence][0], difference or MISSING, verdict,
        compact(comparison.cpu_s, 2), source,
    ]  # fmt: skip


def published_labels(figure: published.Figure) -> str:
    """The labels of a published figure: those trained on, and those that picked the checkpoint."""
    picked = f" + {figure.n_val:,} {'test' if figure.val_is_test else 'val'}" if figure.n_val else ""
    return f"{figure.n_train:,}{picked}"


def picked_by(figure: published.Figure) -> str:
    """What labels beside the training labels did for a published figure."""
    words = "labels of the test set" if figure.val_is_test else "validation labels"
    return (
        f"The released code picks its checkpoint with {figure.n_val:,} {words} beside the training labels it is "
        "quoted with. Ours picks nothing with labels that are not counted."
    )


def _settings_mark(table: Table, label: str, notes: Notes) -> str:
    """A footnote on what we ran beside a published figure."""
    where = "how they depart from the paper's stands in the predictor's own file, in predictors/."
    if table.overrides[label] == "{}":
        return notes.mark(f"Ours has its default settings; {where}")
    return notes.mark(f"Ours has the settings {code(table.overrides[label])} over its defaults; {where}")


def provenance_line(table: Table) -> str:
    """What the section's numbers were made with: data version, seeds, code, machine, device."""

    def distinct(column: str) -> str:
        return plain(", ".join(sorted(str(value) for value in table.rows[column].drop_nulls().unique())) or "unknown")

    machine = "; ".join(filter(None, (distinct("host_cpu"), distinct("host_gpu").replace("unknown", ""))))
    return (
        f"data {table.dataset} version {plain(table.version)} · seeds {span(table.seeds)} · "
        f"code {distinct('code_rev')} · PyTorch {distinct('torch_version')} on {distinct('torch_device')} · {machine}"
    )
