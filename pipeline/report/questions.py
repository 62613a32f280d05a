"""The questions at the top of a board, and their answers in words: sentences about `pipeline.score.headline`."""

from __future__ import annotations

from pipeline.config.budget import Budget, Kind
from pipeline.config.nasflat import NASFLAT
from pipeline.core.names import RECIPES, is_focus
from pipeline.report.format import TITLES, compact, joined, number, percent, plain
from pipeline.score.headline import Best, Headline, UnseenFamily, Verdicts
from pipeline.score.pairs import Pair
from pipeline.score.published import VERDICTS
from pipeline.score.recipes import Gain, TwoWay
from pipeline.score.stats import LEVEL, Interval
from pipeline.score.tables import Size, Table
from pipeline.score.transfer import Task

QUESTIONS = (
    "What is best, at which label budget?",
    "Which is the cheapest within one interval of the best?",
    "Is it the architecture or the recipe?",
    "Do siblings matter?",
    "Which predicts the latency of an unseen family best?",
    "Do NN-Former's published figures reproduce?",
    "Is NASFLAT beaten at transfer to new devices?",
)
BEST, CHEAPEST, RECIPE, SIBLINGS, FAMILY, REPRODUCES, TRANSFER = QUESTIONS
SYNTHETIC = "**SYNTHETIC LABELS, no result:** "
WORDS = {
    "agrees": "reproduced within our interval",
    "above": "above",
    "below": "below",
    "unsure": "without an interval",
}  # of VERDICTS
RECIPE_WORDS = dict(
    zip(RECIPES, ("its paper's recipe", "the common recipe", "the common recipe with pre-training"), strict=True)
)
NAMED = 3  # predictors; the others of a list are counted
FIRST_SEEDS = 10  # with fewer seeds nothing is called first


def answers(headline: Headline) -> dict[str, list[str]]:
    """The answer to each of QUESTIONS that a board can answer, a sentence for each label budget, task or label."""
    family = headline.unseen_family
    sentences = {
        BEST: [_best(word, best) for word, best in headline.best.items()],
        CHEAPEST: [_cheapest(word, best) for word, best in headline.best.items()],
        RECIPE: [_recipes(two_way) for two_way in headline.two_ways],
        SIBLINGS: [_siblings(pair) for pair in headline.siblings],
        FAMILY: [_unseen_family(family)] if family else [],
        REPRODUCES: [_reproduces(label, verdicts) for label, verdicts in headline.verdicts.items()],
        TRANSFER: [_transfer(n, headline.transfer) for n in _numbers_of_labels(headline.transfer)],
    }
    loud = SYNTHETIC if headline.synthetic else ""
    return {question: [loud + text for text in texts] for question, texts in sentences.items() if texts}


def in_markdown(question: str, answered: list[tuple[str, list[str]]]) -> list[str]:
    """A question and a list of its answers. `answered`: who says so, "" for the page itself, and the sentences."""
    lines = [f"**{question}**", ""]
    for who, sentences in answered:
        alone = not who or len(sentences) == 1
        lines += [] if alone else [f"- {who}:"]
        start = "- " if not who else f"- {who}: " if alone else "  - "
        lines += [start + sentence for sentence in sentences]
    return [*lines, ""]


def _numbers_of_labels(tasks: list[Task]) -> list[int]:
    return list(dict.fromkeys(task.size.n_train for task in tasks))


def _transfer(n: int, tasks: list[Task]) -> str:
    """On how many of its tasks the best of ours, and NN-Former, lie above NASFLAT's published figure."""
    tasks = [task for task in tasks if task.size.n_train == n]
    verdicts = [(task.verdict(task.best) or "", task.verdict(task.focus) or "") for task in tasks]
    best = sum(verdict.startswith("above") for verdict, _ in verdicts)
    focus = sum(verdict.startswith("above") for _, verdict in verdicts)
    leaders = [task.best for task in tasks if task.best]
    leader = max(dict.fromkeys(leaders), key=leaders.count, default=None)
    of_focus = f", NN-Former on {focus}" if any(task.focus for task in tasks) else ""
    often = f", `{leader}` is the best on {leaders.count(leader)}" if leader else ""
    other = sum(bool(NASFLAT[task.table.protocol]) for task in tasks)
    other = f"; in {other} of the tasks devices of the published ones are missing or suspect" if other else ""
    checked = any(figure.confidence == "V" for task in tasks for figure in task.figures.values())
    return (
        f"{n} labels of the new device: the best of ours is above NASFLAT's published figure, by a 95 % interval that "
        f"excludes it, on {best} of {len(tasks)} tasks{of_focus}{often}{other}"
        f"{'' if checked else '; no figure is checked against the paper'}"
    )


def _labels(tasks: tuple[tuple[Table, Size], ...]) -> str:
    counts = sorted({size.n_train for _, size in tasks})
    return f"{counts[0]:,} labels" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} labels"


def _budget(word: str, best: Best) -> str:
    budget = Budget.parse(word)
    return f"{percent(budget.amount)} ({_labels(best.tasks)})" if budget.kind is Kind.FRACTION else _labels(best.tasks)


def _value(best: Best) -> str:
    half = "" if best.half is None else f" ± {number(best.half, best.metric)}"
    return f"{number(best.mean, best.metric)}{half}"


def _span(interval: Interval, metric: str) -> str:
    return f"{number(interval.low, metric)} to {number(interval.high, metric)}"


def _best(word: str, best: Best) -> str:
    """First is what the paired test tells from every other, over FIRST_SEEDS seeds or more; else none is."""
    over = f", mean of {len(best.tasks)} tasks" if len(best.tasks) > 1 else ""
    value = f"**`{best.predictor}`**, τ {_value(best)}{over}"
    start = _budget(word, best)
    if not best.rivals:
        return f"{start}: {value}{_untested(best)}"
    if best.tied:
        return f"{start}: none is first: {value}, and {_named(best.tied)} can't be told apart{_untested(best)}"
    return f"{start}: {value}, ahead of the next, {_ahead(best)}{_untested(best)}"


def _named(predictors: list[str]) -> str:
    names = [f"`{p}`" for p in predictors[:NAMED]]
    more = len(predictors) - NAMED
    return joined([*names, f"{more} more"] if more > 0 else names)


def _untested(best: Best) -> str:
    """Whom no test compares with the best, and where that is all of them, the next."""
    if not best.untested:
        return ""
    if best.rivals:
        return f"; {_named(best.untested)}: one seed and so no test"
    second = best.untested[0]
    return f", next `{second}`, {number(best.means[second], best.metric)}, one seed and so no test"


def _ahead(best: Best) -> str:
    rival = best.rivals[0]
    difference = rival.paired.difference
    few = f"; to be called first takes {FIRST_SEEDS}" if min(r.seeds for r in best.rivals) < FIRST_SEEDS else ""
    by = f"{number(difference.mean, best.metric)} ({_span(difference, best.metric)}, {rival.seeds} seeds{few})"
    return f"`{rival.predictor}`, by {by}"


def _cheapest(word: str, best: Best) -> str:
    start = f"{_budget(word, best)}: **`{best.cheapest}`**"
    cost = f"{compact(best.cpu_s[best.cheapest], 2)} CPU-s"
    if best.behind is None:
        unsure = ", all that cost less are behind by a 95 % interval that excludes zero" if best.rivals else ""
        return f"{start} itself, {cost}{unsure}{_untested(best)}{_processors(best)}"
    against = f"{compact(best.cpu_s[best.predictor], 2)} of `{best.predictor}`"
    difference = best.behind.paired.difference
    behind = f"behind by {number(difference.mean, best.metric)} ({_span(difference, best.metric)})"
    tau = number(best.means[best.cheapest], best.metric)
    return f"{start}, τ {tau}, {behind}, {cost} against {against}{_processors(best)}"


def _processors(best: Best) -> str:
    return (
        f"; fitted on {best.processors} kinds of processor, so that costs differ by that too"
        if best.processors > 1
        else ""
    )


def _recipes(two_way: TwoWay) -> str:
    metric = two_way.table.metric
    parts = []
    for recipe, gain in two_way.architecture.items():
        difference = gain_text(gain, metric)
        first = f"`{gain.first}` is ahead of `{gain.second}` by {difference}"
        none = f"none is first, `{gain.first}` less `{gain.second}` is {difference}"
        parts.append(f"by {RECIPE_WORDS[recipe]} {first if gain.paired.difference.low > 0 else none}")
    for gain in two_way.recipe:
        more = f"{RECIPE_WORDS[gain.first]} gives {gain_text(gain, metric)} over {RECIPE_WORDS[gain.second]}"
        parts.append(f"{more}, mean of {len(two_way.architectures)} architectures")
    return f"{two_way.table.dataset}, {two_way.size.n_train:,} labels: {', '.join(parts)}"


def _siblings(pair: Pair) -> str:
    """Whether the paired test tells NN-Former with masks of siblings from the same without."""
    difference, metric = pair.paired.difference, pair.metric
    told_apart = pair.p_holm < 1 - LEVEL
    verdict = ("they help" if difference.mean > 0 else "they harm") if told_apart else "no difference seen"
    families = pair.sizes[0].budget.family
    size = f"{len(pair.sizes)} families left out" if families else f"{pair.sizes[0].n_train:,} labels"
    device = f" on {plain(pair.device)}" if len(pair.table.devices) > 1 else ""
    by, low, high = (number(value, metric, 1) for value in difference)
    name, unit = TITLES[metric].removesuffix(", %"), " %" if TITLES[metric].endswith("%") else ""
    return (
        f"{pair.table.dataset}{device}, {size}: **{verdict}**, {name} of `{pair.a}` "
        f"{number(pair.of_a.mean, metric)}{unit}, without masks of siblings {number(pair.of_b.mean, metric)}{unit}: "
        f"better with them by {by} ({low} to {high}, {pair.seeds} seeds)"
    )


def gain_text(gain: Gain, metric: str) -> str:
    """A difference and its interval."""
    difference = gain.paired.difference
    return f"{number(difference.mean, metric)} ({_span(difference, metric)})"


def _unseen_family(family: UnseenFamily) -> str:
    repeated = number(family.repeated_mape, "mape")
    again = "" if family.repeated_mape is None else f"; labels measured again: {repeated} %"
    part = "" if family.families == family.known else f" ({family.families} of {family.known} families)"
    best = f"**`{family.best.predictor}`**, MAPE {_value(family.best)} %"
    unsure = f", and {_named(family.best.tied)} can't be told apart" if family.best.tied else ""
    unsure += _untested(family.best)
    unsure += "" if any(map(is_focus, family.best.means)) else ", NN-Former not run"
    return f"{best}{unsure}, mean over families of {family.dataset}{part}{again}"


def _reproduces(label: str, verdicts: Verdicts) -> str:
    """How many figures of a label lie within our intervals, and how many of our numbers above or below."""
    n, counts = verdicts.figures, [(WORDS[word], verdicts.counts.get(word, 0)) for word in VERDICTS]
    parts = joined([f"{k} {word}" for word, k in counts if k])
    checked = (
        "" if verdicts.verified else ", not checked against the paper" if n == 1 else ", none checked against the paper"
    )
    return f"`{label}`: **{parts}** of {n} published figure{'s' if n > 1 else ''}{checked}"
