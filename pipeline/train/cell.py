"""One cell of a grid: fit one predictor on the labels of its budget, predict every network, say how it went."""

from __future__ import annotations

import os
import resource
import time
import traceback
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, provenance, schema, table_checks
from pipeline.core.checkpoint import Checkpoint
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, from_frame
from pipeline.split import training_set
from pipeline.train.supervise import Tell, silent
from predictors import base
from predictors.kit.ensemble import make


@dataclass(frozen=True)
class Tables:
    """The canonical tables of a data set and one of its splits. `meta`: metadata of the graphs' table. `proxies`:
    a row a graph, for a label that asks for them."""

    frame: pl.DataFrame
    meta: dict
    targets: pl.DataFrame
    split: pl.DataFrame
    proxies: pl.DataFrame | None = None

    @classmethod
    def read(cls, data: Path, split: Path, dataset: str, seed: int, proxies: bool = False) -> Tables:
        """From the folder with graphs.parquet and targets.parquet, and proxies.parquet where asked for.

        Raises BenchError naming the file that is wrong, such as the split of another data set or seed.
        """
        frame, meta, targets = table_checks.read(data)
        tables = cls(frame, meta, targets, table_checks.read_split(split, frame.height, meta, dataset, seed))
        if proxies:
            return replace(tables, proxies=table_checks.read_proxies(data / "proxies.parquet", frame.height, meta))
        return tables


@dataclass(frozen=True)
class Trained:
    """A cell that was run. ``prediction``: (n,) for all ``graphs``, None where ``about`` has a status other than ok.

    ``predictor`` is None where it could not be made.
    """

    predictor: base.BasePredictor | None
    graphs: Graphs
    prediction: Tensor | None
    about: dict
    tables: Tables
    labels: training_set.TrainingSet


def pick_torch_device(name: str) -> str:
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``.

    Raises:
        BenchError: ``cuda`` was asked for and there is none.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise BenchError(
            "torch_device: cuda was asked for and torch sees none; set torch_device: auto in the grid config"
        )
    return name


def checked(prediction: Tensor, n: int) -> Tensor:
    """``prediction`` if it is (n,) real numbers that are finite as they are written, in single precision.

    Raises:
        TypeError: not a real tensor of shape (n,): a fault of the predictor's code.
        Diverged: NaN or infinity.
    """
    if not isinstance(prediction, Tensor) or prediction.shape != (n,):
        got = tuple(prediction.shape) if isinstance(prediction, Tensor) else type(prediction).__name__
        raise TypeError(f"predict gave {got}, not a tensor ({n},)")
    if prediction.is_complex():
        raise TypeError("predict gave complex numbers")
    prediction = prediction.detach().cpu().double()
    base.require_finite(prediction.float(), "a prediction")
    return prediction


def available_inputs(graphs: Graphs) -> set[str]:
    """What a predictor may name in ``needs``: attrs, out_shape, flops, macs, params, proxies, tags."""
    have = {k for k in ("flops", "macs", "params") if not getattr(graphs, k).isnan().any()}
    have |= {"proxies"} if graphs.proxies is not None and graphs.proxies.shape[1] else set()
    have |= {"tags"} if graphs.tag is not None else set()
    return have | {k for k in ("attrs", "out_shape") if getattr(graphs, k).shape[1]}


def graphs_and_labels(graphs: Graphs, rows: pl.DataFrame) -> tuple[Graphs, Tensor]:
    """Graphs and labels of the rows (graph_id, device, value), each graph marked with its row's device."""
    picked = graphs[torch.from_numpy(rows["graph_id"].to_numpy().astype("int64"))]
    platform = [graphs.platforms.index(name) for name in rows["device"].to_list()]
    return replace(picked, platform=torch.tensor(platform)), torch.from_numpy(rows["value"].to_numpy().copy())


def with_tags(graphs: Graphs, targets: pl.DataFrame, spec: CellSpec) -> Graphs:
    """``graphs`` with the tags of their labels of the cell's target and device, where the table has tags."""
    if schema.TAG not in targets.columns:
        return graphs
    rows = targets.filter(target=spec.target, device=spec.device).select("graph_id", schema.TAG)
    tag_of = dict(rows.iter_rows())
    return graphs.with_tags([tag_of.get(i, "") for i in range(len(graphs))])


def train(
    spec: CellSpec,
    tables: Tables,
    torch_device: str = "auto",
    tell: Tell = silent,
    checkpoint: tuple[Path, str, float] | None = None,
) -> Trained:
    """Run a cell. Whatever its predictor raises ends as a status: ok, unsupported, diverged or error.

    ``tell`` is given what is known before the predictor's code runs, and None after it: see `supervise`.
    ``checkpoint``: file for a long fit to go on from, key of the code (another one's is not gone on from), and seconds
    between two.

    Raises:
        BenchError: the tables lack what the cell asks for.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch_device = pick_torch_device(torch_device)
    if torch_device == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=True)
    labels = training_set.make(spec, tables.targets, tables.frame, tables.split)
    source_devices = spec.sources.besides(spec.device) if spec.sources else ()
    graphs = from_frame(tables.frame, tables.meta).on_platform(spec.device, (*source_devices, spec.device))
    graphs = with_tags(graphs, tables.targets, spec)
    if tables.proxies is not None:
        columns = tables.proxies.drop("graph_id")
        graphs = replace(
            graphs, proxy_names=tuple(columns.columns), proxies=torch.from_numpy(columns.to_numpy().copy())
        )
    about = {
        "dataset": spec.dataset, "dataset_version": tables.meta["version"], "target": spec.target,
        "device": spec.device, "predictor": spec.label, "config_hash": "", "config": {}, "budget": str(spec.budget),
        "n_train": labels.n_train, "n_val": labels.val_rows.height, "n_source": 0, "seed": spec.seed,
        "torch_device": torch_device, "host_cpu": provenance.cpu(), "host_gpu": provenance.gpu(),
        "torch_version": torch.__version__, "code_rev": provenance.code_rev(), "status": "ok", "message": "",
    }  # fmt: skip
    predictor, prediction = None, None
    tell(about)
    try:
        predictor = make(spec.label, spec.settings, spec.task, spec.random_seed, torch_device)
        about |= {"config_hash": base.config_hash(predictor.config), "config": asdict(predictor.config)}
        about["n_source"] = labels.n_source if predictor.transfers else 0
        tell(about)
        if checkpoint:
            path, code, every_s = checkpoint
            names = (code, spec, about["config_hash"], about["dataset_version"], torch_device, torch.__version__)
            predictor.checkpoint = Checkpoint(path, repr(names), every_s)
        prediction = _fit_and_predict(predictor, graphs, labels, about)
    except (base.Unsupported, base.Diverged) as error:
        about |= {"status": type(error).__name__.lower(), "message": str(error)}
    except Exception as error:
        traceback.print_exc()
        about |= {"status": "error", "message": described(error)}
    tell(None)
    about["peak_mem_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return Trained(predictor, graphs, prediction, about, tables, labels)


def _fit_and_predict(
    predictor: base.BasePredictor, graphs: Graphs, labels: training_set.TrainingSet, about: dict
) -> Tensor:
    """Predictions (n,) of all graphs; what it cost goes into ``about``."""
    missing = predictor.needs - available_inputs(graphs)
    if missing:
        raise base.Unsupported(f"the data set lacks {', '.join(sorted(missing))}")
    if labels.n_train == 0 and not predictor.zero_shot:
        raise base.Unsupported("it needs a label of the new device")
    rows = labels.rows if predictor.transfers else labels.rows.tail(labels.n_train)
    examples = graphs_and_labels(graphs, rows)
    validation = graphs_and_labels(graphs, labels.val_rows) if labels.val_rows.height else (None, None)
    predictor.unlabelled = graphs if "proxies" in predictor.needs else None
    wall, cpu = time.perf_counter(), time.process_time()
    predictor.fit(*examples, *validation)
    about |= {"fit_s": time.perf_counter() - wall, "fit_cpu_s": time.process_time() - cpu}
    if predictor.checkpoint:
        about["fit_s"] += predictor.checkpoint.wall_s
        about["fit_cpu_s"] += predictor.checkpoint.cpu_s
    wall, cpu = time.perf_counter(), time.process_time()
    prediction = checked(predictor.predict(graphs), len(graphs))
    about |= {"predict_s": time.perf_counter() - wall, "predict_cpu_s": time.process_time() - cpu}
    about["n_params"] = predictor.n_params
    return prediction


def described(error: Exception) -> str:
    """An exception as one line: its kind and text, and where in the code it was raised."""
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    text = " ".join(str(error).encode(errors="replace").decode().split())  # half a surrogate pair can't be printed
    if isinstance(error, BenchError):
        return text
    return f"{type(error).__name__}: {text} (at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno})"


def write(path: Path, cell: Trained) -> None:
    """Write the predictions of a cell, and how it went into the metadata."""
    graphs, prediction = cell.graphs, cell.prediction
    ids = graphs.graph_id if prediction is not None else torch.empty(0, dtype=torch.long)
    values = prediction if prediction is not None else torch.empty(0)
    out = pl.DataFrame({"graph_id": ids.numpy(), "prediction": values.numpy()}).cast(
        {"graph_id": pl.UInt32, "prediction": pl.Float32}
    )
    io.write_parquet(path, out, cell.about)
