"""Croissant metadata say what is in the tables, and mlcroissant reads the tables by them, where it is installed."""

from __future__ import annotations

import hashlib
import json

import pytest

import nnfb
from nnfb.croissant import ABOUT, metadata
from pipeline.core import schema


@pytest.fixture
def data(tmp_path) -> nnfb.Dataset:
    return nnfb.load_dataset("synthetic201", cache=tmp_path)


def test_every_column_and_both_files_are_described(data):
    made = metadata(data.about, data.folder)
    fields = {part["name"]: [field["name"] for field in part["field"]] for part in made["recordSet"]}
    assert fields == {"graphs": data.graphs.columns, "targets": data.targets.columns}
    assert set(ABOUT) == {*schema.GRAPHS, *schema.TARGETS, *schema.MORE_OF_TARGETS}
    for file in made["distribution"]:
        content = (data.folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    assert "MADE-UP" in made["description"]


def test_mlcroissant_reads_the_tables(data):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    path = data.folder / "croissant.json"
    path.write_text(json.dumps(metadata(data.about, data.folder)))
    read = mlcroissant.Dataset(path)
    first = next(iter(read.records("graphs")))
    assert first["graphs/name"].decode() == data.graphs["name"][0]
    assert list(first["graphs/src"]) == data.graphs["src"][0].to_list()
