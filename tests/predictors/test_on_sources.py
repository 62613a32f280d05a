"""A new device from known ones: the nearest, scaled, and all of them, weighed."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from predictors import base, device_stack, nearest_device
from predictors.kit.features import op_counts
from tests.helpers.cell_graphs import small_space

SPACE = small_space(300, seed=5)
GPU = torch.tensor([1.0, 0.5, 0.1, 0.5, 2.0, 0.8], dtype=torch.float64)  # ms an operation
CPU = torch.tensor([2.0, 1.0, 0.3, 2.0, 9.0, 1.5], dtype=torch.float64)
COSTS = {"gpu": op_counts(SPACE) @ GPU, "cpu": op_counts(SPACE) @ CPU}
HELD_OUT = slice(200, 300)


def fitted(kind, new: torch.Tensor, n_new: int, sources: tuple[str, ...] = ("gpu", "cpu")):
    platforms = (*sources, "new")
    sizes = [200] * len(sources) + [n_new]
    rows = torch.cat([torch.arange(n) for n in sizes])
    platform = torch.cat([torch.full((n,), i) for i, n in enumerate(sizes)])
    y = torch.cat([*(COSTS[name][:200] for name in sources), new[:n_new]])
    predictor = kind({}, "cost", seed=0)
    predictor.fit(dataclasses.replace(SPACE[rows], platforms=platforms, platform=platform), y)
    return predictor


def error(predictor, new: torch.Tensor) -> float:
    """Mean relative error on the networks held out."""
    return float((predictor.predict(SPACE[HELD_OUT]) / new[HELD_OUT] - 1).abs().mean())


def test_the_nearest_keeps_the_steadiest_difference_by_hand():
    known = torch.tensor([[1.0, 0.0, float("nan")], [2.0, 5.0, 1.0], [3.0, 1.0, float("nan")]])
    new = torch.tensor([11.0, 12.0, 13.2])
    assert nearest_device.nearest(known, new) == 0  # the last one's one difference tells nothing


@pytest.mark.parametrize("name", ["gpu", "cpu"])
def test_a_device_three_times_as_slow_as_a_known_one_is_found_from_three_labels(name):
    new = 3 * COSTS[name]
    predictor = fitted(nearest_device.Predictor, new, 3)
    assert error(predictor, new) < 0.02
    assert error(predictor, new / 3) > 1  # the factor counts


def test_between_two_devices_the_nearest_alone_is_further_off_than_both_weighed():
    new = COSTS["gpu"] ** 0.5 * COSTS["cpu"] ** 0.5 * 4
    weighed, alone = (error(fitted(kind, new, 20), new) for kind in (device_stack.Predictor, nearest_device.Predictor))
    assert weighed < 0.03 < alone


def test_more_labels_of_the_new_device_serve_what_the_sources_lack():
    own = COSTS["cpu"] ** 0.8 * COSTS["gpu"] ** 0.3 * 2
    errors = [error(fitted(device_stack.Predictor, own, n), own) for n in (0, 5, 100)]
    assert errors[0] > errors[1] > errors[2]


def test_without_a_label_the_geometric_mean_of_the_sources_answers():
    predictor = fitted(device_stack.Predictor, COSTS["gpu"], 0)
    middle = (COSTS["gpu"] * COSTS["cpu"]).sqrt()
    assert error(predictor, middle) < 0.02
    with pytest.raises(base.Diverged, match="no label of the new device"):
        fitted(nearest_device.Predictor, COSTS["gpu"], 0)


@pytest.mark.parametrize("kind", [device_stack.Predictor, nearest_device.Predictor])
def test_what_was_saved_answers_the_same(kind, tmp_path):
    predictor = fitted(kind, 3 * COSTS["gpu"], 5)
    predictor.save(tmp_path)
    again = kind.load(tmp_path)
    assert torch.equal(again.predict(SPACE), predictor.predict(SPACE))
    assert again.n_params == predictor.n_params
