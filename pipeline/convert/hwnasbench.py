"""HW-NAS-Bench on NAS-Bench-201: latency (ms) and energy (mJ) for three input sizes on six devices.

Source: hw_{cifar10,cifar100,ImageNet16-120}.csv. `net` is a 6-tuple in NASLib's codes and edge order; -1 means missing.
"""

import re
from pathlib import Path

import polars as pl

from pipeline.convert import _common, _faulty
from pipeline.core.errors import BenchError
from pipeline.spaces import cells

NAME = "hwnasbench"
FILES = {"cifar10": "hw_cifar10.csv", "cifar100": "hw_cifar100.csv", "imagenet16": "hw_ImageNet16-120.csv"}
LATENCY_DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
ENERGY_DEVICES = ("edgegpu", "eyeriss", "fpga")
COLUMNS = {f"{device}_latency": ("latency_ms", device) for device in LATENCY_DEVICES} | {
    f"{device}_energy": ("energy_mj", device) for device in ENERGY_DEVICES
}
EDGETPU_MISSING = 4_699
FAULTY = 128  # labels of each latency of raspi4 and pixel3, of the same cells
MEDIANS_CIFAR10 = {"edgegpu": 5.3121, "eyeriss": 5.1202, "fpga": 3.7250}


def convert(raw: Path, out: Path) -> None:
    """Convert the three CSV files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    tables = {space: _common.read_csv(raw / file, ["net", *COLUMNS]) for space, file in FILES.items()}
    nets = tables["cifar10"]["net"]
    for space, table in tables.items():
        if not table["net"].equals(nets):
            raise BenchError(f"{raw / FILES[space]}: cells differ from those of hw_cifar10.csv; fetch all three again")
    names = archs(nets, raw / FILES["cifar10"])
    executed = [cells.cell_201(cells.parse_arch(name), executed=True) for name in names]
    graphs = cells.graphs_frame(names, "nasbench201", executed, cells.VOCAB_201)
    targets = pl.concat(
        _common.target_frame(f"{space}_{metric}", device, _measured(table[column], raw / FILES[space]))
        for space, table in tables.items()
        for column, (metric, device) in COLUMNS.items()
    )
    _common.publish(NAME, out, graphs, _faulty.mark(NAME, names, targets), cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, the missing latencies of edgetpu alone, faulty labels, medians of modelled devices."""
    _common.expect_space_201(NAME, graphs, executed=True)
    for space in FILES:
        for metric, device in COLUMNS.values():
            target = f"{space}_{metric}"
            missing = graphs.height - len(_common.values_of(targets, target, device))
            _common.expect(NAME, f"missing {target} of {device}", missing, EDGETPU_MISSING * (device == "edgetpu"))
    faulty = {(f"{space}_latency_ms", device): FAULTY for space in FILES for device in ("raspi4", "pixel3")}
    _common.expect(NAME, "faulty labels", _faulty.counts(targets), faulty)
    for device, median in MEDIANS_CIFAR10.items():
        actual = _common.values_of(targets, "cifar10_latency_ms", device).median()
        _common.expect(NAME, f"median cifar10_latency_ms of {device}", actual, median, 1e-4)


def archs(nets: pl.Series, path: Path) -> list[str]:
    """Architecture strings of the column `net` of the file `path`. Raises BenchError."""
    return [cells.format_arch(cells.from_naslib(_codes(net, path))) for net in nets]


def _codes(net: str, path: Path) -> tuple[int, ...]:
    if not re.fullmatch(r"\((\d, ){5}\d\)", net):
        raise BenchError(f"{path}: net {net!r} is not a tuple of 6 operation codes; fetch it again")
    return tuple(int(code) for code in net[1:-1].split(", "))


def _measured(values: pl.Series, path: Path) -> pl.Series:
    """A column of the file `path`, null where the source says -1. Raises BenchError unless all else are costs."""
    if not values.dtype.is_numeric():
        raise BenchError(f"{path}: column {values.name} is not one of numbers; fetch it again")
    values = values.cast(pl.Float64)
    wrong = ~((values.is_finite() & (values > 0)) | (values == -1)).fill_null(False)
    if wrong.any():
        at = wrong.arg_true()[0]
        raise BenchError(
            f"{path}: {values.name} {values[at]} of network {at} is neither a positive number nor -1; fetch it again"
        )
    return values.set(values == -1, None)


if __name__ == "__main__":
    _common.cli(NAME, convert)
