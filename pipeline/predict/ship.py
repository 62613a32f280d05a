"""The predictors that come with the package, one for each of ten platforms of the data set timm_latency:

    snakemake shipped --cores 1

Each learns the labels of seed 0's pool; the held-out networks give the offset of intervals. To say how many intervals
hold, these networks are dealt out in turn, in the order of the split, and each half gets those that the other makes.
The same is trained without every lineage: how its networks are predicted gives the slope of intervals with distance.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from pipeline.config.cell_spec import CellSpec
from pipeline.config.grid import SHARED_LABELS
from pipeline.config.strict_yaml import read_yaml
from pipeline.core import io, schema
from pipeline.core.errors import BenchError, run_cli
from pipeline.predict import lineages, one_network, save, saved
from pipeline.predict.floor import Floor
from pipeline.predict.interval import Errors, Pairs
from pipeline.predict.lean_trees import lean_trees
from pipeline.predict.lineages import LeftOut, Predicted
from pipeline.train.cell import Tables, Trained, train

DATASET, TARGET, LABEL = "timm_latency", "image_ms", "gbdt-table"
CHIPS = (
    "i7_12700h_fp32_nchw_dynamo_pt240",
    "i9_10940x_fp32_nchw_dynamo_pt240",
    "rtx3090_amp_nchw_eager_pt240",
    "rtx4090_amp_nchw_eager_pt291",
    "rtx4090_amp_nchw_dynamo_pt291",
    "rtx5090_amp_nchw_eager_pt291",
    "rtx5090_amp_nchw_dynamo_pt291",
    "pro6000maxq_bf16_nchw_dynamo_pt291",
    "jetson_nano_cpu_fp32_ort",
    "jetson_nano_gpu_fp32_ort",
)
LEAST = 20  # labelled networks of a lineage that is left out
LICENCE = "labels: Apache-2.0 (timm's benchmark tables, clsbench)"
EXAMPLES = 3  # networks whose prediction is written down, so that a test can ask again


def ship(tables: Tables, out: Path, provenance: dict, chips: tuple[str, ...] = CHIPS) -> None:
    """Train and write the predictors of all chips, and what they share. Raises BenchError when one can't be trained."""
    rows, lists = None, {}
    with io.atomic_folder(out) as folder:
        for chip in chips:
            cell = trained(tables, chip)
            if rows is None:
                rows, lists = _all_networks(cell)
                save_file({"rows": rows}, folder / saved.NETWORKS)
                (folder / saved.SHARED).write_text(json.dumps(lists))
            about, networks = _described(cell, rows, lists, without_each(cell, rows))
            about |= provenance
            _write(folder / chip, cell, about, networks)
            print(_line(about), flush=True)


def trained(tables: Tables, chip: str) -> Trained:
    """The cell of a chip at all labels, its trees made lean; its predictions are those of the lean trees."""
    settings = read_yaml(SHARED_LABELS)[LABEL]
    spec = CellSpec.from_values(DATASET, TARGET, LABEL, "all", device=chip, overrides=settings, protocol="in_domain")
    cell = train(spec, tables, "cpu")
    if cell.prediction is None:
        raise BenchError(f"{LABEL} on {chip}: {cell.about['status']}: {cell.about['message']}; mend the predictor")
    cell.predictor.notes["trees"] = lean_trees(cell.predictor.notes["trees"])
    cell.predictor.restored()
    return replace(cell, prediction=cell.predictor.predict(cell.graphs))


def _all_networks(cell: Trained) -> tuple[np.ndarray, dict]:
    """Rows of all graphs, (n, F) float32, and their names, families and operations."""
    graphs, frame = cell.graphs, cell.tables.frame
    ops = tuple(sorted({graphs.vocab[op] for op in graphs.op.unique().tolist()}))
    rows = np.stack([save.row_of(graphs[i : i + 1], ops) for i in range(len(graphs))]).astype(np.float32)
    return rows, {"names": frame["name"].to_list(), "families": frame["family"].to_list(), "ops": ops}


def labels_of(tables: Tables, chip: str) -> dict[int, float]:
    """graph_id: milliseconds an image, of every sound label of a chip."""
    own = schema.sound(tables.targets).filter(target=TARGET, device=chip)
    return dict(own.select("graph_id", "value").iter_rows())


def held_out(cell: Trained, labels: Mapping[int, float], rows: np.ndarray) -> tuple[np.ndarray, Predicted]:
    """The held-out networks with a label, in the order of the split, and how they are predicted."""
    graphs = np.array([graph for graph in cell.labels.test.tolist() if graph in labels])
    return graphs, _asked(cell, graphs, labels, rows)


def without_each(cell: Trained, rows: np.ndarray) -> list[LeftOut]:
    """The same predictor without each lineage of at least LEAST labelled networks, asked about that lineage."""
    tables, labels = cell.tables, labels_of(cell.tables, cell.about["device"])
    family = tables.frame["family"].to_list()
    counts = Counter(family[graph] for graph in labels)
    found = []
    for lineage in sorted(name for name, count in counts.items() if count >= LEAST):
        members = np.array([graph for graph in labels if family[graph] == lineage])
        others = tables.targets.filter(~pl.col("graph_id").is_in(members))
        without = trained(replace(tables, targets=others), cell.about["device"])
        learnable = np.isin(members, cell.labels.rows["graph_id"].to_numpy())
        _, known = held_out(without, labels_of(without.tables, cell.about["device"]), rows)
        found.append(LeftOut(lineage, _asked(without, members, labels, rows), learnable, known))
    return found


def _asked(cell: Trained, graphs: np.ndarray, labels: Mapping[int, float], rows: np.ndarray) -> Predicted:
    learned = cell.labels.rows["graph_id"].to_numpy()
    return lineages.asked(graphs, cell.prediction.numpy(), labels, rows, learned)


def _each_half_by_the_other(known: Predicted, left_out: Pairs) -> dict:
    """`Predicted.held` of the held-out networks: the even ones by intervals that the odd ones make, and so back."""
    widths = np.empty(len(known.true))
    for tested, making in ((0, 1), (1, 0)):
        errors = Errors(known.part(slice(making, None, 2)).pairs, left_out)
        widths[tested::2] = errors.half_widths(known.distance[tested::2], lineages.LEVEL)
    return known.held(widths)


def _described(cell: Trained, rows: np.ndarray, lists: dict, trials: list[LeftOut]) -> tuple[dict, saved.Networks]:
    labels = labels_of(cell.tables, cell.about["device"])
    graphs, known = held_out(cell, labels, rows)
    learned = cell.labels.rows["graph_id"].to_list()
    left_out = lineages.pairs(trials)
    networks = saved.Networks(
        rows=rows[learned],
        values=np.array([labels[graph] for graph in learned]),
        errors=Errors(known.pairs, left_out),
        names=tuple(lists["names"][graph] for graph in learned),
        families=tuple(lists["families"][graph] for graph in learned),
        ops=lists["ops"],
        floor=Floor(),  # a share of a step's time has no least
    )
    own = schema.sound(cell.tables.targets).filter(target=TARGET, device=cell.about["device"])["batch_size"]
    about = {
        **cell.about,
        "vocab": list(cell.graphs.vocab),
        "attr_names": list(cell.graphs.attr_names),
        "known_operations_only": one_network.needs_known_operations(cell.predictor, cell.graphs[:1]),
        "calibration": known.accuracy,
        "tested": {**known.accuracy, **_each_half_by_the_other(known, left_out)},
        **lineages.checked(trials),
        "batch_sizes": {"median": int(own.median()), "least": int(own.min()), "most": int(own.max())},
        "examples": {lists["names"][graph]: float(cell.prediction[graph]) for graph in graphs[:EXAMPLES].tolist()},
        "learned": learned,
    }
    return about, networks


def _write(folder: Path, cell: Trained, about: dict, networks: saved.Networks) -> None:
    """The files of one chip: as `saved.write` has them, without what all chips share; the predictor's JSON zipped."""
    cell.predictor.save(folder)
    plain = folder / "model.json"
    (folder / one_network.ZIPPED).write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    index = np.array(about.pop("learned"), dtype=np.int32)
    arrays = {"index": index, "values": networks.values, **saved.error_arrays(networks.errors)}
    save_file(arrays, folder / saved.NETWORKS)
    about["networks"] = {"shared": True, "floor": asdict(networks.floor)}
    (folder / saved.ABOUT).write_text(json.dumps(about, indent=1))


def _line(about: dict) -> str:
    tested, left_out = about["tested"], about["left_out"]
    each = ", ".join(f"{name} {one['coverage']:.0f} %" for name, one in about["lineages"].items())
    return (
        f"{about['device']}: {about['n_train']} labels, MAPE {tested['mape']:.1f} %, Acc(10%) {tested['acc10']:.1f} %, "
        f"interval holds {tested['coverage']:.1f} % of {tested['n']}; lineages left out {left_out['coverage']:.1f} %, "
        f"each by the others: {each}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.predict.ship", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/parquet") / DATASET, help="folder of its tables")
    parser.add_argument("--split", type=Path, default=Path("data/splits") / DATASET / "0.parquet", help="of seed 0")
    parser.add_argument("--code", default="", help="key of the code, written down")
    parser.add_argument("--out", type=Path, default=saved.SHIPPED, help="folder to write (%(default)s)")
    args = parser.parse_args()
    hashes = {name: io.file_sha256(args.data / name) for name in ("graphs.parquet", "targets.parquet")}
    hashes["split"] = io.file_sha256(args.split)
    tables = Tables.read(args.data, args.split, DATASET, seed=0)
    ship(tables, args.out, {"licence": LICENCE, "data_sha256": hashes, "code": args.code})


if __name__ == "__main__":
    run_cli(main)
