"""The networks of `measured`, timed on three platforms; see `pipeline.convert.measured`."""

from functools import partial

from pipeline.convert import _common, measured

NAME = "measured_platforms"
convert = partial(measured.convert, name=NAME)
sanity = partial(measured.sanity, name=NAME)

if __name__ == "__main__":
    _common.cli(NAME, convert)
