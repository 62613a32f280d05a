"""How alike devices are."""

import numpy as np
import pytest

from pipeline.score import likeness
from pipeline.score.score import Labels

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
