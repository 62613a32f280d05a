"""What a target's name says."""

import pytest

from pipeline.core.targets import is_cost, unit


@pytest.mark.parametrize(
    ("target", "cost", "printed"),
    [
        ("latency_ms", True, "ms"), ("cifar10_energy_mj", True, "mJ"), ("second_latency_ms", True, "ms"),
        ("val_acc", False, "%"), ("test_acc", False, "%"), ("ms", False, "%"),
    ],
)  # fmt: skip
def test_a_cost_ends_in_its_unit(target, cost, printed):
    assert is_cost(target) is cost and unit(target) == printed
