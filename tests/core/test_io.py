"""Files are written whole or not at all, and the same content gives the same bytes."""

import os

import polars as pl
import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from tests.helpers.small_disk import small_disk

FRAME = pl.DataFrame({"id": [1, 2], "op": [[1], [2, 3]]}, schema={"id": pl.UInt32, "op": pl.List(pl.UInt16)})


def test_parquet_and_metadata_survive_a_round_trip_with_the_same_bytes(tmp_path):
    meta = {"dataset": "x", "op_vocab": ["input", "é"], "n": 3}
    io.write_parquet(tmp_path / "deep" / "a.parquet", FRAME, meta)
    io.write_parquet(tmp_path / "b.parquet", FRAME, dict(reversed(meta.items())))
    assert io.read_parquet(tmp_path / "b.parquet").equals(FRAME)
    assert io.read_parquet(tmp_path / "b.parquet").schema == FRAME.schema
    assert io.read_meta(tmp_path / "b.parquet") == meta
    assert io.file_sha256(tmp_path / "deep" / "a.parquet") == io.file_sha256(tmp_path / "b.parquet")


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("in_one_list", [False, True])
def test_a_small_file_of_too_many_values_is_refused_unread(tmp_path, monkeypatch, in_one_list):
    path, values = tmp_path / "x.parquet", pl.repeat(0, 10**6, dtype=pl.Int64, eager=True).alias("a")
    (pl.DataFrame({"a": [values]}) if in_one_list else values.to_frame()).write_parquet(path)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(io, "MAX_VALUES", 10**6 - 1)
    monkeypatch.setattr(pl, "read_parquet", None)
    with pytest.raises(BenchError, match=r"x\.parquet: 1,000,000 values, over 999,999; make it again$"):
        io.read_parquet(path)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("read", [io.read_parquet, io.read_meta])
def test_a_large_file_is_refused_unread(tmp_path, monkeypatch, read):
    path = tmp_path / "x.parquet"
    with path.open("wb") as file:
        file.truncate(io.MAX_BYTES + 1)
    monkeypatch.setattr(io.Path, "read_bytes", None)
    with pytest.raises(BenchError, match=r"x\.parquet: 1,073,741,825 bytes, over 1,073,741,824; make it again$"):
        read(path)


def test_a_file_without_metadata_has_an_empty_one(tmp_path):
    FRAME.write_parquet(tmp_path / "x.parquet")
    assert io.read_meta(tmp_path / "x.parquet") == {}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), io.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), io.atomic_path(tmp_path / "x.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("read", [io.read_parquet, io.read_meta])
def test_a_damaged_file_is_named(tmp_path, read):
    path = tmp_path / "x.parquet"
    io.write_parquet(path, FRAME, {"a": 1})
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:100], whole[:-5], whole[:-8] + b"\xff" * 8, b"not parquet" * 50):
        path.write_bytes(content)
        with pytest.raises(BenchError, match=r"x\.parquet: truncated or not a Parquet file; delete it"):
            read(path)


@pytest.mark.parametrize("read", [io.read_parquet, io.read_meta, io.file_sha256])
def test_a_missing_file_and_a_folder_are_named(tmp_path, read):
    with pytest.raises(BenchError, match=r"none\.parquet: no such file"):
        read(tmp_path / "none.parquet")
    with pytest.raises(BenchError, match="cannot read"):
        read(tmp_path)


def test_metadata_that_is_not_json_is_refused_on_writing(tmp_path):
    with pytest.raises(ValueError):
        io.write_parquet(tmp_path / "x.parquet", FRAME, {"a": float("nan")})
    assert os.listdir(tmp_path) == []


def test_a_path_below_a_file_is_a_one_line_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write"):
        io.write_bytes(tmp_path / "file" / "x", b"")


def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(tmp_path):
    with small_disk(tmp_path) as disk:
        with pytest.raises(BenchError, match=r"x\.bin: no space left on device; free some space"):
            io.write_bytes(disk / "x.bin", os.urandom(2**20))
        assert os.listdir(disk) == []


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("text", ["[1]", "5", "null", "[" * 100_000, "{"])
def test_metadata_that_is_no_mapping_is_one_line(tmp_path, text):
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path, metadata={io.META_KEY: text})
    with pytest.raises(BenchError, match=r"x\.parquet: truncated or not a Parquet file"):
        io.read_meta(path)


@pytest.mark.hostile("tables")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.parquet")
    with pytest.raises(BenchError, match=r"x\.parquet: not a plain file"):
        io.read_parquet(tmp_path / "x.parquet")
