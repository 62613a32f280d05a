"""The section on transfer to a new device: NASFLAT's tasks beside the published figures, what the labels are worth."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.nasflat import FEW_SHOT
from pipeline.core.names import is_focus
from pipeline.report.format import MISSING, TITLES, anchor, cell, folded, joined, markdown, number, plain, title
from pipeline.score import published
from pipeline.score.label_noise import ADDITIVE, REPEATS, Noise
from pipeline.score.label_noise import floor as agreement
from pipeline.score.scores import Scores
from pipeline.score.stats import Interval
from pipeline.score.tables import Table
from pipeline.score.transfer import METRIC, RIVAL, Fault, Task, adaptation, faults, steps
from pipeline.spaces import additive

RIVALS = {"nasflat": "NASFLAT", "help": "HELP", "multipredict": "MultiPredict"}  # rows of published figures
LEAST_EXPLAINED = 0.7  # R2 of a sum over blocks below which a device is named
SUMMED = (
    "Summed tables, no measurements of networks: a sum over blocks is exact on networks held out, so any model that "
    "adds up blocks is exact there, and a figure says nothing about networks as they run"
)
LEAST = (
    "Least explained by a sum over blocks: by noise, or because blocks depend on one another, which networks timed "
    "again tell apart where there are some"
)
LONG = 12  # rows of a table that is shown folded


def transfer_section(scores: Scores) -> list[str]:
    """All of it; [] for a grid without transfer and without faulty labels that come back."""
    tasks, alike = scores.headline.transfer, [table for table in scores.tables if table.protocol in FEW_SHOT]
    lines: list[str] = []
    for n in dict.fromkeys(task.size.n_train for task in tasks):
        lines += _matrix([task for task in tasks if task.size.n_train == n], scores)
    lines += _beside(tasks, scores.noise)
    lines += _label_cost(adaptation(scores.tables))
    lines += _labels_of(alike, scores)
    lines += _faults(faults(scores.tables, scores.noise))
    return ["## Transfer to a new device", "", *lines] if lines else []


def _name(task: Task) -> str:
    """NASFLAT's name of a task, with a link to its section."""
    name = task.table.protocol.removeprefix("nasflat_").upper()
    return f"[{name}](#{anchor(title(task.table))})"


def _matrix(tasks: list[Task], scores: Scores) -> list[str]:
    """Predictors by tasks: Spearman's correlation, mean over the targets; published figures and ceilings below."""
    order = [p for ranking in scores.rankings if ranking.metric == METRIC for p in ranking.mean_ranks]
    order += [p for task in tasks for p in task.complete]
    order = list(dict.fromkeys(order + [p for task in tasks for p in task.table.predictors]))
    order = [p for p in order if any(task.table.main(p, task.size).expected for task in tasks)]
    best = [number(task.table.main(task.best, task.size).mean, METRIC) if task.best else None for task in tasks]
    rows = []
    for predictor in order:
        found = [task.table.main(predictor, task.size) for task in tasks]
        texts = [cell(s, METRIC, number(s.mean, METRIC) == b and s.complete) for s, b in zip(found, best, strict=True)]
        rows.append([f"**`{predictor}`**" if is_focus(predictor) else f"`{predictor}`", *texts])
    for rival, name in RIVALS.items():
        figures = [task.figures.get(rival) for task in tasks]
        labels = joined(sorted({str(figure.n_train) for figure in figures if figure}), "or")
        if labels:
            values = [number(figure and figure.value, METRIC) for figure in figures]
            rows.append([f"*{name}, published, {labels} labels*", *(f"*{value}*" for value in values)])
    for name, kind in (("A sum over blocks, fitted to 80 % of all labels", ADDITIVE), ("The same cell again", REPEATS)):
        values = [number(_mean_rho(scores.noise, task.table, kind), METRIC) for task in tasks]
        if any(value != MISSING for value in values):
            rows.append([f"*{name}*", *(f"*{value}*" for value in values)])
    header = ["Predictor", *(f"{_name(task)}<br>{len(task.table.devices)} targets" for task in tasks)]
    return [
        f"### NASFLAT's tasks with {tasks[0].size.n_train} labels of the new device", "",
        f"{TITLES[METRIC]} on held-out networks, mean over the targets ± half of the 95 % interval over seeds; the "
        "best of ours with most seeds in bold. Published figures are second-hand and of an unknown number of runs. "
        "[What tells a task from the published one](../../docs/protocols.md#nasflats-tasks).", "",
        *markdown(header, rows), "",
    ]  # fmt: skip


def _mean_rho(noise: Sequence[Noise], table: Table, kind: str) -> float | None:
    return agreement(noise, table.dataset, table.scored_on, table.devices, kind).get(METRIC)


def _beside(tasks: list[Task], noise: Sequence[Noise]) -> list[str]:
    """Per task the best of ours and NN-Former beside NASFLAT's published figure."""
    tasks = [task for task in tasks if RIVAL in task.figures]
    if not tasks:
        return []
    header = [
        "Task", "Labels", "Best of ours", "ρ", "NN-Former", "ρ", "NASFLAT, published", "Best less NASFLAT", "is",
        "NN-Former less NASFLAT", "is", "Where it isn't above: the targets' labels",
    ]  # fmt: skip
    rows = [_beside_row(task, noise) for task in tasks]
    many = max(len(task.complete) for task in tasks)
    confidence = published.CONFIDENCE[tasks[0].figures[RIVAL].confidence]
    return [
        "### Beside NASFLAT", "", *markdown(header, rows, "lrlrlrrrlrll"), "",
        "NASFLAT's figure is of 20 labels in every row and has no known spread; in brackets the 95 % interval over our "
        "seeds. *above*: the interval excludes zero, and does so corrected for picking the best of up to "
        f"{many} predictors by the same seeds (Bonferroni); *above, uncorrected*: only without that; *level*: it holds "
        f"zero. Confidence in the published figures: {confidence[0]}, {confidence[1]}.", "",
    ]  # fmt: skip


def _beside_row(task: Task, noise: Sequence[Noise]) -> list[str]:
    def ours(predictor: str | None) -> list[str]:
        if predictor is None:
            return [MISSING, MISSING]
        return [f"`{predictor}`", number(task.table.main(predictor, task.size).mean, METRIC)]

    verdict = task.verdict(task.best) or MISSING
    return [
        _name(task), str(task.size.n_train), *ours(task.best), *ours(task.focus),
        number(task.figures[RIVAL].value, METRIC), _span(task.over(task.best)), verdict,
        _span(task.over(task.focus)), task.verdict(task.focus) or MISSING,
        "" if verdict.startswith("above") else _noise_of(task.table, noise),
    ]  # fmt: skip


def _span(over: Interval | None) -> str:
    if over is None:
        return MISSING
    mean, low, high = (f"{end:+.3f}" for end in over)
    return f"{mean} ({low} to {high})"


def _noise_of(table: Table, noise: Sequence[Noise]) -> str:
    """What the labels of a table's devices allow: a sum over blocks on most labels, networks measured again."""
    parts = []
    for kind, what in ((ADDITIVE, "a sum over blocks, on 80 % of all labels"), (REPEATS, "the same cell again")):
        of_kind = {n.device: n for n in _of(noise, table) if n.kind == kind}
        values = [f"{plain(d)} {number(of_kind[d].values[METRIC], METRIC)}" for d in table.devices if d in of_kind]
        parts += [f"{what}: {', '.join(values)}"] if values else []
    return f"ρ of {'; of '.join(parts)}" if parts else MISSING


def _of(noise: Sequence[Noise], table: Table) -> list[Noise]:
    return [n for n in noise if (n.dataset, n.scored_on) == (table.dataset, table.scored_on) and METRIC in n.values]


def _label_cost(tables: list[Table]) -> list[str]:
    """What each further label of the new device brings, by predictor."""
    lines = []
    for table in tables:
        of_table, order = steps(table), table.ranked()
        rows = [
            [f"{step.start.n_train} → {step.end.n_train}", *(_gain(step.gain[predictor]) for predictor in order)]
            for step in of_table
        ]
        devices = f"mean of {len(table.devices)} devices" if len(table.devices) > 1 else plain(table.devices[0])
        header = ["Labels", *(f"`{p}`" for p in order)]
        lines += [f"{plain(table.dataset)}, {devices}:", "", *markdown(header, rows), ""]
    if not lines:
        return []
    told = "Gain in Spearman's ρ for each label more of the new device, in thousandths; mean over seeds and devices."
    return ["### What a label of a new device brings", "", told, "", *lines]


def _gain(value: float | None) -> str:
    return MISSING if value is None else f"{1000 * value:+.2f}"


def _labels_of(tables: list[Table], scores: Scores) -> list[str]:
    """What the labels of the devices are: summed tables, noise, which device is most like which."""
    named = {(table.dataset, table.scored_on): None for table in tables}
    places = [(t.dataset, t.scored_on, d) for t in tables for d in t.devices]
    places += [(n.dataset, n.scored_on, n.device) for n in scores.noise if (n.dataset, n.scored_on) in named]
    found = {(n.dataset, n.scored_on, n.device, n.kind): n.values for n in scores.noise}
    likeness = {(alike.dataset, alike.target): alike for alike in scores.likeness}
    rows, summed, least = [], {}, {}
    for place in sorted(dict.fromkeys(places), key=lambda place: list(named).index(place[:2])):
        sums, again, alike = found.get((*place, ADDITIVE)), found.get((*place, REPEATS)), likeness.get(place[:2])
        if sums is None and alike is None:
            continue
        dataset, _, device = place
        if sums and sums["r2"] >= additive.EXACT:
            summed.setdefault(dataset, []).append(f"`{device}`")
        elif sums and sums["r2"] < LEAST_EXPLAINED:
            least.setdefault(dataset, []).append(f"`{device}` (R² {sums['r2']:.2f})")
        other, rho = alike.nearest(device) if alike and device in alike.devices else ("", None)
        rows.append(
            [
                plain(dataset), plain(device), f"{sums['r2']:.4f}" if sums else MISSING,
                number(sums and sums.get(METRIC), METRIC), number(again and again.get(METRIC), METRIC),
                plain(other) or MISSING, number(rho, METRIC),
            ]
        )  # fmt: skip
    if not rows:
        return []
    header = ["Data set", "Device", "Sum over blocks: R²", "ρ", "Same network again: ρ", "Most like it", "ρ"]
    table = markdown(header, rows, "llrrrlr")
    return [
        "### What the labels of these devices are", "",
        *_sentence(SUMMED, summed), *_sentence(LEAST, least),
        *(folded("Labels by device", table) if len(rows) > LONG else [*table, ""]),
    ]  # fmt: skip


def _sentence(what: str, devices: dict[str, list[str]]) -> list[str]:
    named = "; ".join(f"{plain(dataset)}: {joined(names)}" for dataset, names in devices.items())
    return [f"{what}: {named}.", ""] if devices else []


def _faults(found: list[Fault]) -> list[str]:
    """What the rule for faulty labels removes, and MAPE without and with them."""
    if not found:
        return []
    order = list(dict.fromkeys(p for fault in found for p in fault.mape))
    rows = [
        [
            plain(fault.table.dataset), plain(fault.device), f"{fault.n:,} ({fault.share:.2f} %)",
            f"{fault.size.n_train:,}", *(_both(fault, p) for p in order),
        ]
        for fault in found
    ]  # fmt: skip
    header = ["Data set", "Device", "Removed", "Labels", *(f"`{p}`" for p in order)]
    return [
        "### Labels that cannot be", "", *markdown(header, rows, "ll" + "r" * (len(header) - 2)), "",
        "MAPE (%) on held-out networks without the labels that the [rule](../../docs/data_cards.md#faulty-labels) "
        "removes / with them, trained on and scored on.", "",
    ]  # fmt: skip


def _both(fault: Fault, predictor: str) -> str:
    stats = fault.mape.get(predictor, ())
    return " / ".join(cell(stat, "mape", spread=False) for stat in stats) or MISSING
