"""Means over tasks, and what a board's numbers may import."""

import ast

import pytest

from pipeline.core.paths import ROOT
from pipeline.score.headline import best_on, mean_over_tasks, tasks_at
from pipeline.score.ranking import Ranking
from tests.helpers.board_fixtures import RANKED, tables_of
from tests.helpers.score_fixtures import score_rows_of


def tasks_of(values: dict, other: dict) -> list:
    """The one task of each of two made-up tables."""
    rows = score_rows_of(other, protocol="gates")
    tables = [*tables_of(values), *tables_of(other, rows, protocol="gates")]
    return [(table, table.sizes[0]) for table in tables]


def test_a_mean_over_tasks_is_taken_seed_by_seed():
    """Seed 2 is asked of one task alone; under the protocol gates the main split is the held-out one (0.02 less)."""
    tasks = tasks_of({("a", "0.01", s): 0.5 + s / 10 for s in range(3)}, {("a", "0.01", s): 0.72 for s in range(2)})
    stat = mean_over_tasks(tasks, "a")
    assert stat.seeds == (0, 1) and stat.complete and stat.values == pytest.approx((0.6, 0.65))
    assert mean_over_tasks(tasks[:1], "a").values == pytest.approx((0.5, 0.6, 0.7))


def test_a_seed_that_a_task_lacks_fails():
    tasks = tasks_of({("a", "0.01", 0): 0.5, ("a", "0.01", 1): "timeout"}, {("a", "0.01", s): 0.72 for s in range(2)})
    stat = mean_over_tasks(tasks, "a")
    assert (stat.seeds, stat.expected, stat.failed) == ((0,), 2, ((1, "timeout"),))


def test_a_second_protocol_of_a_data_set_is_no_second_repeat():
    """The same runs twice make no interval narrower, nor a difference surer."""
    once = tables_of(RANKED)
    again = tables_of(RANKED, score_rows_of(RANKED, protocol="tnasp", scored_on="test_acc"), protocol="tnasp")
    alone, both = (best_on(tasks_at(tables, "0.01"), "kendall_tau") for tables in (once, [*once, *again[-1:]]))
    assert both.interval == pytest.approx(alone.interval)
    assert [(r.predictor, pytest.approx(r.paired.difference)) for r in both.rivals] == [
        (r.predictor, r.paired.difference) for r in alone.rivals
    ]
    alone, both = (Ranking("kendall_tau", tables) for tables in (once, [*once, *again[-1:]]))
    assert both.mean_ranks == alone.mean_ranks
    assert both.compared[0].p_holm == pytest.approx(alone.compared[0].p_holm)


def test_numbers_never_import_words():
    modules = list((ROOT / "pipeline" / "score").glob("*.py"))
    assert len(modules) > 8
    for path in modules:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not [name for name in names if name.startswith("pipeline.report")], path.name
