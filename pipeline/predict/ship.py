"""The predictors that come with the package, one for each of ten platforms of the data set timm_latency:

    snakemake shipped --cores 1

Each learns the labels of seed 0's pool. The held-out networks, in the order of the split, are dealt out in turn: the
even ones give the scores of intervals, the odd ones say how many such intervals hold. For four lineages the same is
done without them, and their networks say what the intervals are worth on networks of a kind that was never seen.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
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
from pipeline.predict import interval, neighbours, one_network, save, saved
from pipeline.predict.floor import Floor
from pipeline.predict.lean_trees import lean_trees
from pipeline.score import metrics
from pipeline.train.cell import Tables, Trained, train

DATASET, TARGET, LABEL, LEVEL = "timm_latency", "image_ms", "gbdt-table", 0.9
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
LEFT_OUT = ("convnext", "efficientnet", "resnet", "vit")
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
            about, networks = _described(cell, rows, lists)
            about |= {"lineages": _lineages(tables, cell, rows), **provenance}
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


def halves(cell: Trained, labels: dict[int, float]) -> tuple[list[int], list[int]]:
    """Held-out networks that have a label, dealt out in turn: those that make intervals, those that test them."""
    held_out = [graph for graph in cell.labels.test.tolist() if graph in labels]
    return held_out[::2], held_out[1::2]


def errors(cell: Trained, labels: dict[int, float], networks: list[int], factor: float) -> dict:
    """How well some networks are predicted, in percent; `coverage`: whose label is within `factor`."""
    predicted = cell.prediction.numpy()[networks]
    true = np.array([labels[graph] for graph in networks])
    inside = np.abs(np.log(true / predicted)) <= math.log(factor)
    found = {"n": len(networks), "mape": metrics.mape(predicted, true), "acc10": metrics.acc10(predicted, true)}
    return {**found, "coverage": 100 * float(inside.mean())}


def _scores(cell: Trained, labels: dict[int, float], networks: list[int]) -> np.ndarray:
    return interval.scores(cell.prediction.numpy()[networks], np.array([labels[graph] for graph in networks]))


def _described(cell: Trained, rows: np.ndarray, lists: dict) -> tuple[dict, saved.Networks]:
    labels = labels_of(cell.tables, cell.about["device"])
    calibrating, testing = halves(cell, labels)
    learned = cell.labels.rows["graph_id"].to_list()
    scores = _scores(cell, labels, calibrating)
    networks = saved.Networks(
        rows=rows[learned],
        values=np.array([labels[graph] for graph in learned]),
        scores=scores,
        names=tuple(lists["names"][graph] for graph in learned),
        families=tuple(lists["families"][graph] for graph in learned),
        far=neighbours.Neighbours.from_rows(rows[learned]).far(),
        ops=lists["ops"],
        floor=Floor(),  # a share of a step's time has no least
    )
    factor = interval.factor(scores, LEVEL)
    both = errors(cell, labels, [*calibrating, *testing], factor)
    own = schema.sound(cell.tables.targets).filter(target=TARGET, device=cell.about["device"])["batch_size"]
    about = {
        **cell.about,
        "vocab": list(cell.graphs.vocab),
        "attr_names": list(cell.graphs.attr_names),
        "known_operations_only": one_network.needs_known_operations(cell.predictor, cell.graphs[:1]),
        "calibration": {key: both[key] for key in ("n", "mape", "acc10")},
        "tested": errors(cell, labels, testing, factor),
        "batch_sizes": {"median": int(own.median()), "least": int(own.min()), "most": int(own.max())},
        "examples": {lists["names"][graph]: float(cell.prediction[graph]) for graph in testing[:EXAMPLES]},
        "learned": learned,
    }
    return about, networks


def _lineages(tables: Tables, cell: Trained, rows: np.ndarray) -> dict[str, dict]:
    """`errors` on each lineage of `LEFT_OUT`, of a predictor and intervals that never saw it; `far`: how many of its
    networks, in percent, are called far."""
    chip, found = cell.about["device"], {}
    labels, family = labels_of(tables, chip), tables.frame["family"].to_list()
    for lineage in LEFT_OUT:
        members = [graph for graph in labels if family[graph] == lineage]
        others = tables.targets.filter(~pl.col("graph_id").is_in(members))
        without = trained(replace(tables, targets=others), chip)
        calibrating, _ = halves(without, labels_of(without.tables, chip))
        factor = interval.factor(_scores(without, labels, calibrating), LEVEL)
        space = neighbours.Neighbours.from_rows(rows[without.labels.rows["graph_id"].to_list()])
        least = space.far()
        far = np.mean([space.nearest(rows[graph], 1)[1][0] > least for graph in members])
        found[lineage] = {**errors(without, labels, members, factor), "far": 100 * float(far)}
    return found


def _write(folder: Path, cell: Trained, about: dict, networks: saved.Networks) -> None:
    """The files of one chip: as `saved.write` has them, without what all chips share; the predictor's JSON zipped."""
    cell.predictor.save(folder)
    plain = folder / "model.json"
    (folder / one_network.ZIPPED).write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    index = np.array(about.pop("learned"), dtype=np.int32)
    save_file({"index": index, "values": networks.values, "scores": networks.scores}, folder / saved.NETWORKS)
    about["networks"] = {"shared": True, "far": networks.far, "floor": asdict(networks.floor)}
    (folder / saved.ABOUT).write_text(json.dumps(about, indent=1))


def _line(about: dict) -> str:
    tested = about["tested"]
    left_out = (f"{name} {one['coverage']:.0f} % ({one['far']:.0f} % far)" for name, one in about["lineages"].items())
    return (
        f"{about['device']}: {about['n_train']} labels, MAPE {tested['mape']:.1f} %, Acc(10%) {tested['acc10']:.1f} %, "
        f"interval holds {tested['coverage']:.1f} % of {tested['n']}; of lineages left out: {', '.join(left_out)}"
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
    ship(Tables.read(args.data, args.split), args.out, {"licence": LICENCE, "data_sha256": hashes, "code": args.code})


if __name__ == "__main__":
    run_cli(main)
