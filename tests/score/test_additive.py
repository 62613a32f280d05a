"""Costs as sums over the places of a network."""

import numpy as np
import polars as pl
import pytest

from pipeline.score import label_noise
from pipeline.score.score import Data
from pipeline.spaces import additive
from tests.helpers.score_fixtures import make_data, rewrite

NAMES = [f"{'ab'[i % 2]}|{'cde'[i // 2 % 3]}|{'fg'[i // 6 % 2]}" for i in range(60)]


def test_places_are_one_hot():
    assert additive.places(["x|y", "x|z", "w|y"]).tolist() == [[0, 1, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    cells = ["|a~0|+|b~0|c~1|+|a~0|a~1|a~2|", "|b~0|+|b~0|c~1|+|a~0|a~1|c~2|"]
    assert additive.places(cells).sum(1).tolist() == [6, 6] and additive.places(cells).shape == (2, 8)


@pytest.mark.parametrize("names", [["a|b", "a"], ["net1", "net2"], ["", ""], ["a|b|c", "a|b"]])
def test_names_that_list_no_places_say_nothing(names):
    assert additive.places(names) is None


def test_a_sum_is_exact_and_a_product_or_noise_is_not():
    chosen = additive.places(NAMES)
    cost = np.arange(1.0, 1 + chosen.shape[1])
    summed = chosen @ cost
    assert additive.r2(*additive.held_out(chosen, summed)) >= additive.EXACT
    predicted, true = additive.held_out(chosen, summed)
    assert true.tolist() == summed[48:].tolist() and predicted == pytest.approx(true)
    noisy = summed + np.random.default_rng(1).normal(0, 3, len(summed))
    assert additive.r2(*additive.held_out(chosen, noisy)) < 0.9
    assert additive.r2(*additive.held_out(chosen, np.exp(summed))) < additive.EXACT


def test_the_noise_of_a_cost_has_its_sum_over_places(tmp_path, monkeypatch):
    """Twenty networks are too few, so the bound is lowered; accuracies have none."""
    root = make_data(tmp_path)
    monkeypatch.setattr(label_noise, "FEWEST", 4)
    about = type("About", (), {"name": "synthetic_toy", "targets": {}, "ceilings": (), "reruns": {}})
    assert not [n for n in label_noise.measure(Data(root), about, "lat_ms", "phone") if n.kind == label_noise.ADDITIVE]
    rewrite(root, lambda t: t.with_columns(pl.col("name").str.pad_start(2, "0").str.replace("(.)(.)", "$1|$2")))
    found = {n.kind: n for n in label_noise.measure(Data(root), about, "lat_ms", "phone")}[label_noise.ADDITIVE]
    assert found.n == 4 and found.values["r2"] == pytest.approx(1.0) and found.values["spearman"] == 1.0
    kinds = {n.kind for n in label_noise.measure(Data(root), about, "val_acc", "any")}
    assert label_noise.ADDITIVE not in kinds and label_noise.REPEATS in kinds
