"""Source files of the mirror, and the tables they give."""

import importlib

import pytest

from pipeline.config import datasets
from pipeline.core import io
from pipeline.fetch import fetch


@pytest.fixture(scope="session")
def raw(mirror, tmp_path_factory):
    """raw(name): the folder of a data set's source files."""

    def folder(name):
        absent = [file.mirror for file in datasets.get(name).files if not (mirror / file.mirror).is_file()]
        if absent:
            pytest.skip(f"{absent[0]} is not in the mirror {mirror}")
        out = tmp_path_factory.getbasetemp() / "raw" / name
        fetch.fetch(datasets.get(name), out, mirror)
        return out

    return folder


@pytest.fixture(scope="session")
def converted(raw, tmp_path_factory):
    """converted(name): (graphs, targets) of a data set, converted once."""
    done = {}

    def tables(name):
        if name not in done:
            out = tmp_path_factory.mktemp(name)
            importlib.import_module(f"pipeline.convert.{name}").convert(raw(name), out)
            done[name] = io.read_parquet(out / "graphs.parquet"), io.read_parquet(out / "targets.parquet")
        return done[name]

    return tables
