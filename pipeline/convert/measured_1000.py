"""1,001 networks generated and timed on this machine; see `pipeline.convert.measured`."""

from functools import partial

from pipeline.convert import _common, measured

NAME = "measured_1000"
convert = partial(measured.convert, name=NAME)
sanity = partial(measured.sanity, name=NAME)

if __name__ == "__main__":
    _common.cli(NAME, convert)
