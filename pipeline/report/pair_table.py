"""The table of the pairs that a grid wants compared."""

from __future__ import annotations

from pipeline.report.format import TITLES, cell, labels, markdown, number, p_text, plain, size_name, title
from pipeline.score.pairs import Pair


def pair_section(pairs: list[Pair]) -> list[str]:
    """Every pair with its difference, a row a task, device and metric; [] without any."""
    if not pairs:
        return []
    header = ["Pair", "Task", "Device", "Labels", "Metric", "First", "Second", "First ahead by", "95 % interval"]
    rows = [_row(pair) for pair in pairs]
    return [
        "### In pairs", "", *markdown([*header, "Ahead in", "p (Holm)", "Seeds"], rows, "lllrlrrrrrrr"), "",
        "Paired by seed: both learn from the same networks, each with random numbers of its own. More is better, so a "
        "lower MAPE is ahead. `Ahead in`: share of seeds in which the first is ahead, ties half. p: Student's t over "
        f"seeds, corrected for all {len(rows)} rows (Holm).", "",
    ]  # fmt: skip


def _row(pair: Pair) -> list[str]:
    families = len(pair.sizes) > 1 or pair.sizes[0].budget.family
    size = f"{len(pair.sizes)} families left out" if families else labels(pair.sizes[0])
    name = "" if families else size_name(pair.sizes[0])
    mean, low, high = (number(value, pair.metric, 1) for value in pair.paired.difference)
    return [
        f"`{pair.a}`, `{pair.b}`", title(pair.table), plain(pair.device), f"{size} ({name})" if name else size,
        TITLES[pair.metric], cell(pair.of_a, pair.metric), cell(pair.of_b, pair.metric), mean, f"{low} to {high}",
        f"{100 * pair.paired.improvement:.0f} %", p_text(pair.p_holm), str(pair.seeds),
    ]  # fmt: skip
