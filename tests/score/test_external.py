"""Results from outside: what is incomplete, wrong or of other data is refused; what is right scores as ours would."""

from __future__ import annotations

import gzip
import io
import shutil

import numpy as np
import polars as pl
import pytest
import yaml

import nnfb
from pipeline.core import io as tables_io
from pipeline.core.errors import BenchError
from pipeline.score import external, metrics
from tests.helpers.score_fixtures import RESULT


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> nnfb.Dataset:
    return nnfb.load_dataset("synthetic201", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def tables(data) -> external.Tables:
    return external.Tables(data.graphs, data.targets, "1")


@pytest.fixture
def table(data) -> pl.DataFrame:
    """Predictions of every network, in another order than the data set's."""
    values = np.random.default_rng(0).normal(size=300)
    frame = pl.DataFrame({"network": data.graphs["name"], "prediction": values})
    return frame.sample(fraction=1.0, shuffle=True, seed=1)


@pytest.fixture
def check(tmp_path, tables):
    """A function: the result of `RESULT`, with changes, and a table of predictions."""

    def checked(table: pl.DataFrame, suffix: str = "csv", **changes) -> external.Scored:
        about = {**RESULT, "predictions": [{"seed": 0, "file": f"0.{suffix}"}], **changes}
        (tmp_path / "result.yaml").write_text(yaml.safe_dump({k: v for k, v in about.items() if v is not None}))
        buffer = io.BytesIO()
        table.write_parquet(buffer) if suffix == "parquet" else table.write_csv(buffer)
        (tmp_path / f"0.{suffix}").write_bytes(buffer.getvalue())
        return external.check(tmp_path, tables)

    return checked


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_right_result_scores_as_ours_would(check, table, data, suffix):
    found = check(table, suffix)
    predicted = dict(table.rows())
    true = dict(zip(data.graphs["name"], data.labels("test_acc")["value"], strict=True))
    names = data.graphs["name"].to_list()
    _, test = data.split("test_acc", 60)
    for split, ids in (("all", range(300)), ("test", test)):
        pairs = [(predicted[names[i]], true[names[i]]) for i in ids]
        expected = metrics.kendall_tau(*zip(*pairs, strict=True))
        assert found.scores[0][split]["kendall_tau"] == pytest.approx(expected)
    assert found.n_networks == 300 and external.parse(found.dump()) == found


def with_row(table: pl.DataFrame, name: str, value: float) -> pl.DataFrame:
    return pl.concat([table, pl.DataFrame({"network": [name], "prediction": [value]})])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t[1:], "1 of 300 networks have no prediction, such as"),
        (lambda t: with_row(t, t[0, "network"], 1.0), "1 networks stand there twice, such as"),
        (lambda t: with_row(t, "nope", 1.0), "1 networks are none of the data set's, such as 'nope'"),
        (lambda t: with_row(t[1:], t[0, "network"], float("nan")), "1 rows are empty or not finite"),
        (lambda t: with_row(t[1:], t[0, "network"], None), "1 rows are empty or not finite"),
        (lambda t: t.rename({"prediction": "score"}), "columns are"),
        (lambda t: t.with_columns(prediction=pl.lit("high")), "no table of network, prediction"),
        (lambda t: t.with_columns(trained=True), "columns are"),
    ],
)
def test_a_table_with_a_fault_is_refused(check, table, change, said):
    with pytest.raises(BenchError, match=said):
        check(change(table))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": None}, "labels: Field required"),
        ({"labels": 0}, "labels: "),
        ({"labels": "60"}, "labels: "),
        ({"other_labels": None}, "other_labels: Field required"),
        ({"nope": 1}, "nope: Extra inputs"),
        ({"version": "2"}, "of version 2 of synthetic201, the data are version 1"),
        ({"target": "val_acc"}, "has no val_acc on any; it has: test_acc on any"),
        ({"dataset": "nope"}, "no data set 'nope'"),
        ({"labels": 290}, "290 labels asked for"),
        ({"training_set": "own"}, "columns are"),
        ({"predictions": [{"seed": 0, "file": "../0.csv"}]}, "predictions.0.file"),
        ({"predictions": [{"seed": 0, "file": "no.csv"}]}, "no such file"),
        ({"predictions": [{"seed": 0, "file": "0.csv"}] * 2}, "a seed stands there twice"),
        (
            {"predictions": [{"seed": i, "file": "0.csv"} for i in range(101)]},
            "predictions: List should have at most 100",
        ),
        ({"predictions": [{"seed": 10**39, "file": "0.csv"}]}, "predictions.0.seed: Input should be less than"),
        ({"version": "1" * 81}, "version: String should have at most 80"),
    ],
)
def test_an_account_with_a_fault_is_refused(check, table, changes, said):
    with pytest.raises(BenchError, match=said):
        check(table, **changes)


@pytest.mark.hostile("tables")
def test_tables_that_unpack_or_never_end_are_refused(check, table, tables, tmp_path):
    check(table)
    (path,) = tmp_path.rglob("0.csv")
    text = path.read_bytes()
    for content, said in (
        (gzip.compress(text), "packed; give a plain CSV or Parquet file"),
        (text + 2 * text.partition(b"\n")[2], "over 600 rows for 300 networks; give one a network"),
        (b"network,prediction\n" + b'"x' * 10**5, "no table of network, prediction"),
        (b",".join(b"column%d" % i for i in range(15_000)), "columns are"),
        (b"network,prediction\n" + b"x" * 10**5 + b",0.5\n", "name of a network has 100,000 bytes, over 512"),
    ):
        path.write_bytes(content)
        with pytest.raises(BenchError, match=said) as caught:
            external.check(path.parent, tables)
        assert len(str(caught.value)) < len(str(path)) + 400
    path.write_bytes(text + b"x" * 2**18)
    with pytest.raises(BenchError, match="bytes, over 219,136"):
        external.check(path.parent, tables)


@pytest.mark.hostile("tables")
def test_a_data_set_changed_since_it_was_converted_scores_nothing(data, tmp_path):
    shutil.copytree(data.folder, tmp_path / "d")
    assert external.Tables.read(tmp_path / "d").version == "1"
    path = tmp_path / "d" / "targets.parquet"
    table = tables_io.read_parquet(path).with_columns(pl.col("value").reverse())
    tables_io.write_parquet(path, table, tables_io.read_meta(path))
    with pytest.raises(BenchError, match=f"{path}: changed since it was written; delete the file and convert again"):
        external.Tables.read(tmp_path / "d")


def test_a_damaged_table_is_said_to_be_the_one_that_was_handed_in(check, table, tables, tmp_path):
    check(table, "parquet")
    path = tmp_path / "0.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BenchError, match="0.parquet: no table of network, prediction: .*; see docs"):
        external.check(tmp_path, tables)


def test_a_training_set_of_its_own_is_counted_and_never_scored_as_held_out(check, table, data):
    _, test = data.split("test_acc", 60)
    names = data.graphs["name"]
    chosen = [*test[:30], 0, 1]
    own = table.with_columns(trained=pl.col("network").is_in(names[chosen].implode()))
    n = len({*chosen})
    found = check(own, training_set="own", labels=n)
    rest = [i for i in test if i not in chosen]
    true, predicted = data.labels("test_acc")["value"].to_numpy(), dict(table.rows())
    expected = metrics.kendall_tau([predicted[names[int(i)]] for i in rest], true[rest])
    assert found.scores[0]["test"]["kendall_tau"] == pytest.approx(expected)
    with pytest.raises(BenchError, match=f"{n} networks are marked as trained on, result.yaml says {n + 1}"):
        check(own, training_set="own", labels=n + 1)
    with pytest.raises(BenchError, match="nothing is left to score"):
        check(table.with_columns(trained=True), training_set="own", labels=300)


def test_a_file_that_was_damaged_is_one_line(tmp_path):
    (tmp_path / "external.json").write_text('[{"about": {}}]')
    with pytest.raises(BenchError, match="not readable"):
        external.beside(tmp_path / "scores.parquet")
    assert external.beside(tmp_path / "none" / "scores.parquet") == []
