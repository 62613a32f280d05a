"""What settings of device_gp are chosen by: no target is new there, and no relative of a new device is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.device_families import CELLS, SETTINGS, family, left_out
from pipeline.config.datasets import load
from pipeline.config.grid import load_grid
from predictors import device_gp

GRID = [c for c in load_grid(Path(__file__).parents[2] / "config" / "transfer.yaml").cells if c.sources]
DEVICES = {name: list(load()[name].targets["latency_ms"]) for name in {c.dataset for c in GRID}}


@pytest.mark.parametrize("alone", [False, True])
def test_new_devices_are_no_targets_and_have_no_relatives_among_the_sources(alone):
    targets = {name: {c.device for c in GRID if c.dataset == name} for name in DEVICES}
    found = list(left_out(GRID, DEVICES, 2, alone))
    assert len(found) > 20
    for dataset, kind, sources, _, new in found:
        banned = set().union(*(targets[name] for name in CELLS)) if dataset in CELLS else targets[dataset]
        assert sources and 1 <= len(new) <= 2 and banned.isdisjoint(new)
        assert set(sources).isdisjoint(new)
        if not alone:
            assert all(family(device) == kind for device in new)
            assert all(family(device) != kind for device in sources)


def test_each_setting_names_what_device_gp_has():
    assert all(hasattr(device_gp, name) for changed in SETTINGS.values() for name in changed)
