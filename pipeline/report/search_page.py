"""The board of searches: results/search/leaderboard.md and its figures, from results/search/searches.parquet.

python -m pipeline.report.search_page
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pipeline.core import io
from pipeline.core.errors import run_cli
from pipeline.report import search_front
from pipeline.report.format import MISSING, code, markdown, p_text, plain
from pipeline.report.plots import fronts, style
from pipeline.report.plots import searches as figures
from pipeline.score.search import OUT, WITHIN, Searches

BASELINES = ["random", "evolution", "local_search"]
LOOKED_AT = 100  # queries of the comparison with the baselines
MEASURES = {
    "kendall_tau": "Kendall's τ",
    "tau_of_best": "τ of the best 5 %",
    "best_rank": "N@10",
    "precision": "precision at 10",
}
HOW = """
A search sees the label of a network it queries, and chooses the network with the best label seen. **Regret** is what
the chosen one lacks to the best network of the space in the label it is judged by, in percentage points: mean ± half of
its 95 % interval over seeds (Student's t). All methods of a seed start from the same random networks and run in one
loop: [how](../../docs/search.md). The **floor** is the regret of a search that queried every network: the label that is
queried is not the one that counts. A search that has seen few labels may end below its floor: the best of few is less
often one that noise has raised. **CPU-s** are those of proposing; fits after the labels of a budget serve the measures
of the ranking too and are not counted.
""".strip()


def page(found: Searches) -> str:
    """The whole board."""
    about = found.about
    lines = ["# Search with few queries", "", HOW, "", "## In short", "", *answers(found), ""]
    lines += ["![Regret against queries](plots/regret.png)", ""]
    for space in about["spaces"]:
        lines += search_front.section(found, space) if space in found.fronts else section(found, space)
    lines += ["## Does tau matter?", "", *does_tau_matter(found), "", "## How this was made", ""]
    lines.append(
        f"{about['seeds']} seeds (0 to {about['seeds'] - 1}), {about['start']} random queries first; "
        f"processor {plain(about['host_cpu'])}, torch {plain(about['torch_version'])}, code {code(about['code_rev'])}."
    )
    for space, method, seed, text in about["failures"]:
        lines += ["", f"{space}, {method}, seed {seed}, {plain(text)}."]
    if not about["failures"]:
        lines += ["", "No predictor failed in any round."]
    return "\n".join(lines) + "\n"


def answers(found: Searches) -> list[str]:
    """Of each space the best predictor beside the baselines: in what counts, and in what is queried."""
    lines = []
    for space, facts in found.about["spaces"].items():
        if space in found.fronts:
            lines.append(search_front.answers(found, space, LOOKED_AT))
            continue
        best, n = found.best_predictor(space, LOOKED_AT), len(found.predictors_of(space))
        lines.append(
            f"- **{space}**, {LOOKED_AT} queries, {facts['networks']:,} networks{_limit(facts)}: {code(best)}, the "
            f"best of {n} predictors on these seeds, has regret {_spread(found, space, best, LOOKED_AT)}, floor "
            f"{facts['floor']:.2f}; {_ahead(found, space, best, 'regret')}."
        )
        best = found.best_predictor(space, LOOKED_AT, "query_regret")
        lines.append(
            f"  In the queried label the best is {code(best)}, whose best network lacks "
            f"{_spread(found, space, best, LOOKED_AT, 'query_regret')}; {_ahead(found, space, best, 'query_regret')}."
        )
    return [
        *lines, "",
        "Intervals are 95 %, paired by seed, each for itself; p is corrected by Holm for all comparisons of a space's "
        "predictors with its baselines.",
    ]  # fmt: skip


def _ahead(found: Searches, space: str, best: str, metric: str) -> str:
    """How far a predictor is ahead of each baseline."""
    beside, parts = found.beside(space, LOOKED_AT, BASELINES, metric), []
    for baseline in BASELINES:
        pair, p = beside[best, baseline]
        lead = pair.difference
        parts.append(f"{lead.mean:.2f} ({lead.low:.2f} to {lead.high:.2f}) less than {baseline} (p {p_text(p)})")
    return "; ".join(parts)


def section(found: Searches, space: str) -> list[str]:
    """The tables of a space."""
    facts, budgets = found.about["spaces"][space], found.about["budgets"]
    task = facts["task"]
    lines = [
        f"## {space}", "",
        f"{facts['networks']:,} networks{_limit(facts)}; queried {code(task['query'])}, judged by "
        f"{_listed(task['report'])}, whose best is {facts['best']:.2f}. Floor of the regret: {facts['floor']:.2f}.", "",
    ]  # fmt: skip
    rows = []
    for method in found.methods_of(space):
        within = [_within(found, space, method, limit) for limit in WITHIN]
        cpu = found.interval(space, method, budgets[-1], "cpu_s")
        shown = [_spread(found, space, method, n) for n in budgets]
        seen = found.interval(space, method, LOOKED_AT, "query_regret")
        lacks, cost = (MISSING if mean is None else f"{mean.mean:.2f}" for mean in (seen, cpu))
        rows.append([code(method), *shown, lacks, *within, cost])
    header = ["Method", *(f"Regret, {n} queries" for n in budgets), f"In the queried label, {LOOKED_AT}"]
    header += [*(f"Queries to within {limit}" for limit in WITHIN), f"CPU-s, {budgets[-1]} queries"]
    lines += [*markdown(header, rows), ""]
    lines += [
        f"In the queried label: what the best label seen after {LOOKED_AT} queries lacks to the best there is. "
        f"Queries to within so many points: the median over seeds, and how many of the {found.about['seeds']} came so "
        f"near by {budgets[-1]} queries; {MISSING} where the median is a seed that did not.", "",
    ]  # fmt: skip
    return lines


def does_tau_matter(found: Searches) -> list[str]:
    """What measures of a ranking say of the regret to come."""
    rows = []
    for measure, title in MEASURES.items():
        interval = found.agreement(measure)
        shown = MISSING if interval is None else f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f})"
        rows.append([title, shown])
    return [
        "Each predictor was scored on 2,000 networks drawn at random, after the labels of one budget; beside it stands "
        "the regret of its search at the next budget. **Agreement**: Spearman's correlation over a space's predictors, "
        "for each space, budget and seed: 1 where the predictor that ranks better always finds the better network, 0 "
        "where it tells nothing. Mean over budgets and spaces, 95 % interval over seeds. Searches for a front are left "
        "out.",
        "", *markdown(["Measure", "Agreement"], rows), "", "![Measures against regret](plots/does-tau-matter.png)", "",
        "τ of the best 5 %: among the networks that are truly best, ties with the last included. N@10: the best true "
        "rank, of these 2,000, among the ten predicted to be best. Precision at 10: the share of these ten that are "
        "truly among the ten best. Equal predictions count as the mean over all their orders.",
    ]  # fmt: skip


def _spread(found: Searches, space: str, method: str, queries: int, metric: str = "regret") -> str:
    interval = found.interval(space, method, queries, metric)
    return MISSING if interval is None else f"{interval.mean:.2f} ± {interval.mean - interval.low:.2f}"


def _within(found: Searches, space: str, method: str, limit: float) -> str:
    reached = list(found.by_seed(space, method, found.about["budgets"][-1], f"queries_within_{limit}").values())
    seeds = found.about["seeds"]
    middle = float(np.median([*reached, *[np.inf] * (seeds - len(reached))]))
    return f"{middle:.0f} ({len(reached)})" if np.isfinite(middle) else f"{MISSING} ({len(reached)})"


def _limit(facts: dict) -> str:
    """What the networks that may be chosen cost at most."""
    limit = facts["task"]["limit"]
    if not limit:
        return ""
    return (
        f" that take {facts['limit']:.3g} or less ({code(limit['target'])} on {code(limit['device'])}, the lowest "
        f"{100 * limit['share']:.3g} %)"
    )


def _listed(targets: list[str]) -> str:
    return code(targets[0]) if len(targets) == 1 else f"the mean of {' and '.join(code(target) for target in targets)}"


def write(found: Searches, out: Path) -> None:
    """leaderboard.md and plots/ under `out`."""
    made_with = f"seeds 0-{found.about['seeds'] - 1} · code {found.about['code_rev']} · {found.about['host_cpu']}"
    with style.style():
        style.save(figures.regret(found), made_with, out / "plots" / "regret.png", None)
        style.save(figures.measures(found, MEASURES), made_with, out / "plots" / "does-tau-matter.png", None)
        for space in found.fronts:
            style.save(fronts.hypervolume(found, space), made_with, out / "plots" / f"hypervolume-{space}.png", None)
            style.save(fronts.fronts(found, space), made_with, out / "plots" / f"fronts-{space}.png", None)
    io.write_bytes(out / "leaderboard.md", page(found).encode())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.report.search_page", description=__doc__.partition(":")[0]
    )
    parser.add_argument("--searches", default=OUT, type=Path, help="what python -m pipeline.score.search writes")
    parser.add_argument("--out", default=OUT.parent, type=Path, help="folder for leaderboard.md and plots/")
    args = parser.parse_args()
    write(Searches.read(args.searches), args.out)


if __name__ == "__main__":
    run_cli(main)
