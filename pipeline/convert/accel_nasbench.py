"""Accel-NASBench: 5,138 MnasNet networks: ImageNet top-1 after a short training, and speed on six accelerators.

Source: anb_dataset_jsons.tar.gz, a JSON file a network: what each of seven stages is, top-1 and top-5 of validation,
MACs and parameters in millions, means of latency (ms) and throughput (images a second), null where not measured.
"""

from pathlib import Path

import orjson
import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.fetch import archive
from pipeline.spaces import blocks, cells

NAME = "accel_nasbench"
ARCHIVE = "anb_dataset_jsons.tar.gz"
LIMITS = archive.Limits(member_bytes=2**16, total_bytes=2**26)
STAGES = range(len(blocks.MAX_DEPTHS_ACCEL))
MISSING = {"3090": 3, "tpuv2": 37, "tpuv3": 44, "zcu102": 2, "vck190": 2}  # readings a target and device lacks


def convert(raw: Path, out: Path) -> None:
    """Convert the archive in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    records = _read(raw / ARCHIVE)
    graphs = cells.graphs_frame(
        [record["name"] for record in records], "accel_mnasnet", [record["graph"] for record in records],
        blocks.VOCAB_ACCEL, params=[record["params"] for record in records],
    ).with_columns(macs=pl.Series([record["macs"] for record in records], dtype=pl.Float64))  # fmt: skip
    targets = [_common.target_frame("val_acc", "any", [record["top1"] for record in records])]
    for target, device in _costs():
        targets.append(_common.target_frame(target, device, [record[target, device] for record in records]))
    _common.publish(NAME, out, graphs, pl.concat(targets), blocks.VOCAB_ACCEL, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: how many differ, the range of accuracies, and how many readings are missing."""
    _common.expect(NAME, "different networks", graphs["iso"].n_unique(), 5_125)
    _common.expect(NAME, "nodes of a network", set(graphs["n_nodes"]), {sum(blocks.MAX_DEPTHS_ACCEL) + 2})
    accuracy = _common.values_of(targets, "val_acc")
    for fact, actual, known in (
        ("best", accuracy.max(), 67.052), ("lowest", accuracy.min(), 42.85), ("mean", accuracy.mean(), 60.1761),
    ):  # fmt: skip
        _common.expect(NAME, f"{fact} accuracy", actual, known, 1e-4)
    for target, device in _costs():
        missing = graphs.height - len(_common.values_of(targets, target, device))
        _common.expect(NAME, f"missing {target} of {device}", missing, MISSING.get(device, 0))


def _costs() -> list[tuple[str, str]]:
    """The targets that are costs, with their devices."""
    known = datasets.get(NAME).targets
    return [(target, device) for target in ("latency_ms", "image_ms") for device in known[target]]


def _read(path: Path) -> list[dict]:
    """One record a network, in the order of the files' numbers. Raises BenchError naming the member that is wrong."""
    if not path.exists():
        raise BenchError(f"{path}: no such file; fetch the data set first")
    records, costs = {}, _costs()
    for name, content in archive.members(path, lambda name: name.endswith(".json"), LIMITS):
        if content is None:
            raise BenchError(f"{path}: {name[:80]} is no JSON file; fetch it again")
        try:
            number = int(name.removesuffix(".json").rpartition("_")[2])
            records[number] = _record(orjson.loads(content), costs)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{type(error).__name__} {error}"
            raise BenchError(
                f"{path}: {name[:80]} is not a network of Accel-NASBench: {reason}; fetch it again"
            ) from error
    return [records[number] for number in sorted(records)]


def _record(content: dict, costs: list[tuple[str, str]]) -> dict:
    """What the tables need of one file, with a value or None for each of `costs`.

    Raises ValueError, TypeError, KeyError or AttributeError: it holds anything else.
    """
    parts = [[content["architecture"][f"block{stage}_{part}"] for stage in STAGES] for part in ("l", "k", "e", "se")]
    info = content["model_info"]
    record = {
        "name": "|".join(f"k{k}_e{e}{'_se' if se else ''}_x{depth}" for depth, k, e, se in zip(*parts, strict=True)),
        "graph": blocks.accel(*parts),
        "top1": _positive(content["metrics"]["val_top1"]),
        "macs": 1e6 * _positive(info["macs"]),
        "params": 1e6 * _positive(info["params"]),
    }
    for target, device in costs:
        kind = "latency" if target == "latency_ms" else "throughput"
        mean = content["platform_perf"][f"{kind}_{device}"][f"{kind}_mean"]
        value = None if mean is None else _positive(mean)
        record[target, device] = 1000 / value if value and kind == "throughput" else value
    return record


def _positive(value: object) -> float:
    if type(value) not in (int, float) or not 0 < value < 1e9:
        raise ValueError(f"{value!r} is not a positive number")
    return float(value)


if __name__ == "__main__":
    _common.cli(NAME, convert)
