"""The four questions at the top of a board, answered from its tables. Numbers and names here, sentences at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.errors import BenchError
from pipeline.core.names import predictor_of
from pipeline.report.format import MISSION, compact, joined, number, ordered, percent
from pipeline.score import stats
from pipeline.score.label_noise import Noise
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.published import VERDICTS, Comparison, Figure, compare
from pipeline.score.ranking import point, rankings
from pipeline.score.tables import Size, Table

FRACTIONS = ("0.01", "0.05")
NO_DATA = "no such data in this grid"
NO_FIGURE = "no published figure is of this grid's data"


@dataclass(frozen=True)
class Best:
    """The best predictor on some (table, size) tasks, its interval over seeds (None: one seed) and what it costs.

    `cheapest` is the predictor that takes the fewest CPU-seconds of those whose mean is no worse than the near end of
    that interval.
    """

    tasks: tuple[tuple[Table, Size], ...]
    metric: str
    predictor: str
    mean: float
    interval: stats.Interval | None
    cheapest: str
    cheapest_mean: float
    cpu_s: dict[str, float]

    @property
    def half(self) -> float | None:
        """Half of the interval."""
        return None if self.interval is None else self.interval.high - self.interval.mean


def best_on(tasks: list[tuple[Table, Size]], metric: str) -> Best | None:
    """The best predictor by the mean over tasks, of those with every seed of every task; None without any."""
    split = {table: table.split for table, _ in tasks}
    values, cpu = {}, {}
    for predictor in tasks[0][0].predictors if tasks else []:
        found = [table.stat(predictor, size, metric, split[table]) for table, size in tasks]
        seconds = [table.stat(predictor, size, "fit_cpu_s", "run").mean for table, size in tasks]
        if all(stat.complete for stat in found):
            values[predictor] = [np.array(stat.values) for stat in found]
            cpu[predictor] = float(np.mean(seconds)) if None not in seconds else float("inf")
    if not values:
        return None
    sign = tasks[0][0].better(metric, 1.0)
    means = {p: float(np.mean([v.mean() for v in found])) for p, found in values.items()}
    best = min(means, key=lambda p: (-sign * means[p], p))
    interval = stats.interval(_strata(tasks, values[best]))
    worst = sign * means[best] if interval is None else min(sign * interval.low, sign * interval.high)
    close = [p for p in means if sign * means[p] >= worst]
    cheapest = min(close, key=lambda p: (cpu[p], p))
    return Best(tuple(tasks), metric, best, means[best], interval, cheapest, means[cheapest], cpu)


def _strata(tasks: list[tuple[Table, Size]], values: list[np.ndarray]) -> list[np.ndarray]:
    """One vector over seeds a table: sizes of one table share seeds, so they are averaged seed by seed."""
    by_table: dict[Table, list[np.ndarray]] = {}
    for (table, _), found in zip(tasks, values, strict=True):
        by_table.setdefault(table, []).append(found)
    return [np.mean(found, 0) for found in by_table.values()]


def accuracy_tasks(tables: list[Table], fraction: str) -> list[tuple[Table, Size]]:
    """The accuracy tasks of a grid at a fraction of the labels."""
    kept = [table for ranking in rankings(tables) for table in ranking.tables if not table.is_cost]
    return [(table, size) for table in kept for size in table.sizes if size.fraction == fraction]


def unseen_family(tables: list[Table]) -> Best | None:
    """The best latency predictor by MAPE over families, each left out of training in turn; None without such data."""
    for table in tables:
        if table.is_cost and table.protocol == "leave_one_family_out":
            return best_on([(table, size) for size in table.sizes], "mape")
    return None


def reproduction(tables: list[Table], figures: list[Figure]) -> dict[str, list[Comparison]]:
    """Published figures of NN-Former beside ours, by label: no form with a part changed."""
    found: dict[str, list[Comparison]] = {}
    for table in tables:
        for comparison in compare(table, figures):
            label = comparison.label
            if predictor_of(label) == MISSION and set(json.loads(table.overrides[label])) <= {"preset"}:
                found.setdefault(label, []).append(comparison)
    return found


def answers(
    tables: list[Table], figures: list[Figure], noise: Sequence[Noise] = (), others: dict[str, dict] | None = None
) -> list[tuple[str, str]]:
    """(question, answer) for the top of the board. `others`: `summary` of other boards by their name, which answer
    what this grid has no data for."""
    real = [table for table in tables if not table.synthetic]
    loud = "" if len(real) == len(tables) else "**SYNTHETIC LABELS, no result:** "
    best = {fraction: best_on(accuracy_tasks(tables, fraction), "kendall_tau") for fraction in FRACTIONS}
    shown = [_sentence(fraction, found) for fraction, found in best.items() if found]
    cheap = [_cheapest(fraction, found) for fraction, found in best.items() if found]
    here, there = summary(tables, figures, noise), others or {}
    family, whether = _family(here), _reproduces(here)
    return [
        ("Which predictor is best at 1 % and at 5 % of the labels?", loud + ("; ".join(shown) or NO_DATA)),
        ("Which is the cheapest within one interval of the best?", loud + ("; ".join(cheap) or NO_DATA)),
        (
            "Which predicts the latency of an unseen family best?",
            (loud + family) if family else _on_boards(there, _family) or loud + NO_DATA,
        ),
        (
            "Do NN-Former's published figures reproduce?",
            (loud + whether) if whether else _on_boards(there, _reproduces) or loud + NO_FIGURE,
        ),
    ]


def _on_boards(summaries: dict[str, dict], sentence: Callable[[dict], str]) -> str:
    found = {name: sentence(about) for name, about in summaries.items()}
    return "; ".join(f"on the board {name}: {text}" for name, text in found.items() if text)


def _budget(tasks: tuple[tuple[Table, Size], ...]) -> str:
    counts = sorted({size.n_train for _, size in tasks})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _value(found: Best) -> str:
    half = "" if found.half is None else f" ± {number(found.half, found.metric)}"
    return f"{number(found.mean, found.metric)}{half}"


def _sentence(fraction: str, found: Best) -> str:
    over = f", mean of {len(found.tasks)} data sets" if len(found.tasks) > 1 else ""
    return f"{percent(fraction)} ({_budget(found.tasks)} labels): **`{found.predictor}`**, τ {_value(found)}{over}"


def _cheapest(fraction: str, found: Best) -> str:
    start = f"{percent(fraction)}: **`{found.cheapest}`**"
    cost = f"{compact(found.cpu_s[found.cheapest], 2)} CPU-s"
    if found.cheapest == found.predictor:
        unsure = ", one seed and so no interval" if found.interval is None else ", nothing cheaper comes so near"
        return f"{start} itself, {cost}{unsure}"
    best = f"{compact(found.cpu_s[found.predictor], 2)} of `{found.predictor}`"
    return f"{start}, τ {number(found.cheapest_mean, found.metric)}, {cost} against {best}"


def _family(about: dict) -> str:
    found = about.get("unseen_family")
    if not found:
        return ""
    half = "" if found["half_interval"] is None else f" ± {number(found['half_interval'], 'mape')}"
    again = "" if found["repeated"] is None else f"; labels measured again: {number(found['repeated'], 'mape')} %"
    whole = "" if found["families"] == found["of"] else f" ({found['families']} of {found['of']} families)"
    value = f"{number(found['mape'], 'mape')}{half}"
    return f"**`{found['predictor']}`**, MAPE {value} %, mean over families of {found['dataset']}{whole}{again}"


def _reproduces(about: dict) -> str:
    """One verdict a label: yes when no figure of ours is worse than the published one beyond its interval."""
    parts = []
    for label, found in about.get("reproduces", {}).items():
        n, counts = found["figures"], {word: found[word] for word in VERDICTS if found.get(word)}
        sure, worse = n - counts.get("unsure", 0), counts.get("worse", 0)
        word = "can't be said" if not sure else "yes" if not worse else "no" if worse == sure else "in part"
        words = [f"{k} {'agree' if verdict == 'agrees' and k > 1 else verdict}" for verdict, k in counts.items()]
        checked = (
            ""
            if found["verified"]
            else ", not checked against the paper"
            if n == 1
            else ", none checked against the paper"
        )
        parts.append(f"`{label}`: **{word}** ({joined(words)} of {n} published figure{'s' if n > 1 else ''}{checked})")
    return "; ".join(parts)


def _counted(comparisons: list[Comparison]) -> dict[str, int]:
    said = [comparison.verdict for comparison in comparisons]
    verified = sum(comparison.figure.confidence == "V" for comparison in comparisons)
    counts = {word: said.count(word) for word in VERDICTS if word in said}
    return {"figures": len(said), "verified": verified, **counts}


def summary(tables: list[Table], figures: list[Figure], noise: Sequence[Noise] = ()) -> dict[str, object]:
    """The answers as plain values, for `metrics.json`."""
    found: dict[str, object] = {"synthetic": True} if any(table.synthetic for table in tables) else {}
    for fraction in FRACTIONS:
        best = best_on(accuracy_tasks(tables, fraction), "kendall_tau")
        if best:
            found[f"best_at_{fraction}"] = {"predictor": best.predictor, "kendall_tau": round(best.mean, 6)}
            cheapest = {"predictor": best.cheapest, "kendall_tau": round(best.cheapest_mean, 6)}
            found[f"cheapest_at_{fraction}"] = cheapest
    family = unseen_family(tables)
    if family:
        table = family.tasks[0][0]
        repeated = noise_floor(noise, table.dataset, table.scored_on, table.devices).get("mape")
        found["unseen_family"] = {
            "predictor": family.predictor, "mape": round(family.mean, 6),
            "half_interval": None if family.half is None else round(family.half, 6), "dataset": table.dataset,
            "families": len(table.sizes), "of": len(table.about.families),
            "repeated": None if repeated is None else round(repeated, 6),
        }  # fmt: skip
    by_label = reproduction(tables, figures)
    if by_label:
        found["reproduces"] = {label: _counted(by_label[label]) for label in ordered(set(by_label))}
    for ranking in rankings(tables):
        ranks = {p: round(point(rank), 6) for p, rank in ranking.mean_ranks.items()}
        if ranks:
            found[f"mean_rank_{ranking.metric}"] = ranks
    return found


def elsewhere(folder: Path, own: str) -> dict[str, dict]:
    """The `summary` of every other board in `folder`, by name; `own` is left out, as are boards of made-up labels.

    Raises BenchError when a metrics.json can't be read.
    """
    found = {}
    for path in sorted(folder.glob("*/metrics.json")):
        if path.parent.name == own or not path.with_name("leaderboard.md").is_file():
            continue
        try:
            summary_there = dict(json.loads(path.read_text(encoding="utf-8"))["summary"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{path}: not the numbers of a board; report that grid again") from error
        if not summary_there.get("synthetic"):
            found[path.parent.name] = summary_there
    return found
