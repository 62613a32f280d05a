"""What device_gp's settings are chosen by: source devices that are left out with all of their family, as new devices.

python -m benchmarks.device_families [--labels 3 5 10 20] [--seeds 0] [--most 1] [--alone]

Of each task of a grid a family of devices is taken from the sources, and at most `--most` of it are new: devices that
are targets of no task. `--alone` takes out the new device alone. No label of a target is used but where it is a source.
The tables are made by `snakemake data --configfile config/transfer.yaml`.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import torch
from scipy.stats import spearmanr
from torch import Tensor

from pipeline.config.budget import Sources
from pipeline.config.cell_spec import CellSpec
from pipeline.config.grid import load_grid
from pipeline.core.errors import run_cli
from pipeline.core.graphs import from_frame
from pipeline.report.format import markdown
from pipeline.split import training_set
from pipeline.train import cell
from predictors import device_gp

PREFIXES = {
    "1080ti": "gpu", "2080ti": "gpu", "titan": "gpu", "v100": "gpu", "eagle_gtx": "gpu", "gold": "xeon",
    "silver": "xeon", "samsung": "arm", "pixel": "arm", "essential": "arm", "raspi": "arm", "eagle_cpu": "arm",
    "true_a76": "arm", "eagle_gpu": "adreno", "true_6": "adreno",
}  # fmt: skip
TARGET, TESTED = "latency_ms", 500
CELLS = ("help_nasbench201", "oneproxy_nasbench201")  # the same chips: a target of one is left out in both
BEFORE = device_gp.PRIOR | {"sources": (0.0, 1.5), "counts": (-2.0, 1.5), "costs": (-1.0, 1.5)}
NEVER = {"folded": (-60.0, 1e-3)}  # a variance of nothing
SETTINGS = {
    "as before": {"PRIOR": BEFORE | NEVER, "LOOKS": 1, "NARROWEST": 1.5},
    "before, not narrowed (0)": {"PRIOR": BEFORE | NEVER, "LOOKS": 1, "NARROWEST": 0.0},
    "no folded operations": {"PRIOR": device_gp.PRIOR | NEVER},
    "no noise of surprise": {"LOOKS": 1},
    "prior of before": {"PRIOR": BEFORE},
    "narrowed by up to the 1.5th power": {"NARROWEST": 1.5},
    "not narrowed (0)": {"NARROWEST": 0.0},
    "default": {},
}
Task = tuple[str, str, tuple[str, ...], int, tuple[str, ...]]  # data set, family, sources, their labels, new devices


def family(device: str) -> str:
    """Devices of one vendor's kind; a device by its own name where there is no other."""
    return next((kind for prefix, kind in PREFIXES.items() if device.startswith(prefix)), device)


def left_out(cells: Sequence[CellSpec], devices: dict[str, list[str]], most: int, alone: bool) -> Iterator[Task]:
    """The tasks to choose by, each once. `devices`: all of a data set."""
    with_sources = [c for c in cells if c.sources]
    targets: dict[str, set[str]] = defaultdict(set)
    for c in with_sources:
        targets[c.dataset].add(c.device)
    for name in CELLS:
        targets[name] = set().union(*(targets[other] for other in CELLS))
    seen = set()
    for c in with_sources:
        kinds = defaultdict(list)
        known = c.sources.devices
        for device in sorted(devices[c.dataset], key=lambda d: (d not in known, d)):
            if device not in targets[c.dataset] and not (alone and device not in known):
                kinds[device if alone else family(device)].append(device)
        for kind, members in kinds.items():
            left = tuple(d for d in known if (d if alone else family(d)) != kind)
            task = (c.dataset, kind, left, c.sources.labels, tuple(members[:most]))
            if left and task not in seen:
                seen.add(task)
                yield task


def remembered(regress: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The same regressions, made once for the same numbers: they take most of the time, and no setting moves them."""
    known: dict[bytes, Tensor] = {}

    def again(x: Tensor, z: Tensor) -> Tensor:
        key = hashlib.blake2b(x.numpy().tobytes() + z.numpy().tobytes()).digest()
        if key not in known:
            known[key] = regress(x, z)
        return known[key]

    return again


def correlations(task: Task, labels: Sequence[int], seed: int, data: Path) -> dict[tuple[str, int], float]:
    """Spearman's correlation by setting and number of labels on `TESTED` networks, mean over the task's new devices."""
    dataset, _, sources, n_source, new = task
    split = data / "splits" / dataset / f"{seed}.parquet"
    tables = cell.Tables.read(data / "parquet" / dataset, split, dataset, seed)
    frame, found = from_frame(tables.frame, tables.meta), defaultdict(list)
    regress = remembered(device_gp._regressions)
    for device, n in itertools.product(new, labels):
        spec = CellSpec.from_values(
            dataset, TARGET, "device_gp", n, seed, device, sources=Sources(sources, n_source)
        )  # fmt: skip
        rows = training_set.make(spec, tables.targets, tables.frame, tables.split)
        true = tables.targets.filter(pl.col("target") == TARGET, pl.col("device") == device)
        known = dict(true.select("graph_id", "value").iter_rows())
        test = [graph for graph in rows.test.tolist() if graph in known][:TESTED]
        graphs = frame.on_platform(device, (*sources, device))
        examples = cell.graphs_and_labels(graphs, rows.rows)
        for name, settings in SETTINGS.items():
            with mock.patch.multiple(device_gp, _regressions=regress, **settings):
                predictor = device_gp.Predictor({}, "cost", seed)
                predictor.fit(*examples)
                said = predictor.predict(graphs[torch.tensor(test)])
            found[name, n].append(float(spearmanr(said.numpy(), [known[graph] for graph in test]).statistic))
    return {key: float(np.mean(values)) for key, values in found.items()}


def main() -> None:
    """Print a line a setting, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--grid", type=Path, default=Path("config/transfer.yaml"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with parquet/ and splits/")
    parser.add_argument("--labels", type=int, nargs="+", default=[3, 5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--most", type=int, default=1, help="new devices of a family")
    parser.add_argument("--alone", action="store_true", help="take out a device, not its family")
    args = parser.parse_args()
    cells = [c for c in load_grid(args.grid).cells if c.protocol not in ("nasflat_n1", "nasflat_n3", "nasflat_n4")]
    devices = {}
    for dataset in {c.dataset for c in cells if c.sources}:
        targets = pl.read_parquet(args.data / "parquet" / dataset / "targets.parquet", columns=["target", "device"])
        devices[dataset] = targets.filter(pl.col("target") == TARGET)["device"].unique().to_list()
    tasks = list(left_out(cells, devices, args.most, args.alone))
    found = [correlations(task, args.labels, seed, args.data) for task in tasks for seed in args.seeds]
    rows = [[name, *(f"{np.mean([f[name, n] for f in found]):.3f}" for n in args.labels)] for name in SETTINGS]
    print(f"{len(tasks)} tasks, seeds {args.seeds}\n")
    print("\n".join(markdown(["Labels", *map(str, args.labels)], rows, "l" + "r" * len(args.labels))))


if __name__ == "__main__":
    run_cli(main)
