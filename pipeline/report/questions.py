"""The four questions at the top of a board, and their answers in words: sentences about `pipeline.score.headline`."""

from __future__ import annotations

from pipeline.report.format import compact, joined, number, percent
from pipeline.score.headline import Best, Headline, UnseenFamily, Verdicts
from pipeline.score.published import VERDICTS
from pipeline.score.tables import Size, Table

QUESTIONS = (
    "Which predictor is best at 1 % and at 5 % of the labels?",
    "Which is the cheapest within one interval of the best?",
    "Which predicts the latency of an unseen family best?",
    "Do NN-Former's published figures reproduce?",
)
SYNTHETIC = "**SYNTHETIC LABELS, no result:** "


def answers(headline: Headline) -> dict[str, str]:
    """The answer to each of QUESTIONS that a board can answer."""
    sentences = (
        "; ".join(_best(fraction, best) for fraction, best in headline.best.items()),
        "; ".join(_cheapest(fraction, best) for fraction, best in headline.best.items()),
        _unseen_family(headline.unseen_family) if headline.unseen_family else "",
        "; ".join(_reproduces(label, verdicts) for label, verdicts in headline.verdicts.items()),
    )
    loud = SYNTHETIC if headline.synthetic else ""
    return {question: loud + text for question, text in zip(QUESTIONS, sentences, strict=True) if text}


def _budget(tasks: tuple[tuple[Table, Size], ...]) -> str:
    counts = sorted({size.n_train for _, size in tasks})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _value(best: Best) -> str:
    half = "" if best.half is None else f" ± {number(best.half, best.metric)}"
    return f"{number(best.mean, best.metric)}{half}"


def _best(fraction: str, best: Best) -> str:
    over = f", mean of {len(best.tasks)} data sets" if len(best.tasks) > 1 else ""
    return f"{percent(fraction)} ({_budget(best.tasks)} labels): **`{best.predictor}`**, τ {_value(best)}{over}"


def _cheapest(fraction: str, best: Best) -> str:
    start = f"{percent(fraction)}: **`{best.cheapest}`**"
    cost = f"{compact(best.cpu_s[best.cheapest], 2)} CPU-s"
    if best.cheapest == best.predictor:
        unsure = ", one seed and so no interval" if best.interval is None else ", nothing cheaper comes so near"
        return f"{start} itself, {cost}{unsure}"
    against = f"{compact(best.cpu_s[best.predictor], 2)} of `{best.predictor}`"
    return f"{start}, τ {number(best.cheapest_mean, best.metric)}, {cost} against {against}"


def _unseen_family(family: UnseenFamily) -> str:
    repeated = number(family.repeated_mape, "mape")
    again = "" if family.repeated_mape is None else f"; labels measured again: {repeated} %"
    part = "" if family.families == family.known else f" ({family.families} of {family.known} families)"
    best = f"**`{family.best.predictor}`**, MAPE {_value(family.best)} %"
    return f"{best}, mean over families of {family.dataset}{part}{again}"


def _reproduces(label: str, verdicts: Verdicts) -> str:
    """Yes when no figure of ours is worse than the published one beyond its interval."""
    n, counts = verdicts.figures, {word: verdicts.counts[word] for word in VERDICTS if verdicts.counts.get(word)}
    sure, worse = n - counts.get("unsure", 0), counts.get("worse", 0)
    word = "can't be said" if not sure else "yes" if not worse else "no" if worse == sure else "in part"
    parts = joined([f"{k} {'agree' if verdict == 'agrees' and k > 1 else verdict}" for verdict, k in counts.items()])
    checked = ", not checked against the paper" if n == 1 else ", none checked against the paper"
    checked = "" if verdicts.verified else checked
    return f"`{label}`: **{word}** ({parts} of {n} published figure{'s' if n > 1 else ''}{checked})"
