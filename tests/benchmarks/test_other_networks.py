"""The benchmark of networks that others made: scores of hand-made rows, and which files have no place in the table."""

from __future__ import annotations

import pytest

from benchmarks.other_networks import HEADER, Row, report, scored
from pipeline.predict.prediction import GRADES


def row(name: str, latency_ms: float, predicted_ms: float, grade: str = GRADES[0], warnings: str = "") -> Row:
    """A network that was timed; its interval reaches a fifth below and above."""
    low, high = 0.8 * predicted_ms, 1.2 * predicted_ms
    return Row(name, "ok", "", "", latency_ms, True, predicted_ms, low, high, 0.5, grade, warnings)


ROWS = [
    row("a/good", 1.0, 1.1),
    row("a/low", 2.0, 1.0, GRADES[2], "far off"),
    row("a/fast", 0.05, 0.1),
    row("a/alarm", 4.0, 4.0, GRADES[1], "operations that no training network has: Foo"),
    Row("a/refused", "refused", "no ONNX model"),
    Row("b/c/dead", "crashed", "SIGSEGV", predicted_ms=1.0, low_ms=0.9, high_ms=1.1, warnings="far off"),
]


def test_scores_by_hand():
    cells = dict(zip(HEADER, scored("a", ROWS[:5]), strict=True))
    assert cells == {
        "Kind": "a",
        "Files": "5",
        "Timed": "4",
        "Above 0.1 ms": "3",
        "MAPE of these, %": "20.0",  # 10, 50, 0
        "MAPE, %": "40.0",  # and 100
        "Median, %": "30.0",
        "In interval, %": "50",
        "Far off, %": "25",
        "Warned, %": "50",
        "Off by over 25 %": "2",
        "Warning: precision, %": "50",
        "Recall, %": "50",
    }


@pytest.mark.parametrize(("predicted_ms", "off"), [(0.79, True), (0.81, False), (1.24, False), (1.26, True)])
def test_off_is_a_factor_either_way(predicted_ms, off):
    assert row("a/x", 1.0, predicted_ms).is_off is off


def test_a_line_a_kind_and_what_failed():
    lines = report(ROWS)
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| a", "| b/c", "| all"]
    assert lines[3].split(" | ")[1:5] == ["1", "0", "0", "-"]
    assert lines[4].split(" | ")[1:3] == ["6", "4"]
    assert lines[5:] == ["", "a/refused: refused: no ONNX model", "b/c/dead: crashed: SIGSEGV"]
