"""Saved predictors that are damaged: each is one line, whether it is listed, read or asked."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.predict import one_network, saved, ship
from pipeline.predict.model import Model
from tests.helpers.onnx_networks import networks
from tests.helpers.saved_fixtures import cli

CHIP = ship.CHIPS[0]
NETWORK = networks(1)[0][1]


@pytest.fixture
def kept(tmp_path) -> Path:
    """One of the predictors that come with the package, in a folder of its own."""
    for name in (saved.SHARED, saved.NETWORKS):
        shutil.copy(saved.SHIPPED / name, tmp_path)
    shutil.copytree(saved.SHIPPED / CHIP, tmp_path / CHIP)
    return tmp_path


def write_about(kept: Path, **changes: object) -> None:
    path = kept / CHIP / saved.ABOUT
    about = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in about.items() if value is not None}))


def write_model(kept: Path, change) -> None:
    path = kept / CHIP / one_network.ZIPPED
    about = json.loads(gzip.decompress(path.read_bytes()))
    change(about)
    path.write_bytes(gzip.compress(json.dumps(about).encode()))


def refused(kept: Path) -> str:
    """The one line that says why the predictor can't answer."""
    with pytest.raises(BenchError, match=r"make it|train it again|remove it") as caught:
        Model(saved.choose(kept, None, "gbdt-table", None)).predict(NETWORK)
    assert str(kept) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_undamaged_it_answers(kept):
    assert Model(saved.choose(kept, None, "gbdt-table", None)).predict(NETWORK).latency_ms > 0


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    "changes",
    [
        *({"batch_sizes": sizes} for sizes in (None, [1], {}, {"median": "x"}, {"median": 10**400}, {"median": 0})),
        *(
            {"networks": {"shared": True, "floor": {"call_ms": call, "operation_ms": operation}}}
            for call, operation in (("1", "2"), ([1, 2], [0, 1]), (True, True), (1e308, 1e308))
        ),
        {"attr_names": []},
        {"attr_names": ["x"]},
        {"vocab": ["x"]},
    ],
    ids=str,
)
def test_what_about_json_says_wrongly(kept, changes):
    write_about(kept, **changes)
    refused(kept)


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("table", value) for value in (None, 5, [], "x", {"nodes": [[1], [1, 2]]})),
        *(("max_nodes", value) for value in (-5, 0, 10**9, "8")),
        ("proxies", True),
    ],
)
def test_what_model_json_says_wrongly(kept, part, value):
    write_model(kept, lambda about: about["notes" if part == "table" else "config"].update({part: value}))
    refused(kept)


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        *((r"left_child=-?\d+", f"left_child={child}") for child in (99999, 0, -99999)),
        *((r"split_feature=\d+", f"split_feature={feature}") for feature in (2 * 10**9, -(2 * 10**9))),
        *((r"num_leaves=\d+", f"num_leaves={leaves}") for leaves in (0, -1, 14, 16, 2 * 10**9)),
        *((r"leaf_value=\S+", f"leaf_value={value}") for value in ("nan", "inf", "x", "1_0", "")),
        (r"num_cat=0", "num_cat=1"),
        (r"is_linear=0", "is_linear=1"),
        (r"decision_type=\d+", "decision_type=1"),
        (r"right_child=", "left_child="),
        (r"left_child=", "left_child=7 "),
        (r"num_class=1", "num_class=5"),
        (r"num_tree_per_iteration=1", "num_tree_per_iteration=0"),
        (r"objective=\S+", "objective=multiclass num_class:5"),
        (r"max_feature_idx=\d+", "max_feature_idx=2000000000"),
        (r"(?s)Tree=0.*", "end of trees"),
        (r"num_leaves=15\n", "num_leaves=15\r"),
        (r"(?s).*", ""),
    ],
)
def test_trees_that_would_end_the_process_or_never_end(kept, capfd, pattern, text):
    def change(about: dict) -> None:
        about["notes"]["trees"] = re.sub(pattern, lambda _: text, about["notes"]["trees"], count=1)

    write_model(kept, change)
    refused(kept)
    assert not capfd.readouterr().err


@pytest.mark.hostile("saved models")
def test_sizes_of_trees_that_are_not_theirs_do_no_harm(kept):
    said = Model(saved.choose(kept, None, "gbdt-table", None)).predict(NETWORK)

    def change(about: dict) -> None:
        about["notes"]["trees"] = about["notes"]["trees"].replace("\n\nTree=0", "\ntree_sizes=999999999 5\n\nTree=0", 1)

    write_model(kept, change)
    assert Model(saved.choose(kept, None, "gbdt-table", None)).predict(NETWORK) == said


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": {"mape": 10**400, "acc10": 1, "n": 1}},
        *({"device": device} for device in ("\ud800", "\x1b[31mred", "two\nlines", "d" * 201)),
        {"dataset": "\x1b[31mred"},
        {"message": "\x1b[31mred"},
        {"lineages": "d" * 2**21},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_one_that_cannot_be_printed_leaves_the_others_in_the_list(kept, capfd, changes):
    shutil.copytree(kept / CHIP, kept / "fine")
    write_about(kept, **changes)
    done = cli("--list", "--models", kept)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1
    assert f"{CHIP}/about.json" in done.stderr and "\x1b" not in done.stderr


@pytest.mark.hostile("saved models")
def test_a_shared_description_nested_deeply(kept):
    (kept / saved.SHARED).write_text("[" * 200_000)
    refused(kept)


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.touch() or os.truncate(path, 3 * 2**30), Path.mkdir])
@pytest.mark.parametrize(
    "name", ["about.json", "networks.safetensors", "model.safetensors", "model.json", "model.json.gz", "ensemble.json"]
)
def test_a_file_that_is_none_or_too_large(kept, name, make):
    path = kept / CHIP / name
    if name in ("model.json", "ensemble.json"):
        (kept / CHIP / one_network.ZIPPED).unlink()
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(BenchError, match=re.escape(str(path))):
        Model(saved.choose(kept, None, "gbdt-table", None))


@pytest.mark.hostile("saved models")
@pytest.mark.parametrize("name", [saved.SHARED, saved.NETWORKS])
def test_a_shared_file_that_is_none(kept, name):
    (kept / name).unlink()
    os.mkfifo(kept / name)
    refused(kept)


def test_no_temporary_file_is_needed(kept, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    Model(saved.choose(kept, None, "gbdt-table", None))


@pytest.mark.hostile("saved models")
def test_a_damaged_one_of_the_package_is_said(kept, monkeypatch, capsys):
    shutil.copytree(kept / CHIP, kept / "fine")
    write_about(kept, device=5)
    monkeypatch.setattr(saved, "SHIPPED", kept)
    (kept / "network.onnx").write_bytes(NETWORK)
    for arguments in (["--list"], [str(kept / "network.onnx")]):
        done = cli(*arguments)
        assert done.returncode == 0
        assert f"warning: {kept / CHIP}/about.json: not readable" in done.stderr
