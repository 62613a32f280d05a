"""OneProxy: latency (ms) of 1,999 NAS-Bench-201 cells on 11 further devices, beside HELP's 27 for the same cells.

Source: encode.pickle, the cells, and one <device>.pickle per device in the same order; of HELP and HW-NAS-Bench the
files of their own data sets. A cell is 31 numbers: a one-hot group of OPS_201 for each edge, in the order of the
architecture string, and a constant 1. The six rice_* files are HW-NAS-Bench's CIFAR-10 latencies again, which proves
the order of the cells; they are compared and not taken over. eagle_i7 says what eagle_gtx says and is left out.
"""

from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common, _help, hwnasbench
from pipeline.convert._help import TARGET
from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle, unpickle_numpy
from pipeline.spaces import cells

NAME = "oneproxy_nasbench201"
OWN = (
    *("eagle_cpu_855", "eagle_dsp_855", "eagle_gpu_855", "eagle_gtx", "eagle_jetson", "eagle_jetson_16", "eagle_tpu"),
    *("true_630", "true_640", "true_a76", "true_vpu"),
)
DUPLICATE, KEPT = "eagle_i7", "eagle_gtx"
SPEARMAN_OF_DUPLICATES = 0.9989
N_CELLS = 1_999
FASTEST_AND_SLOWEST = {"eagle_cpu_855": (1130, 1793), "eagle_tpu": (898, 1764), "true_vpu": (534, 1969)}  # graph_id


def convert(raw: Path, out: Path) -> None:
    """Convert the files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    archs = _archs(raw / "encode.pickle")
    names = [cells.format_arch(ops) for ops in archs]
    of_help = _of_help(raw, names)
    own = {device: _own(raw, device, len(names)) for device in OWN}
    _refuse_other_order(raw, names)
    rho = _spearman(own[KEPT], _own(raw, DUPLICATE, len(names)))
    _common.expect(NAME, f"Spearman of {DUPLICATE} and {KEPT}", rho, SPEARMAN_OF_DUPLICATES, 5e-5)
    executed = [cells.cell_201(ops, executed=True) for ops in archs]
    graphs = cells.graphs_frame(names, "nasbench201", executed, cells.VOCAB_201)
    _common.publish(NAME, out, graphs, _help.targets(of_help | own), cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: every cell once and connected, a label of every device, fastest and slowest cells."""
    _common.expect(NAME, "different cells", graphs["name"].n_unique(), N_CELLS)
    connected = [len(cells.cell_201(cells.parse_arch(name)).edges) > 0 for name in graphs["name"]]
    _common.expect(NAME, "cells with a path from input to output", sum(connected), N_CELLS)
    _common.expect(NAME, "labels per device", set(targets.group_by("device").len()["len"]), {N_CELLS})
    for device, ends in FASTEST_AND_SLOWEST.items():
        values = _common.values_of(targets, TARGET, device)
        _common.expect(NAME, f"fastest and slowest cell of {device}", (values.arg_min(), values.arg_max()), ends)


def _archs(path: Path) -> list[tuple[str, ...]]:
    """The 6 operations of each cell. Raises BenchError when the file holds anything else."""
    content = unpickle.load(path, {})
    n = len(cells.OPS_201)
    if not isinstance(content, list) or not content:
        raise BenchError(f"{path}: not a list of cells; fetch it again")
    archs = []
    for row in content:
        groups = [row[start : start + n] for start in range(0, 6 * n, n)] if isinstance(row, list) else []
        if len(groups) != 6 or row[6 * n :] != [1] or any(sorted(group) != [0] * (n - 1) + [1] for group in groups):
            raise BenchError(f"{path}: cell {str(row)[:120]} is not six one-hot groups of five and a 1; fetch it again")
        archs.append(tuple(cells.OPS_201[group.index(1)] for group in groups))
    return archs


def _own(raw: Path, device: str, n: int, missing: float | None = None) -> list[float]:
    path = raw / f"{device}.pickle"
    return _help.checked(path, unpickle.load_list(path, unpickle_numpy.ALLOWED), n, missing)


def _of_help(raw: Path, names: list[str]) -> dict[str, list[float]]:
    """HELP's latencies of the cells `names`, by device."""
    every = _common.read_csv(raw / "cifar10_avg.csv", ["arch_str"])["arch_str"].to_list()
    place = _places(raw / "cifar10_avg.csv", every, names)
    devices = [device for device in datasets.get(NAME).targets[TARGET] if device not in OWN]
    return {
        device: [values[index] for index in place]
        for device, values in _help.latencies(raw, devices, len(every)).items()
    }


def _refuse_other_order(raw: Path, names: list[str]) -> None:
    """Raise BenchError unless each rice_* file has HW-NAS-Bench's latencies of the cells, -1 where it lacks one."""
    path = raw / hwnasbench.FILES["cifar10"]
    table = _common.read_csv(path, ["net", *hwnasbench.COLUMNS])
    place = _places(path, hwnasbench.archs(table["net"], path), names)
    for device in hwnasbench.LATENCY_DEVICES:
        ours = _own(raw, f"rice_{device}", len(names), missing=-1)
        equal = sum(a == b for a, b in zip(ours, table[f"{device}_latency"][place], strict=True))
        _common.expect(NAME, f"latencies of rice_{device} that are HW-NAS-Bench's", equal, len(names))


def _places(path: Path, every: list[str], names: list[str]) -> list[int]:
    place = {name: index for index, name in enumerate(every)}
    lost = [name for name in names if name not in place]
    if lost:
        raise BenchError(f"{path}: lacks the cell {lost[0]}; fetch it again")
    return [place[name] for name in names]


def _spearman(a: list[float], b: list[float]) -> float:
    return pl.select(pl.corr(pl.Series(a), pl.Series(b), method="spearman")).item()


if __name__ == "__main__":
    _common.cli(NAME, convert)
