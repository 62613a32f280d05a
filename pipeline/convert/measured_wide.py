"""Networks of 21 families and single operations, timed on one thread; see `pipeline.convert.measured`."""

from functools import partial

from pipeline.convert import _common, measured

NAME = "measured_wide"
convert = partial(measured.convert, name=NAME)
sanity = partial(measured.sanity, name=NAME)

if __name__ == "__main__":
    _common.cli(NAME, convert)
