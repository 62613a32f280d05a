"""Labels for validation: who uses them and for what, and that they are left alone."""

from __future__ import annotations

import pytest
import torch

from pipeline.core.names import known_predictors
from predictors import base
from predictors.kit.train_loop import Recipe
from tests.helpers.trained import changed_by_fit, fitted, new, space, takes

# What trains by a Recipe picks the checkpoint by them, but these; whatever else there is ignores them.
NO_CHECKPOINT = {"multipredict", "nasflat", "shared_backbone"}
PICKS_A_CHECKPOINT = [
    label for label in known_predictors() if issubclass(base.load(label).Config, Recipe) and label not in NO_CHECKPOINT
]
IGNORES = sorted(label for label in {*known_predictors()} - {*PICKS_A_CHECKPOINT} if takes(label))


def with_validation(label: str, turned: bool = False, **settings: int) -> tuple[torch.Tensor, list[str]]:
    """Predictions after a fit with ten more graphs for validation, their labels ``turned`` upside down or not, and
    what the fit changed of its inputs."""
    name = takes(label)[0]
    at, predictor = space(name), new(name, label, "accuracy", **settings)
    val, y_val = at.examples("accuracy", at.n_train, at.n_train + 10)
    y_val = y_val.max() + y_val.min() - y_val if turned else y_val
    changed = changed_by_fit(predictor, *at.examples("accuracy"), val, y_val)
    return predictor.predict(at.graphs), changed


@pytest.mark.parametrize("label", IGNORES)
def test_predictors_without_a_checkpoint_to_pick_ignore_them(label):
    prediction, changed = with_validation(label)
    assert torch.equal(prediction, fitted(takes(label)[0], label, "accuracy").prediction)
    assert changed == []


@pytest.mark.parametrize("label", PICKS_A_CHECKPOINT)
def test_they_pick_the_checkpoint(label):
    """Other labels for validation, another checkpoint; whichever it is, it predicts as ever."""
    prediction, changed = with_validation(label, steps=12)
    assert prediction.shape == (len(space(takes(label)[0]).graphs),)
    assert prediction.isfinite().all()
    assert changed == []
    assert not torch.equal(with_validation(label, turned=True, steps=12)[0], prediction)
