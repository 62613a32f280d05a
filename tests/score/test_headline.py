"""Means over tasks, and what a board's numbers may import."""

import ast

import pytest

from pipeline.core.paths import ROOT
from pipeline.score.headline import mean_over_tasks
from tests.helpers.board_fixtures import tables_of
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


def test_numbers_never_import_words():
    modules = list((ROOT / "pipeline" / "score").glob("*.py"))
    assert len(modules) > 8
    for path in modules:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not [name for name in names if name.startswith("pipeline.report")], path.name
