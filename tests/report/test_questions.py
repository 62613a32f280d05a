"""The four answers at the top of the board, derived from made-up scores by hand."""

from dataclasses import replace

import polars as pl
import pytest

from pipeline.report import questions
from pipeline.score import published
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, scores_of, table_of
from tests.helpers.score_fixtures import DATASET, score_rows_of

FIGURE = published.Figure(DATASET, "direct", 10, "nn_former", "kendall_tau", 0.79, "S", "a review")


def texts(table, figures=()):
    """The answers, "" where the board has none."""
    answers = questions.answers(scores_of([table], figures).headline)
    return [answers.get(question, "") for question in questions.QUESTIONS]


def with_costs(seconds: dict[str, float]) -> pl.DataFrame:
    """RANKED with other CPU-seconds."""
    rows = score_rows_of(RANKED)
    new = pl.col("predictor").replace_strict(seconds, return_dtype=pl.Float64)
    return rows.with_columns(value=pl.when(pl.col("metric") == "fit_cpu_s").then(new).otherwise(pl.col("value")))


def test_the_best_at_each_budget():
    assert texts(table_of(RANKED))[0] == (
        "1 % (10 labels): **`nn_former`**, τ 0.810 ± 0.025; 5 % (50 labels): **`nn_former`**, τ 0.910 ± 0.025"
    )


def test_the_cheapest_within_one_interval():
    """At 1 % the interval reaches down to 0.785, which gbdt's 0.800 passes; at 5 % to 0.885, which nothing does."""
    rows = with_costs({"nn_former": 20.0, "gbdt": 0.1, "mlp": 0.01})
    assert texts(table_of(RANKED, rows))[1] == (
        "1 %: **`gbdt`**, τ 0.800, 0.1 CPU-s against 20 of `nn_former`; "
        "5 %: **`nn_former`** itself, 20 CPU-s, nothing cheaper comes so near"
    )


def test_without_such_data_there_is_no_answer():
    assert texts(table_of({("gbdt", "n20", 0): 0.5})) == ["", "", "", ""]


def test_what_is_incomplete_is_not_best():
    assert "5 % (50 labels): **`gbdt`**" in texts(table_of(TAUS))[0]


def test_an_unseen_family():
    words = ("without-a", "without-b")
    values = {("nnlp", w, s): 10.0 + s for w in words for s in (0, 1)} | {
        ("tpu", w, s): 9.0 for w in words for s in (0, 1)
    }
    rows, changes = costs_of(values, "leave_one_family_out")
    about = replace(ABOUT, families=("a", "b", "c"))
    assert texts(table_of(values, rows, about, **changes))[2] == (
        "**`tpu`**, MAPE 9.00 ± 0.00 %, mean over families of synthetic_toy (2 of 3 families)"
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            (0.79, 0.80),
            "`nn_former`: **yes** (1 agrees and 1 better of 2 published figures, none checked against the paper)",
        ),
        ((0.80, 0.91), "`nn_former`: **yes** (2 agree of 2 published figures, none checked against the paper)"),
        (
            (0.79, 0.99),
            "`nn_former`: **in part** (1 agrees and 1 worse of 2 published figures, none checked against the paper)",
        ),
        ((0.99, 0.99), "`nn_former`: **no** (2 worse of 2 published figures, none checked against the paper)"),
        ((0.99,), "`nn_former`: **no** (1 worse of 1 published figure, not checked against the paper)"),
    ],
)
def test_whether_nn_former_reproduces(values, says):
    figures = [replace(FIGURE, value=v, n_train=n) for v, n in zip(values, (10, 50), strict=False)]
    assert texts(table_of(RANKED), figures)[3] == says


@pytest.mark.parametrize(("overrides", "counts"), [({}, True), ({"preset": "paper"}, True), ({"soft": False}, False)])
def test_a_form_with_a_part_changed_reproduces_nothing(overrides, counts):
    answer = texts(table_of(RANKED, overrides=overrides), [FIGURE])[3]
    assert answer.startswith("`nn_former`: **yes**") if counts else answer == ""


def test_figures_checked_against_the_paper_need_no_warning():
    assert texts(table_of(RANKED), [replace(FIGURE, confidence="V")])[3].endswith("(1 agrees of 1 published figure)")


def test_one_seed_can_t_say():
    assert texts(table_of({("nn_former", "0.01", 0): 0.5}), [FIGURE])[3].startswith("`nn_former`: **can't be said**")


def test_made_up_labels_are_said_to_be():
    best, cheapest, *others = texts(table_of(RANKED, about=replace(ABOUT, synthetic=True)))
    assert "SYNTHETIC" in best and "SYNTHETIC" in cheapest and others == ["", ""]
