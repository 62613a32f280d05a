"""The networks of a data set made here: python -m pipeline.measure.networks --dataset measured --out DIR

Beside the folder a list DIR.csv names every file with its SHA-256. It is written last, and it is the same when the
networks are: then nothing is timed again.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from pipeline.config import datasets
from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import families


def make(dataset: datasets.Dataset, folder: Path) -> Path:
    """Write the networks and their list; what else is in `folder` is removed. Returns the list's path.

    Raises BenchError when the data set is not made here or names a family that can't be generated.
    """
    if dataset.made is None:
        raise BenchError(f"{dataset.name}: this data set is fetched; give one of config/datasets.yaml with `made`")
    lines = ["network,sha256"]
    for family in dataset.families:
        for k, model in enumerate(families.variants(family, dataset.made.count(family), dataset.made.seed)):
            content = model.SerializeToString(deterministic=True)
            name = f"{family}/{family}-{dataset.made.seed}-{k:04d}"
            io.write_bytes(folder / f"{name}.onnx", content)
            lines.append(f"{name},{hashlib.sha256(content).hexdigest()}")
    wanted = {line.partition(",")[0] for line in lines[1:]}
    for path in folder.rglob("*.onnx"):
        if path.relative_to(folder).with_suffix("").as_posix() not in wanted:
            path.unlink()
    listing = folder.with_name(f"{folder.name}.csv")
    io.write_bytes(listing, ("\n".join(lines) + "\n").encode())
    return listing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.measure.networks", description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", required=True, help="a data set of config/datasets.yaml that is made here")
    parser.add_argument("--out", type=Path, required=True, help="folder of the networks")
    args = parser.parse_args()
    print(make(datasets.get(args.dataset), args.out))


if __name__ == "__main__":
    run_cli(main)
