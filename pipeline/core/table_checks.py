"""The tables of a data set, as the step that makes them writes them and as they are read to train or to score.

They may have changed in between. A label that meets another graph than its own is no crash: nothing but such a check
tells of it. So each table carries a digest of what is in it, and labels and splits that of the graphs they are of.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl

from pipeline.core import io, schema
from pipeline.core.errors import BenchError, short

SAME = (("dataset", "data set"), ("version", "version"))
CONTENT, GRAPHS = "content", "graphs"  # keys of the metadata: the table's own digest, and that of its graphs
GRAPHS_FILE, TARGETS_FILE = "graphs.parquet", "targets.parquet"


def publish(folder: Path, graphs: pl.DataFrame, meta: dict, targets: pl.DataFrame) -> None:
    """Write both tables of a data set; `meta`: of the graphs, whose data set and version the labels' names too."""
    content = write(folder / GRAPHS_FILE, graphs, meta)
    write(folder / TARGETS_FILE, targets, {key: meta[key] for key, _ in SAME}, content)


def write(path: Path, table: pl.DataFrame, meta: dict, graphs: str | None = None) -> str:
    """Write a table with its digest, and that of its `graphs`, in the metadata. Returns its digest."""
    about = meta | ({GRAPHS: graphs} if graphs else {})
    about[CONTENT] = digest(table, about)
    io.write_parquet(path, table, about)
    return about[CONTENT]


def digest(table: pl.DataFrame, meta: dict) -> str:
    """64 hexadecimal digits: names, types and values of all columns, and `meta` but for its own digest.

    The same for the same content, however the file was packed. Columns of numbers, words, and lists of either.
    """
    about = {key: value for key, value in meta.items() if key != CONTENT}
    hashed = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for column in table:
        hashed.update(json.dumps([column.name, str(column.dtype)]).encode())
        _add(hashed, column)
    return hashed.hexdigest()


def _add(hashed: hashlib._Hash, column: pl.Series) -> None:
    """Its length, where it is null, and its values; of words and lists, how long each is and all in a row.

    A word that follows itself counts once, with how often it does.
    """
    hashed.update(b"%d %d " % (len(column), column.null_count()))
    if column.null_count():
        hashed.update(column.is_null().to_numpy())
        column = column.drop_nulls()
    if isinstance(column.dtype, pl.List):
        _add(hashed, column.list.len())
        _add(hashed, column.filter(column.list.len() > 0).explode())
    elif column.dtype == pl.String:
        runs = column.rle().struct.unnest()
        _add(hashed, runs["len"])
        _add(hashed, runs["value"].str.len_bytes())
        hashed.update((runs["value"].str.join("").item() or "").encode())
    else:
        hashed.update(column.to_numpy())


def read(data: Path) -> tuple[pl.DataFrame, dict, pl.DataFrame]:
    """graphs.parquet of a folder, its metadata, and targets.parquet.

    Raises BenchError, naming the file, unless they keep to the rules, belong together and are as they were written.
    """
    graphs, meta = read_graphs(data / GRAPHS_FILE)
    path = data / TARGETS_FILE
    targets, about = io.read_parquet(path), io.read_meta(path)
    schema.check_targets(targets, graphs.height, path)
    require_same(meta, about, path)
    require_as_written(path, targets, about, "convert", meta)
    return graphs, meta, targets


def read_graphs(path: Path) -> tuple[pl.DataFrame, dict]:
    """A table of graphs and its metadata. Raises BenchError as `read`."""
    graphs, meta = io.read_parquet(path), io.read_meta(path)
    schema.check_graphs(graphs, meta, path)
    require_as_written(path, graphs, meta, "convert")
    return graphs, meta


def read_split(path: Path, n_graphs: int, meta: dict, dataset: str, seed: int) -> pl.DataFrame:
    """The split of a data set and seed, of `n_graphs` graphs with the metadata `meta`. Raises BenchError as `read`."""
    split, about = io.read_parquet(path), io.read_meta(path)
    schema.check_split(split, n_graphs, path)
    for key, word, asked in (("dataset", "data set", dataset), ("seed", "seed", seed)):
        if about.get(key) != asked:
            raise _error(path, f"of {word} {short(about.get(key))}, not {asked!r}", "split")
    require_as_written(path, split, about, "split", meta)
    return split


def read_proxies(path: Path, n_graphs: int, meta: dict) -> pl.DataFrame:
    """The proxies of `n_graphs` graphs with the metadata `meta`. Raises BenchError as `read`."""
    proxies, about = io.read_parquet(path), io.read_meta(path)
    schema.check_proxies(proxies, n_graphs, path)
    require_as_written(path, proxies, about, "make it", meta)
    return proxies


def require_as_written(path: Path, table: pl.DataFrame, about: dict, step: str, graphs: dict | None = None) -> None:
    """Raise BenchError unless a table with metadata `about` is as `step` wrote it.

    `graphs`: metadata of the graphs that it must be of.
    """
    if CONTENT not in about:
        raise _error(path, "without a digest of what is in it, as an earlier version wrote it", step)
    if about[CONTENT] != digest(table, about):
        raise _error(path, "changed since it was written", step)
    if graphs is not None and about.get(GRAPHS) != graphs[CONTENT]:
        raise _error(path, f"of other graphs than those in {GRAPHS_FILE}", step)


def require_same(graphs: dict, targets: dict, where: Path | str) -> None:
    """Raise BenchError where the metadata of graphs and targets name two data sets or versions."""
    for key, word in SAME:
        if key in graphs and key in targets and graphs[key] != targets[key]:
            raise _error(where, f"of {word} {short(targets[key])}, the graphs are of {short(graphs[key])}", "convert")


def _error(where: Path | str, what: str, step: str) -> BenchError:
    return BenchError(f"{where}: {what}; delete the file and {step} again")
