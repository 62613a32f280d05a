"""Splits: disjoint, deterministic, nested, and the same whatever else is asked for."""

import os

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.convert import synthetic201
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.split import splits
from tests.helpers.in_process import run_module

SIZES = st.integers(0, 400)
SEEDS = st.integers(0, 2**32)
FRACTIONS = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.4])


@given(SIZES, SEEDS, FRACTIONS)
def test_every_graph_has_one_role_and_the_sizes_are_rounded_fractions(n, seed, test):
    split = splits.make_split(n, "set", seed, test)
    schema.check_split(split, n)
    sizes = dict(split.group_by("role").len().iter_rows())
    assert sizes.get("test", 0) == int(test * n + 0.5)
    assert sizes.get("pool", 0) == n - int(test * n + 0.5)


@given(st.integers(1, 400), SEEDS)
def test_the_same_arguments_give_the_same_split(n, seed):
    assert splits.make_split(n, "set", seed).equals(splits.make_split(n, "set", seed))


@given(st.integers(1, 400), SEEDS, st.data())
def test_smaller_training_sets_are_prefixes_of_larger_ones_and_never_hold_test_graphs(n, seed, data):
    split = splits.make_split(n, "set", seed)
    labelled = pl.Series(data.draw(st.lists(st.integers(0, n - 1), unique=True)), dtype=pl.UInt32)
    pool = split.filter(pl.col("role") == "pool")["graph_id"]
    largest = splits.training_ids(split, labelled, len(set(pool) & set(labelled)))
    assert set(largest) == set(pool) & set(labelled)
    size = data.draw(st.integers(0, len(largest)))
    assert splits.training_ids(split, labelled, size).equals(largest[:size])
    held_out = split.filter(pl.col("role") != "pool")["graph_id"]
    assert not set(largest) & set(held_out)
    with pytest.raises(BenchError, match="the pool has"):
        splits.training_ids(split, labelled, len(largest) + 1)


def test_seeds_and_data_sets_have_their_own_permutations():
    tables = [splits.make_split(200, name, seed) for name in ("a", "b") for seed in range(3)]
    tests = {tuple(table.filter(pl.col("role") == "test").sort("rank")["graph_id"]) for table in tables}
    assert len(tests) == 6


def test_the_permutation_is_a_fixed_one():
    split = splits.make_split(10, "set", 0)
    assert split.filter(pl.col("role") == "pool").sort("rank")["graph_id"].to_list() == POOL


POOL = [3, 7, 1, 6, 8, 0, 2, 9]


@pytest.mark.parametrize(("seed", "test"), [(-1, 0.2), (0, -0.1), (0, 1.0)])
def test_bad_arguments_are_refused(seed, test):
    with pytest.raises(BenchError, match="split of set: "):
        splits.make_split(10, "set", seed, test)


def run(*arguments):
    return run_module("pipeline.split", *arguments)


def test_the_command_line_writes_one_file(tmp_path):
    synthetic201.convert(tmp_path, tmp_path)
    graphs = tmp_path / "graphs.parquet"
    out = tmp_path / "splits" / "0.parquet"
    result = run("--dataset", "synthetic201", "--seed", 0, "--graphs", graphs, "--out", out)
    assert (result.returncode, result.stderr) == (0, "")
    assert io.read_parquet(out).equals(splits.make_split(300, "synthetic201", 0, 0.2))
    about = {"dataset": "synthetic201", "version": "1", "seed": 0, "graphs": io.read_meta(graphs)["content"]}
    assert io.read_meta(out) == about | {"content": table_checks.digest(io.read_parquet(out), about)}
    result = run("--dataset", "analognas201", "--seed", 0, "--graphs", graphs, "--out", out)
    assert result.returncode == 1 and "of data set 'synthetic201', not 'analognas201'; convert it" in result.stderr


def test_a_missing_graphs_file_is_one_line(tmp_path):
    result = run("--dataset", "synthetic201", "--seed", 0, "--graphs", tmp_path / "x", "--out", tmp_path / "y")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and "no such file" in result.stderr
    assert os.listdir(tmp_path) == []
