"""Folders of saved predictors: which one is meant, and what is said of those that failed or are damaged."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.plan.run_lock import take_over
from pipeline.predict import model, saved
from pipeline.predict import save as saving
from pipeline.predict.floor import Floor
from tests.helpers.saved_fixtures import asked, cli, save, write_tables


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Folder with tables and one saved predictor, `flops`, below models/; and its cell. Read only."""
    folder = tmp_path_factory.mktemp("saved")
    return folder, save(write_tables(folder / "data"), folder / "models", "flops")


def copied(kept, to: Path, **changes: object) -> None:
    """A copy of the saved predictor whose about.json says something else."""
    (entry,) = saved.entries(kept[0] / "models")[0]
    shutil.copytree(entry.folder, to)
    about = json.loads((to / saved.ABOUT).read_text())
    (to / saved.ABOUT).write_text(json.dumps({**about, **changes}))


def test_a_predictor_s_name_finds_its_only_variant(kept, tmp_path):
    """As in the default grid, which saves `nn_former-latency` and no `nn_former`."""
    copied(kept, tmp_path / "one", predictor="nn_former-latency")
    assert saved.choose(tmp_path, None, "nn_former", None).predictor == "nn_former-latency"
    copied(kept, tmp_path / "other", predictor="nn_former-other")
    with pytest.raises(BenchError, match="several are variants of nn_former; give --predictor, one of: nn_former-lat"):
        saved.choose(tmp_path, None, "nn_former", None)


def test_the_floor_is_kept(kept, tmp_path):
    (entry,) = saved.entries(kept[0] / "models")[0]
    networks, _ = saved.read_networks(entry)
    assert networks.floor == Floor()  # no tiny network among the measured ones
    shutil.copytree(entry.folder, tmp_path / "one")
    saved.write(tmp_path / "one", entry.about, replace(networks, floor=Floor(0.01, 0.002)))
    (again,) = saved.entries(tmp_path)[0]
    assert saved.read_networks(again)[0].floor == Floor(0.01, 0.002)
    for wrong in ({"call_ms": -1.0, "operation_ms": 0.0}, {"call_ms": math.nan, "operation_ms": 0.0}, {"call": 1}, []):
        again.about["networks"]["floor"] = wrong
        with pytest.raises(BenchError, match="make it again"):
            saved.read_networks(again)
    del again.about["networks"]["floor"]  # of an older version
    assert saved.read_networks(again)[0].floor == Floor()


def test_a_failed_predictor_is_not_replaced_by_its_variant(kept, tmp_path):
    copied(kept, tmp_path / "variant", predictor="nn_former-latency")
    copied(kept, tmp_path / "failed", predictor="nn_former", status="diverged", message="no luck")
    with pytest.raises(BenchError, match=r"no saved predictor with predictor 'nn_former' \(diverged: no luck\)"):
        saved.choose(tmp_path, None, "nn_former", None)


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("name", ["about.json", "networks.safetensors", "model.safetensors", "model.json"])
def test_a_damaged_model_is_one_line(kept, tmp_path, name):
    copied(kept, tmp_path / "models")
    path = tmp_path / "models" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BenchError, match=r"make it again|make them with|train it again"):
        asked(tmp_path)
    if name == "about.json":
        done = cli("--list", "--models", tmp_path)
        assert done.returncode == 0 and str(path) in done.stderr


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("key", ["known_operations_only", "vocab", "networks", "calibration", "n_train"])
def test_a_model_that_lacks_a_key_is_one_line(kept, tmp_path, key):
    shutil.copytree(kept[0] / "models", tmp_path / "models")
    for path in (tmp_path / "models").rglob("about.json"):
        about = json.loads(path.read_text())
        del about[key]
        path.write_text(json.dumps(about))
    with pytest.raises(BenchError, match=rf"not readable \('{key}'\); make it again"):
        asked(tmp_path / "models")


def test_of_several_sizes_the_largest_is_taken(kept, tmp_path):
    for n in (20, 40, 30):
        save(kept[0] / "data", tmp_path, "flops", n=n)
    assert asked(tmp_path).about["n_train"] == 40


def test_several_devices_want_one_named(kept, tmp_path):
    copied(kept, tmp_path / "first")
    copied(kept, tmp_path / "other", device="another")
    with pytest.raises(BenchError, match="give --device, one of: another, synthetic-device"):
        model.load(predictor="flops", models=tmp_path)
    assert model.load("another", "flops", models=tmp_path).about["device"] == "another"


def test_a_cell_that_failed_leaves_a_note_and_no_model(kept, tmp_path):
    cell = kept[1]
    failed = replace(cell, prediction=None, about={**cell.about, "status": "diverged", "message": "not finite"})
    saving.save(tmp_path / "flops", failed)
    assert [path.name for path in (tmp_path / "flops").iterdir()] == ["about.json"]
    (entry,), broken = saved.entries(tmp_path)
    assert "diverged: not finite" in entry.line and not broken
    with pytest.raises(BenchError, match="no saved predictor"):
        asked(tmp_path)


def test_a_folder_is_whole_or_not_there(tmp_path):
    target = tmp_path / "results" / "model"
    with pytest.raises(RuntimeError), io.atomic_folder(target) as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert not list(target.parent.iterdir())
    for text in ("first", "second"):
        with io.atomic_folder(target) as temporary:
            (temporary / text).write_text(text)
    assert [path.name for path in target.iterdir()] == ["second"]
    leftover = target.with_name(".model.7.tmp")
    (leftover / "deep").mkdir(parents=True)
    (leftover / ".deep.7.tmp").write_text("")
    with take_over(tmp_path):
        assert [path.name for path in target.parent.iterdir()] == ["model"]


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"[]", b"9" * 5_000, b'"\xff"', b"null", b'{"status": "ok"}'],
    ids=["nested", "a list", "a long number", "no text", "null", "keys missing"],
)
def test_one_broken_model_leaves_the_others_in_the_list(kept, tmp_path, content):
    copied(kept, tmp_path / "fine")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / saved.ABOUT).write_bytes(content)
    readable, (broken,) = saved.entries(tmp_path)
    assert [entry.folder.name for entry in readable] == ["fine"]
    assert "broken/about.json: not readable" in broken and "\n" not in broken


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": {"mape": float("nan"), "acc10": 1.0, "n": 5}},
        {"licence": float("nan")},
        {"calibration": {"mape": "5", "acc10": 1.0, "n": 5}},
        {"calibration": {"mape": 5.0, "acc10": float("inf"), "n": 5}},
        {"calibration": []},
        {"left_out": {"coverage": "90"}},
        {"tested": {}},
        {"vocab": [1, 2]},
        {"attr_names": [None]},
        {"n_train": True},
        {"status": ["ok"]},
    ],
)
def test_a_model_that_says_what_cannot_be_is_not_listed(kept, tmp_path, changes):
    copied(kept, tmp_path / "broken", **changes)
    readable, (broken,) = saved.entries(tmp_path)
    assert not readable and "not readable" in broken and "\n" not in broken


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("held_out", lambda values: values * float("nan")),
        ("held_out", lambda values: -values),
        ("held_out", lambda values: values[:2]),
        ("held_out", lambda values: values[:, :0]),
        ("left_out", lambda values: np.ones((3, 4), dtype=np.float32) * float("nan")),
        ("left_out", lambda values: np.ones(4, dtype=np.float32)),
        ("rows", lambda values: values * float("nan")),
        ("rows", lambda values: values[:, 1:]),
        ("values", lambda values: -values),
        ("values", lambda values: values[1:]),
    ],
)
def test_measured_networks_that_cannot_be_are_refused(kept, tmp_path, part, change):
    copied(kept, tmp_path / "broken")
    path = tmp_path / "broken" / saved.NETWORKS
    arrays = load_file(path)
    arrays[part] = np.ascontiguousarray(change(arrays[part]))
    saved.save_file(arrays, path)
    with pytest.raises(BenchError, match=r"networks\.safetensors: not readable .*; make it again"):
        asked(tmp_path)


def test_a_model_of_an_older_version_is_one_line(kept, tmp_path):
    copied(kept, tmp_path / "older")
    path = tmp_path / "older" / saved.NETWORKS
    arrays = load_file(path)
    arrays["scores"] = np.sort(arrays.pop("held_out")[1])
    saved.save_file(arrays, path)
    with pytest.raises(BenchError, match=r"networks\.safetensors: not readable \('held_out'\); make it again"):
        asked(tmp_path)


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("text", ["[1]", "{}", "[" * 100_000, '{"predictor": "flops", "config": 5, "task": 1}'])
@pytest.mark.parametrize("name", ["model.json", "ensemble.json"])
def test_a_predictor_that_cannot_be_read_is_one_line(kept, tmp_path, name, text):
    copied(kept, tmp_path / "broken")
    (tmp_path / "broken" / name).write_text(text)
    with pytest.raises(BenchError, match="train it again|holds a None") as caught:
        asked(tmp_path)
    assert "\n" not in str(caught.value)
