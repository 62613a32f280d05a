"""The answers at the top of the board, derived from made-up scores by hand."""

from dataclasses import replace

import polars as pl
import pytest

from pipeline.report import questions
from pipeline.report.two_way import two_way_section
from pipeline.score import published
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, scores_of, table_of
from tests.helpers.score_fixtures import DATASET, score_rows_of

FIGURE = published.Figure(DATASET, "direct", 10, "nn_former", "kendall_tau", 0.79, "S", "a review")


def texts(table, figures=(), **wanted):
    """The answers by question, their sentences one after the other; "" where the board has none."""
    answers = questions.answers(scores_of([table], figures, **wanted).headline)
    return {question: "; ".join(answers.get(question, [])) for question in questions.QUESTIONS}


def with_costs(seconds: dict[str, float]) -> pl.DataFrame:
    """RANKED with other CPU-seconds."""
    rows = score_rows_of(RANKED)
    new = pl.col("predictor").replace_strict(seconds, return_dtype=pl.Float64)
    return rows.with_columns(value=pl.when(pl.col("metric") == "fit_cpu_s").then(new).otherwise(pl.col("value")))


def test_the_best_at_each_budget():
    """At 1 % nn_former less gbdt is 0.01, -0.01, 0.03: no test tells them apart. At 5 % it is 0.05 three times."""
    assert texts(table_of(RANKED))[questions.BEST] == (
        "1 % (10 labels): none is first: **`nn_former`**, τ 0.810 ± 0.025, and `gbdt` can't be told apart; "
        "5 % (50 labels): **`nn_former`**, τ 0.910 ± 0.025, ahead of the next, `gbdt`, by 0.050 (0.050 to 0.050, "
        "3 seeds; to be called first takes 10)"
    )


def test_budgets_in_numbers_of_labels_have_a_best_too():
    values = {(p, f"n{n}", s): tau + s / 100 for n in (200, 30) for s in (0, 1) for p, tau in (("a", 0.5), ("b", 0.7))}
    assert texts(table_of(values))[questions.BEST] == (
        "30 labels: **`b`**, τ 0.705 ± 0.064, "
        "ahead of the next, `a`, by 0.200 (0.200 to 0.200, 2 seeds; to be called first takes 10); "
        "200 labels: **`b`**, τ 0.705 ± 0.064, "
        "ahead of the next, `a`, by 0.200 (0.200 to 0.200, 2 seeds; to be called first takes 10)"
    )


def test_a_long_list_of_equals_is_cut():
    values = {(p, "n30", s): 0.5 + s * i / 100 for i, p in enumerate("abcdef") for s in (0, 1, 2)}
    assert texts(table_of(values))[questions.BEST] == (
        "30 labels: none is first: **`f`**, τ 0.550 ± 0.124, and `e`, `d`, `c` and 2 more can't be told apart"
    )


def test_one_that_has_but_one_seed_does_not_keep_the_others_from_their_test():
    values = {(p, "n30", s): 0.5 + s / 100 + ahead for p, ahead in (("a", 0.1), ("b", 0.0)) for s in (0, 1)}
    values[("c", "n30", 0)] = 0.55
    assert texts(table_of(values))[questions.BEST] == (
        "30 labels: **`a`**, τ 0.605 ± 0.064, ahead of the next, `b`, by 0.100 "
        "(0.100 to 0.100, 2 seeds; to be called first takes 10); `c`: one seed and so no test"
    )


def test_the_cheapest_within_one_interval():
    """The paired test decides: at 5 % gbdt is behind in every seed, at 1 % not."""
    rows = with_costs({"nn_former": 20.0, "gbdt": 0.1, "mlp": 0.01})
    assert texts(table_of(RANKED, rows))[questions.CHEAPEST] == (
        "1 % (10 labels): **`gbdt`**, τ 0.800, behind by 0.010 (-0.040 to 0.060), 0.1 CPU-s against 20 of `nn_former`; "
        "5 % (50 labels): **`nn_former`** itself, 20 CPU-s, all that cost less are behind by a 95 % interval that "
        "excludes zero"
    )


def test_costs_of_several_kinds_of_processor_are_said_to_be():
    other = pl.when(pl.col("predictor") == "gbdt").then(pl.lit("Another CPU")).otherwise("host_cpu")
    rows = score_rows_of(RANKED).with_columns(host_cpu=other)
    said = texts(table_of(RANKED, rows))[questions.CHEAPEST].split("; 5 %")
    assert all("; fitted on 2 kinds of processor, so that costs differ by that too" in part for part in said)


def test_without_such_data_there_is_no_answer():
    assert set(texts(table_of({("gbdt", "0.1", 0): 0.5})).values()) == {""}


def test_what_is_incomplete_is_not_best():
    assert "5 % (50 labels): **`gbdt`**" in texts(table_of(TAUS))[questions.BEST]


def test_an_unseen_family():
    words = ("without-a", "without-b")
    values = {("nnlp", w, s): 10.0 + s for w in words for s in (0, 1)} | {
        ("tpu", w, s): 9.0 for w in words for s in (0, 1)
    }
    rows, changes = costs_of(values, "leave_one_family_out")
    about = replace(ABOUT, families=("a", "b", "c"))
    assert texts(table_of(values, rows, about, **changes))[questions.FAMILY] == (
        "**`tpu`**, MAPE 9.00 ± 0.00 %, and `nnlp` can't be told apart, NN-Former not run, mean over families of "
        "synthetic_toy (2 of 3 families)"
    )
    first = {key: value for key, value in values.items() if key[2] == 0}
    rows, changes = costs_of(first, "leave_one_family_out")
    said = texts(table_of(first, rows, about, **changes))[questions.FAMILY]
    assert "MAPE 9.00 %, next `nnlp`, 10.00, one seed and so no test, NN-Former not run, mean" in said


PAPER = {("nn_former-paper", f, s): tau for (p, f, s), tau in RANKED.items() if p == "nn_former"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            (0.79, 0.80),
            "**1 reproduced within our interval and 1 above** of 2 published figures, none checked against the paper",
        ),
        ((0.80, 0.91), "**2 reproduced within our interval** of 2 published figures, none checked against the paper"),
        (
            (0.79, 0.99),
            "**1 reproduced within our interval and 1 below** of 2 published figures, none checked against the paper",
        ),
        ((0.99,), "**1 below** of 1 published figure, not checked against the paper"),
    ],
)
def test_whether_nn_former_reproduces(values, says):
    figures = [replace(FIGURE, value=v, n_train=n) for v, n in zip(values, (10, 50), strict=False)]
    assert texts(table_of(PAPER), figures)[questions.REPRODUCES] == f"`nn_former-paper`: {says}"


@pytest.mark.parametrize("label", ["nn_former", "nn_former-hard", "gbdt-paper"])
def test_what_is_not_as_published_reproduces_nothing(label):
    values = {(label, f, s): tau for (_, f, s), tau in PAPER.items()}
    assert texts(table_of(values), [FIGURE, replace(FIGURE, predictor="gbdt")])[questions.REPRODUCES] == ""


def test_figures_checked_against_the_paper_need_no_warning():
    says = texts(table_of(PAPER), [replace(FIGURE, confidence="V")])[questions.REPRODUCES]
    assert says == "`nn_former-paper`: **1 reproduced within our interval** of 1 published figure"


def test_one_seed_can_t_say():
    assert (
        "**1 without an interval** of 1"
        in texts(table_of({("nn_former-released", "0.01", 0): 0.5}), [FIGURE])[questions.REPRODUCES]
    )


def test_architecture_and_recipe():
    """a is 0.02 ahead by its paper's recipe, then both are level; recipes give 0.1 or 0.12, and 0.05."""
    recipes = {"paper": (0.60, 0.58), "common": (0.70, 0.70), "pretrained": (0.75, 0.75)}
    values = {
        (f"{p}{'_' if '-' in p else '-'}{recipe}", "n30", s): tau + s / 100
        for recipe, taus in recipes.items() for p, tau in zip(("a", "b-hard"), taus, strict=True) for s in (0, 1)
    } | {("c-common", "n30", s): 0.9 for s in (0, 1)}  # fmt: skip
    assert texts(table_of(values))[questions.RECIPE] == (
        "synthetic_toy, 30 labels: by its paper's recipe `a` is ahead of `b-hard` by 0.020 (0.020 to 0.020), "
        "by the common recipe none is first, `a` less `b-hard` is 0.000 (0.000 to 0.000), "
        "by the common recipe with pre-training none is first, `a` less `b-hard` is 0.000 (0.000 to 0.000), "
        "the common recipe gives 0.110 (0.110 to 0.110) over its paper's recipe, mean of 2 architectures, "
        "the common recipe with pre-training gives 0.050 (0.050 to 0.050) over the common recipe, "
        "mean of 2 architectures"
    )
    (two_way,) = scores_of([table_of(values)]).headline.two_ways
    assert two_way_section(two_way)[4:-1] == [
        "| Architecture | its paper's recipe | the common recipe | the common recipe with pre-training |",
        "| :--- | ---: | ---: | ---: |",
        "| `a` | 0.605 ± 0.064 | 0.705 ± 0.064 | 0.755 ± 0.064 |",
        "| `b-hard` | 0.585 ± 0.064 | 0.705 ± 0.064 | 0.755 ± 0.064 |",
        "| *more than by the recipe before, mean* | – | 0.110 (0.110 to 0.110) | 0.050 (0.050 to 0.050) |",
        "| *the first less the next* | 0.020 (0.020 to 0.020) | 0.000 (0.000 to 0.000) | 0.000 (0.000 to 0.000) |",
    ]


@pytest.mark.parametrize(
    ("taus", "verdict", "by"),
    [
        ((0.51, 0.52, 0.53), "they help", "0.0100 (0.0100 to 0.0100, 3 seeds)"),
        ((0.49, 0.50, 0.51), "they harm", "-0.0100 (-0.0100 to -0.0100, 3 seeds)"),
        ((0.50, 0.52, 0.51), "no difference seen", "0.0000 (-0.0248 to 0.0248, 3 seeds)"),
    ],
)
def test_siblings(taus, verdict, by):
    """Told from the pair alone that differs in nothing but the masks of siblings, whatever else is compared."""
    without = dict.fromkeys(("nn_former-hard_no_siblings", "nn_former-hard_global"), (0.50, 0.51, 0.52))
    values = {(p, "n30", s): tau for p, of in ({"nn_former-hard": taus} | without).items() for s, tau in enumerate(of)}
    pairs = [("nn_former-hard", other) for other in without]
    assert texts(table_of(values), pairs=pairs)[questions.SIBLINGS] == (
        f"synthetic_toy, 30 labels: **{verdict}**, Kendall's τ of `nn_former-hard` {sum(taus) / 3:.3f}, "
        f"without masks of siblings 0.510: better with them by {by}"
    )
    assert texts(table_of(values), pairs=[pair[::-1] for pair in pairs])[questions.SIBLINGS] == ""


def test_siblings_and_families_left_out():
    words = ("without-a", "without-b")
    values = {
        (label, word, seed): mape + seed
        for label, mape in (("nn_former-latency", 9.0), ("nn_former-latency_no_siblings", 12.0))
        for word in words for seed in (0, 1, 2)
    }  # fmt: skip
    rows, changes = costs_of(values, "leave_one_family_out")
    table = table_of(values, rows, replace(ABOUT, families=("a", "b")), **changes)
    pair = ("nn_former-latency", "nn_former-latency_no_siblings")
    assert texts(table, pairs=[pair])[questions.SIBLINGS] == (
        "synthetic_toy, 2 families left out: **they help**, MAPE of `nn_former-latency` 10.00 %, "
        "without masks of siblings 13.00 %: better with them by 3.000 (3.000 to 3.000, 3 seeds)"
    )


def test_made_up_labels_are_said_to_be():
    best, cheapest, *others = texts(table_of(RANKED, about=replace(ABOUT, synthetic=True))).values()
    assert "SYNTHETIC" in best and "SYNTHETIC" in cheapest and set(others) == {""}


def test_one_answer_stands_beside_who_gives_it_and_several_below():
    assert questions.in_markdown("Which?", [("a", ["this"]), ("b", ["this", "that"]), ("", ["none"])]) == [
        "**Which?**", "", "- a: this", "- b:", "  - this", "  - that", "- none", "",
    ]  # fmt: skip
