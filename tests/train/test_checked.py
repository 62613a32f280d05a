"""What a predictor may answer, and how what it raises is told."""

from __future__ import annotations

import pytest
import torch

from pipeline.train.cell import checked, described
from predictors.base import Diverged


def test_numbers_are_kept_in_double_precision():
    answer = checked(torch.tensor([1, 2]), 2)
    assert answer.dtype == torch.float64 and answer.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_what_single_precision_cannot_hold_has_diverged(value):
    with pytest.raises(Diverged):
        checked(torch.tensor([0.0, value], dtype=torch.float64), 2)


@pytest.mark.parametrize("answer", [None, torch.zeros(3), torch.zeros(2, 1), torch.zeros(2, dtype=torch.complex64)])
def test_anything_else_is_the_predictor_s_fault(answer):
    with pytest.raises(TypeError, match="predict gave"):
        checked(answer, 2)


def test_a_message_that_cannot_be_printed_is_told_all_the_same():
    try:
        raise RuntimeError("half a pair: \ud800")
    except RuntimeError as error:
        assert described(error).encode().startswith(b"RuntimeError: half a pair: ?")
