"""Pairs that a grid wants compared: which numbers stand beside which, and which way is ahead."""

from __future__ import annotations

import pytest

from pipeline.report.pair_table import pair_section
from pipeline.score import pairs
from tests.helpers.board_fixtures import costs_of, tables_of

TAUS = {
    (p, "n20", s): tau
    for p, taus in {"a": (0.70, 0.80, 0.90, 0.85), "b": (0.69, 0.80, 0.88), "c": (0.5,)}.items()
    for s, tau in enumerate(taus)
}
MAPES = {
    (p, word, s): mape
    for p, by_word in {
        "a": {"without-x": (10.0, 12.0, 11.0), "without-y": (20.0, 20.0, 20.0)},
        "b": {"without-x": (11.0, 11.0, 13.0), "without-y": (22.0, 22.0, 20.0)},
    }.items()
    for word, mapes in by_word.items()
    for s, mape in enumerate(mapes)
}


def test_accuracies_are_paired_on_shared_seeds_in_four_decimals():
    """0.01, 0 and 0.02 ahead, on three seeds; t(2) = 4.303 and a standard error of 0.01 / sqrt(3)."""
    (found,) = pairs.compare(tables_of(TAUS), [("a", "b"), ("a", "c"), ("a", "not there")])
    assert (found.metric, found.seeds, found.paired.improvement) == ("kendall_tau", 3, pytest.approx(5 / 6))
    half = 4.3027 * 0.01 / 3**0.5
    assert found.paired.difference == pytest.approx((0.01, 0.01 - half, 0.01 + half), abs=1e-5)
    (row,) = (line for line in pair_section([found]) if line.startswith("| `a`, `b`"))
    assert "| 0.0100 | -0.0148 to 0.0348 | 83 % |" in row and row.endswith("| 3 |")


def test_of_costs_families_left_out_are_averaged_and_a_lower_error_is_ahead():
    """b less a, mean of both families: 1.5, 0.5, 1 points of MAPE, and as much of Acc(10 %)."""
    rows, changes = costs_of(MAPES, "leave_one_family_out")
    found = pairs.compare(tables_of(MAPES, rows, **changes), [("a", "b")])
    assert [pair.metric for pair in found] == ["mape", "acc10"] and all(len(pair.sizes) == 2 for pair in found)
    assert [pair.paired.difference.mean for pair in found] == pytest.approx([1.0, 1.0])
    assert found[0].of_a.mean == pytest.approx(15.5) and found[0].p_holm == pytest.approx(2 * found[0].paired.p)
    assert "2 families left out" in pair_section(found)[4]


def test_without_pairs_there_is_no_section():
    assert pair_section(pairs.compare(tables_of(TAUS), [])) == []
