"""A killed fit goes on from its checkpoint to the same bits; what is no such checkpoint is not gone on from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.core.checkpoint import Checkpoint
from predictors.kit import train_loop as loop
from predictors.kit.ensemble import make
from tests.helpers.cell_graphs import small_space


class Killed(Exception):
    """Stands for what ends the process."""


def fit(checkpoint: Checkpoint | None, kill_after: int | None = None) -> list[torch.Tensor]:
    """Weights after a training with dropout, averaging, batches of one size and validation."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0))
    x, calls = torch.randn(30, 4), iter(range(1000))

    def inputs(index):
        if next(calls) == kill_after:
            raise Killed
        return (x[index],)

    recipe = loop.Recipe(epochs=6, batch_size=4, by_size=True, lr=0.05, ema=0.9, checks=9)
    sizes = torch.arange(30) % 4
    model = loop.train(model, inputs, x.sum(1), recipe, 1, lambda m: -float(m(x).std()), sizes, checkpoint)
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("kill_after", [1, 17, 47])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, kill_after):
    whole = fit(None)
    with pytest.raises(Killed):
        fit(Checkpoint(tmp_path / "c", "key", every_s=0), kill_after)
    torch.manual_seed(99)
    again = fit(Checkpoint(tmp_path / "c", "key", every_s=0))
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def test_it_does_not_begin_anew(tmp_path):
    with pytest.raises(Killed):
        fit(Checkpoint(tmp_path / "c", "key", every_s=0), 40)
    with pytest.raises(Killed):
        fit(Checkpoint(tmp_path / "c", "key", every_s=1e9), 7)  # 48 steps in all: eight are left
    fit(Checkpoint(tmp_path / "c", "key", every_s=1e9), 8)


def test_a_checkpoint_of_other_code_is_not_gone_on_from(tmp_path):
    with pytest.raises(Killed):
        fit(Checkpoint(tmp_path / "c", "key", every_s=0), 40)
    with pytest.raises(Killed):
        fit(Checkpoint(tmp_path / "c", "another", every_s=1e9), 47)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"\x80\x02}q\x00."])
def test_a_broken_checkpoint_is_said_and_not_gone_on_from(tmp_path, capsys, content):
    (tmp_path / "c").write_bytes(content)
    fit(Checkpoint(tmp_path / "c", "key", every_s=1e9))
    assert "not a checkpoint" in capsys.readouterr().err


def test_a_short_fit_writes_none(tmp_path):
    fit(Checkpoint(tmp_path / "c", "key", every_s=1e9))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overrides", [{"preset": "paper", "layers": 2, "dim": 16}, {"ensemble": 2}], ids=str)
def test_predictors_go_on_from_it(tmp_path, overrides):
    """What is told of a long fit at its end is what a second one goes on from: it trains no step, and is the same."""
    graphs = small_space(24, seed=1)
    y = torch.linspace(80, 90, 24).double()
    predictions = []
    for _ in range(2):
        settings = {"epochs": 2, "steps": 5, "pretrain_steps": 0, **overrides}
        predictor = make("nn_former", settings, "accuracy", 0)
        predictor.checkpoint = Checkpoint(tmp_path / "c", "key", every_s=0)
        predictor.fit(graphs, y)
        predictions.append(predictor.predict(graphs))
    assert torch.equal(*predictions)
    assert list(tmp_path.iterdir())
    predictor.checkpoint.remove()
    assert not list(tmp_path.iterdir())
