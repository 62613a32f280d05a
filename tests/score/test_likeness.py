"""How alike devices are."""

import numpy as np
import pytest

from pipeline.core.errors import BenchError
from pipeline.score import likeness, score_table, scores
from pipeline.score.score import Labels
from tests.helpers.score_fixtures import score_rows_of

IDS = np.arange(30)


class Data:
    """Stands for `score.Data`: two devices that agree, one that says the contrary, of which half is missing."""

    def labels(self, dataset: str, target: str, device: str) -> Labels:
        values = {"a": IDS + 1.0, "b": (IDS + 1.0) ** 2, "c": 40.0 - IDS, "few": IDS + 1.0}[device]
        kept = {"c": 25, "few": 5}.get(device, 30) > IDS
        return Labels(IDS[kept], values[kept])


def test_every_two_devices_are_compared_on_the_networks_they_share():
    found = likeness.measure(Data(), "d", "lat_ms", ["a", "b", "c"])
    assert found.rho == (1.0, -1.0, -1.0)
    assert found.matrix.tolist() == [[1, 1, -1], [1, 1, -1], [-1, -1, 1]]
    assert found.nearest("b") == ("a", 1.0) and found.nearest("c")[1] == -1.0
    assert set(found.tree[0, :2]) == {0, 1} and found.tree[:, 2].tolist() == [0.0, 2.0]


def test_two_devices_or_too_few_networks_say_nothing():
    assert likeness.measure(Data(), "d", "lat_ms", ["a", "b"]) is None
    assert likeness.measure(Data(), "d", "lat_ms", ["a", "b", "few"]) is None


def test_scores_carry_it(tmp_path):
    found = likeness.measure(Data(), "d", "lat_ms", ["a", "b", "c"])
    assert likeness.parse(likeness.dump([found])) == [found] and likeness.parse(None) == []
    with pytest.raises(ValueError, match="a number for every two"):
        likeness.parse([{**likeness.dump([found])[0], "rho": [1.0]}])
    with pytest.raises(ValueError, match="a number for every two"):
        likeness.parse([{**likeness.dump([found])[0], "rho": [1.0, float("nan"), 0.0]}])


def test_a_table_that_says_something_else_of_devices_is_refused_in_one_line(tmp_path):
    grid = tmp_path / "tiny.yaml"
    grid.write_text(
        "grid: tiny\nseeds: 1\npredictors: [mean]\ntasks:\n"
        '  - {dataset: synthetic201, protocol: direct, target: test_acc, budgets: ["0.05"]}\n'
    )
    rows = score_rows_of({("mean", "0.05", 0): 0.5}, dataset="synthetic201")
    for raw in ([{"dataset": "d"}], "text", [{"dataset": "d", "target": "t", "devices": ["a", "b"], "rho": ["x"]}]):
        score_table.write(tmp_path / "scores.parquet", rows, likeness=raw)
        with pytest.raises(BenchError, match="noise, messages or devices can't be read") as caught:
            scores.load(grid, tmp_path / "scores.parquet")
        assert "\n" not in str(caught.value)
