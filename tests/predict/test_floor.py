"""The floor under predictions: one call of the runtime and a cost an operation, fitted from tiny networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.predict import floor
from pipeline.predict.floor import Floor


def measured(call: float, operation: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sixty tiny networks, which take 0 to 40 % more than the floor, and sixty large ones of up to 300 operations."""
    rng = np.random.default_rng(seed)
    tiny = rng.integers(1, 25, 60)
    large = rng.integers(20, 300, 60)
    taken = (call + operation * tiny) * rng.uniform(1, 1.4, 60)
    return np.concatenate([tiny, large]), np.concatenate([taken, 1 + 0.05 * large])


@settings(max_examples=25, deadline=None)
@given(st.floats(0.003, 0.02), st.floats(0.0002, 0.0015), st.integers(0, 1000))
def test_a_call_and_a_cost_an_operation_are_found(call, operation, seed):
    operations, taken = measured(call, operation, seed)
    found = floor.fit(operations, taken)
    for count in (1, 10, 24):
        assert found.of(count) == pytest.approx(call + operation * count, rel=0.25)
    assert (found.of(operations) > taken).mean() <= 0.1


def test_large_networks_say_nothing_of_it():
    operations, taken = measured(0.01, 0.001)
    assert floor.fit(operations[60:], taken[60:]) == Floor()
    assert floor.fit(operations[55:], taken[55:]) == Floor()  # too few tiny ones
    same = np.full(20, 5)
    assert floor.fit(same, np.linspace(0.01, 0.05, 20)) == Floor()  # all of one size


def test_it_lies_below_nearly_all_networks():
    """Tiny networks whose operations cost more than those of a long chain do not lift the floor above the chain."""
    operations, taken = measured(0.005, 0.001)
    chains = np.full(5, 5000), np.full(5, 2.0)
    found = floor.fit(np.append(operations, chains[0]), np.append(taken, chains[1]))
    assert found.of(5000) <= 2.01


def test_no_floor_is_zero():
    assert Floor().of(np.array([1, 5000])).tolist() == [0, 0]
