"""A cell is given the tags of its data set's labels, those of held-out networks too, and needs them where it asks."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.config.cell_spec import CellSpec
from pipeline.core import schema
from pipeline.train.cell import Tables, train
from tests.helpers.tiny_tables import tiny_tables


def tagged() -> Tables:
    """Every third label of every target and device says "x", the others "y"."""
    tables = tiny_tables()
    tag = pl.when(pl.col("graph_id") % 3 == 0).then(pl.lit("x")).otherwise(pl.lit("y"))
    return replace(tables, targets=tables.targets.with_columns(tag.alias(schema.TAG)))


def spec(label: str, **settings) -> CellSpec:
    return CellSpec.from_values("tiny", "test_acc", label, "n12", overrides=settings)


def test_every_network_has_the_tag_of_its_label():
    trained = train(spec("tag"), tagged(), "cpu")
    assert trained.about["status"] == "ok", trained.about["message"]
    said = dict(enumerate(trained.prediction.tolist()))
    assert {said[i] for i in said if i % 3 == 0} == {said[0]} != {said[i] for i in said if i % 3} == {said[1]}


def test_a_data_set_without_them_is_unsupported():
    for label, settings in (("tag", {}), ("gbdt", {"tags": True})):
        about = train(spec(label, **settings), tiny_tables(), "cpu").about
        assert (about["status"], about["message"]) == ("unsupported", "the data set lacks tags")


def test_who_does_not_ask_predicts_as_without():
    with_tags, without = (train(spec("gbdt"), tables, "cpu") for tables in (tagged(), tiny_tables()))
    assert with_tags.prediction.equal(without.prediction)
    assert with_tags.about["config_hash"] == without.about["config_hash"]
