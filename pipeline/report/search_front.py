"""What the board of searches says of fronts of accuracy against cost."""

from __future__ import annotations

from pipeline.report.format import MISSING, code, markdown, p_text
from pipeline.score.search import SHOWN, Searches

BASELINES = ["random", "evolution"]
VOLUME = "hypervolume"


def answers(found: Searches, space: str, queries: int) -> str:
    """The best predictor beside the baselines."""
    facts = found.about["spaces"][space]
    best = found.best_predictor(space, queries, VOLUME)
    beside, parts = found.beside(space, queries, BASELINES, VOLUME), []
    for baseline in BASELINES:
        pair, p = beside[best, baseline]
        lead = pair.difference
        parts.append(f"{lead.mean:.3f} ({lead.low:.3f} to {lead.high:.3f}) more than {baseline} (p {p_text(p)})")
    last = found.about["budgets"][-1]
    later = found.best_predictor(space, last, VOLUME)
    at_last = [f"{code(name)} {spread(found, space, name, last)}" for name in (later, *BASELINES)]
    return (
        f"- **{space}**, {queries} queries, {facts['networks']:,} networks: {code(best)}, the best of "
        f"{len(found.predictors_of(space))} predictors on these seeds, finds {spread(found, space, best, queries)} of "
        f"the true front's hypervolume, a search that queried all {1 - facts['floor']:.3f}; {'; '.join(parts)}. "
        f"After {last} queries: {', '.join(at_last)}."
    )


def section(found: Searches, space: str) -> list[str]:
    """The table of a space and its figures."""
    facts, budgets = found.about["spaces"][space], found.about["budgets"]
    task, (accuracy, cost) = facts["task"], facts["reference"]
    (queried, judged), costs = (code(task["query"]), _listed(task["report"])), task["front"]
    lines = [
        f"## {space}", "",
        f"{facts['networks']:,} networks; a query answers {queried} and {code(costs['target'])} on "
        f"{code(costs['device'])}. The front of these labels that was seen is judged by the same cost and {judged}: by "
        "what it dominates up to a reference, its **hypervolume**, as a share of what the true front dominates "
        f"({facts['best']:.2f} percentage points times ms, {len(facts['front'])} points). The reference is "
        f"{accuracy:.2f} % and {cost:.2f} ms: what is among the worst quarter of the space in either counts for "
        f"nothing. A search that queried every network would have {1 - facts['floor']:.3f}: the accuracy that is "
        "queried is not the one that counts. Mean ± half of its 95 % interval over seeds.", "",
    ]  # fmt: skip
    rows = []
    for method in found.methods_of(space):
        cpu = found.interval(space, method, budgets[-1], "cpu_s")
        shown = [spread(found, space, method, n) for n in budgets]
        rows.append([code(method), *shown, MISSING if cpu is None else f"{cpu.mean:.2f}"])
    header = ["Method", *(f"{n} queries" for n in budgets), f"CPU-s, {budgets[-1]} queries"]
    seed, queries = SHOWN
    return [
        *lines, *markdown(header, rows), "",
        f"![Hypervolume against queries](plots/hypervolume-{space}.png)", "",
        f"The fronts found by seed {seed} after {queries} queries, a panel a method, beside the true one; what is "
        "below or right of the reference is not shown.", "",
        f"![Fronts found](plots/fronts-{space}.png)", "",
    ]  # fmt: skip


def spread(found: Searches, space: str, method: str, queries: int) -> str:
    """Mean hypervolume ± half of its interval."""
    interval = found.interval(space, method, queries, VOLUME)
    return MISSING if interval is None else f"{interval.mean:.3f} ± {interval.mean - interval.low:.3f}"


def _listed(targets: list[str]) -> str:
    return code(targets[0]) if len(targets) == 1 else f"the mean of {' and '.join(code(target) for target in targets)}"
