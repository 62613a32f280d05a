"""The numbers of a board as plain JSON, for `dvc metrics`: they do not depend on how the board words them."""

from __future__ import annotations

from pipeline.score.headline import Headline
from pipeline.score.ranking import point
from pipeline.score.scores import Scores


def metrics_json(scores: Scores) -> dict:
    """{dataset/scored_on: {predictor: {size: tau}}} on the main split, mean over seeds (and devices), and `headline`.

    Under a protocol other than direct its name stands between: nasbench201/tnasp/test_acc. Empty cells are left out.
    """
    nested: dict = {"headline": {**_headline(scores.headline), **_mean_ranks(scores)}}
    for table in scores.tables:
        protocol = "" if table.protocol == "direct" else f"{table.protocol}/"
        by_predictor = nested.setdefault(f"{table.dataset}/{protocol}{table.scored_on}", {})
        for predictor in table.predictors:
            for size in table.sizes:
                mean = table.stat(predictor, size, "kendall_tau", table.split).mean
                if mean is not None:
                    by_predictor.setdefault(predictor, {})[str(size.budget)] = _rounded(mean)
    return nested


def _headline(headline: Headline) -> dict[str, object]:
    plain: dict[str, object] = {"synthetic": True} if headline.synthetic else {}
    for fraction, best in headline.best.items():
        plain[f"best_at_{fraction}"] = {"predictor": best.predictor, "kendall_tau": _rounded(best.mean)}
        plain[f"cheapest_at_{fraction}"] = {
            "predictor": best.cheapest,
            "kendall_tau": _rounded(best.means[best.cheapest]),
        }
    family = headline.unseen_family
    if family:
        plain["unseen_family"] = {
            "predictor": family.best.predictor, "mape": _rounded(family.best.mean),
            "half_interval": _rounded(family.best.half), "dataset": family.dataset, "families": family.families,
            "known_families": family.known, "repeated_mape": _rounded(family.repeated_mape),
        }  # fmt: skip
    if headline.verdicts:
        plain["published_figures"] = {
            label: {"figures": found.figures, "verified": found.verified, **found.counts}
            for label, found in headline.verdicts.items()
        }
    return plain


def _mean_ranks(scores: Scores) -> dict[str, dict[str, float]]:
    return {
        f"mean_rank_{ranking.metric}": {p: _rounded(point(rank)) for p, rank in ranking.mean_ranks.items()}
        for ranking in scores.rankings
        if ranking.mean_ranks
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
