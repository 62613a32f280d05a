"""Ranks and comparisons over tasks, by hand on made-up scores."""

from dataclasses import replace

import pytest

from pipeline.report.overview import rank_section
from pipeline.score import ranking
from pipeline.score.tables import tables_of as of_grid
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, grid_of, tables_of
from tests.helpers.score_fixtures import DATASET, score_rows_of


def test_mean_ranks_by_hand():
    """gbdt is first in one of six runs (1 %, seed 1), nn_former then second; mlp always third."""
    found = ranking.rankings(tables_of(RANKED))
    assert [r.metric for r in found] == ["kendall_tau"]
    ranks = found[0].mean_ranks
    assert list(ranks) == ["nn_former", "gbdt", "mlp"]
    assert [ranks[p].mean for p in ranks] == pytest.approx([7 / 6, 11 / 6, 3.0])
    # All three seeds agree on mlp: the share of runs that may be a rank off, on the side where there are ranks.
    assert ranks["mlp"][1:] == pytest.approx((3.0 - (1 - 0.05 ** (1 / 3)), 3.0))
    # Per-seed means 1, 1.5, 1 of nn_former: the highest mean of three draws that 2.5 % reach is 1.5, stretched.
    stretch = 4.302653 / 1.959964 * (3 / 2) ** 0.5
    assert ranks["nn_former"][1:] == pytest.approx((1.0, 7 / 6 + stretch * (1.5 - 7 / 6)), abs=1e-6)


def test_comparison_with_the_best_by_hand():
    found = ranking.rankings(tables_of(RANKED))[0]
    gbdt, mlp = found.compared
    assert (gbdt.predictor, mlp.predictor) == ("gbdt", "mlp")
    assert gbdt.paired.difference.mean == pytest.approx((0.01 - 0.01 + 0.03 + 0.05 * 3) / 6)
    assert gbdt.paired.improvement == pytest.approx(5 / 6) and mlp.paired.improvement == 1.0
    assert mlp.p_holm == pytest.approx(2 * mlp.paired.p) and mlp.p_holm < 0.05
    assert gbdt.p_holm == gbdt.paired.p
    assert found.tied == (["nn_former", "gbdt"] if gbdt.p_holm >= 0.05 else ["nn_former"])


def test_ranks_by_task_share_ties_and_leave_out_what_is_incomplete():
    table = tables_of(TAUS)
    found = ranking.rankings(table)[0]
    small, large = table[0].sizes
    assert found.task_ranks(table[0], small) == {"gbdt": 2.0, "nn_former": 1.0}
    assert found.task_ranks(table[0], large) == {"gbdt": 1.0}
    tied = ranking.rankings(tables_of({("a", "0.01", 0): 0.5, ("b", "0.01", 0): 0.5}))[0]
    assert tied.task_ranks(*tied.tasks[0]) == {"a": 1.5, "b": 1.5}


def test_nothing_is_imputed():
    found = ranking.rankings(tables_of(TAUS))[0]
    assert found.ranked == ["gbdt"]
    assert found.coverage("nn_former") == (3, 4) and found.coverage("mean") == (0, 4) and found.compared == []


UNEQUAL = {
    **{("a", f, s): 0.9 - s / 100 for f in ("0.01", "0.05") for s in range(3)},
    **{("b", f, s): 0.8 - s / 50 for f in ("0.01", "0.05") for s in range(3)},
    **{("c", "0.05", s): 0.85 for s in range(2)},
    **{("d", "0.05", s): 0.7 for s in range(2)},
    **{("e", "0.05", s): 0.6 for s in range(2)},
}


def test_predictors_are_ranked_on_the_sizes_and_seeds_they_share():
    """Two sizes times two predictors are fewer cells than one size times five; c, d and e have two seeds."""
    (found,) = ranking.rankings(tables_of(UNEQUAL))
    (table,) = found.tables
    assert [str(size.budget) for size in table.shared_sizes] == ["0.05"] and found.seeds == {table: (0, 1)}
    assert {p: ranking.point(r) for p, r in found.mean_ranks.items()} == {"a": 1, "b": 3, "c": 2, "d": 4, "e": 5}
    assert found.leaves_out and [len(v) for v in found.values] == [5]
    assert found.coverage("a") == (6, 6) and found.coverage("c") == (2, 2)
    assert table.overall("a") == pytest.approx(0.89) and table.ranked() == ["a", "c", "b", "d", "e"]


def test_two_predictors_are_compared_on_all_seeds_that_both_have():
    (found,) = ranking.rankings(tables_of(UNEQUAL))
    seeds = {compared.predictor: compared.seeds for compared in found.compared}
    assert seeds == {"b": 3, "c": 2, "d": 2, "e": 2}
    b = next(compared for compared in found.compared if compared.predictor == "b")
    assert b.paired.difference.mean == pytest.approx(0.1 + 0.01)  # 0.10, 0.11, 0.12


def test_seeds_added_after_a_look_are_compared_alone():
    """a and b are the best of two seeds and get two more; c is compared on the two that it has."""
    values = {
        (p, "n20", s): v
        for p, vs in {"a": (0.9, 0.9, 0.6, 0.7), "b": (0.5, 0.4, 0.6, 0.6)}.items()
        for s, v in enumerate(vs)
    }
    values |= {("c", "n20", s): 0.3 for s in (0, 1)}
    key = (DATASET, "direct", "test_acc")
    grid = replace(grid_of(values), looked_at={(*key, "a"): 2, (*key, "b"): 2})
    (found,) = ranking.rankings(of_grid(grid, score_rows_of(values), {DATASET: ABOUT}, "scores"))
    b, c = found.compared
    assert (b.predictor, b.seeds, c.predictor, c.seeds) == ("b", 2, "c", 2)
    assert b.paired.difference.mean == pytest.approx(0.05) and c.paired.difference.mean == pytest.approx(0.6)
    assert "`a` and `b` with one another on those added after the first 2 had been looked at" in "".join(
        rank_section(found)
    )


def test_where_all_have_the_same_nothing_is_left_out():
    (found,) = ranking.rankings(tables_of(RANKED))
    assert not found.leaves_out and list(found.seeds.values()) == [(0, 1, 2)]


def test_variants_are_paired_with_their_base_on_common_seeds():
    values = {("p", "n20", s): 0.80 + s / 100 for s in range(5)} | {("p-x", "n20", s): 0.78 + s / 50 for s in range(3)}
    (effect,) = ranking.variant_effects(tables_of(values)[0])
    assert (effect.base, effect.variant, effect.seeds) == ("p", "p-x", 3)
    assert effect.paired.difference.mean == pytest.approx(-0.01)  # -0.02, -0.01, 0


def test_lower_is_better_for_errors_and_each_metric_is_ranked_apart():
    rows, changes = costs_of({("a", "n10", 0): 5.0, ("b", "n10", 0): 9.0, ("a", "n10", 1): 5.0, ("b", "n10", 1): 8.0})
    values = {("a", "n10", s): 0.5 for s in (0, 1)} | {("b", "n10", s): 0.5 for s in (0, 1)}
    found = ranking.rankings(tables_of(values, rows, **changes))[0]
    assert found.metric == "acc10" and list(found.mean_ranks) == ["a", "b"]
    assert found.compared[0].paired.difference.mean == pytest.approx(3.5)


def test_two_labels_of_the_same_predictions_count_once():
    values = {("a", "n10", 0): 0.5, ("b", "n10", 0): 0.6}
    parts = [score_rows_of(values, protocol="tnasp", target="val_acc", scored_on=s) for s in ("val_acc", "test_acc")]
    tables = tables_of(values, parts[0].vstack(parts[1]), protocol="tnasp", target="val_acc")
    assert len(tables) == 2
    assert [t.scored_on for t in ranking.rankings(tables)[0].tables] == ["test_acc"]


def test_one_seed_has_ranks_and_no_comparison():
    found = ranking.rankings(tables_of({("a", "n10", 0): 0.5, ("b", "n10", 0): 0.6}))[0]
    assert found.mean_ranks == {"b": 1.0, "a": 2.0} and found.compared == [] and found.tied == ["b"]
