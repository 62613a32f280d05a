"""One cell of a grid: fit one predictor on the first labels of one split and write its predictions for every graph."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from pipeline.config.budget import Sources
from pipeline.core import io, provenance
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs, from_frame
from pipeline.split import training_set
from predictors import base
from predictors.kit.ensemble import make


class _Timeout(Exception):
    pass


@dataclass(frozen=True)
class Trained:
    """A cell that was run. ``prediction``: (n,) for all ``graphs``, None where ``about`` has a status other than ok.

    ``labels``: graph_id, value of the cell's own device. ``frame``, ``meta``: the graphs' table and its metadata.
    """

    predictor: base.BasePredictor
    graphs: Graphs
    prediction: Tensor | None
    about: dict
    labels: pl.DataFrame
    trained_on: training_set.TrainingSet
    frame: pl.DataFrame
    meta: dict


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


def task_of(target: str) -> str:
    """``cost`` for latencies and energies (``_ms``, ``_mj``), else ``accuracy``."""
    return "cost" if target.endswith(("_ms", "_mj")) else "accuracy"


@contextmanager
def time_limit(seconds: int):
    """Raise `_Timeout` in the main thread after ``seconds``."""

    def stop(*_):
        raise _Timeout(f"took longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def checked(prediction: Tensor, n: int, label: str) -> Tensor:
    """``prediction`` if it is (n,) finite numbers.

    Raises:
        BenchError: not a tensor of shape (n,): a fault of the predictor's code.
        Diverged: NaN or infinity.
    """
    if not isinstance(prediction, Tensor) or prediction.shape != (n,):
        got = tuple(prediction.shape) if isinstance(prediction, Tensor) else type(prediction).__name__
        raise BenchError(f"predictors/{label.partition('-')[0]}.py: predict gave {got}, not a tensor ({n},); mend it")
    return base.require_finite(prediction.detach().cpu().double(), "a prediction")


def run_cell(
    predictor: base.BasePredictor,
    train: tuple[Graphs, Tensor],
    val: tuple[Graphs, Tensor] | tuple[None, None],
    graphs: Graphs,
    timeout: int,
    label: str,
) -> tuple[Tensor | None, dict]:
    """Fit and predict under a time limit. Returns predictions (n,) or None, and what it cost and how it ended."""
    about: dict = {"status": "ok", "message": ""}
    prediction = None
    try:
        missing = predictor.needs - available_inputs(graphs)
        if missing:
            raise base.Unsupported(f"the data set lacks {', '.join(sorted(missing))}")
        with time_limit(timeout):
            wall, cpu = time.perf_counter(), time.process_time()
            predictor.fit(*train, *val)
            about |= {"fit_s": time.perf_counter() - wall, "fit_cpu_s": time.process_time() - cpu}
            wall, cpu = time.perf_counter(), time.process_time()
            prediction = checked(predictor.predict(graphs), len(graphs), label)
            about |= {"predict_s": time.perf_counter() - wall, "predict_cpu_s": time.process_time() - cpu}
        about["n_params"] = predictor.n_params
    except base.Unsupported as error:
        about |= {"status": "unsupported", "message": str(error)}
    except base.Diverged as error:
        about |= {"status": "diverged", "message": str(error)}
    except _Timeout as error:
        about |= {"status": "timeout", "message": str(error)}
    about["peak_mem_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (prediction if about["status"] == "ok" else None), about


def available_inputs(graphs: Graphs) -> set[str]:
    """What a predictor may name in ``needs``: attrs, out_shape, flops, macs, params."""
    have = {k for k in ("flops", "macs", "params") if not getattr(graphs, k).isnan().any()}
    return have | {k for k in ("attrs", "out_shape") if getattr(graphs, k).shape[1]}


def training_graphs(graphs: Graphs, rows: pl.DataFrame) -> tuple[Graphs, Tensor]:
    """Graphs and labels of the rows (graph_id, device, value), each graph marked with its row's device."""
    picked = graphs[torch.from_numpy(rows["graph_id"].to_numpy().astype("int64"))]
    platform = [graphs.platforms.index(name) for name in rows["device"].to_list()]
    return replace(picked, platform=torch.tensor(platform)), torch.from_numpy(rows["value"].to_numpy().copy())


def train(args: argparse.Namespace) -> Trained:
    """Run the cell of the arguments (see `parser`).

    Raises:
        BenchError: bad input, or a fault of the predictor's code.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data, name = Path(args.data), args.predictor.partition("-")[0]
    overrides = json.loads(args.config)
    device = pick_torch_device(args.torch_device)
    if device == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=True)
    predictor = make(args.predictor, overrides, task_of(args.target), args.seed, device)
    frame, meta = io.read_parquet(data / "graphs.parquet"), io.read_meta(data / "graphs.parquet")
    labels = io.read_parquet(data / "targets.parquet").filter(pl.col("target") == args.target)
    sources = Sources.parse(args.sources)
    trained = training_set.make(args.train, sources, args.device, labels, frame, io.read_parquet(args.split))
    platforms = (*sources.others(args.device), args.device) if sources else (args.device,)
    graphs = from_frame(frame, meta).on(args.device, platforms)
    rows = trained.rows if predictor.transfers else trained.rows.tail(trained.n_train)
    examples = training_graphs(graphs, rows)
    own = labels.filter(pl.col("device") == args.device)
    held = pl.DataFrame({"graph_id": trained.val}, schema={"graph_id": pl.UInt32}).join(own, on="graph_id")
    val = training_graphs(graphs, held) if held.height else (None, None)
    try:
        prediction, about = run_cell(predictor, examples, val, graphs, args.timeout, args.predictor)
    except BenchError:
        raise
    except Exception as error:
        at = error.__traceback__
        while at.tb_next:
            at = at.tb_next
        place = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
        raise BenchError(
            f"predictors/{name}.py failed on {args.dataset} {args.train} seed {args.seed}: "
            f"{type(error).__name__}: {error} (at {place}); mend the predictor"
        ) from error
    about |= {
        "dataset": args.dataset, "dataset_version": meta["version"], "target": args.target, "device": args.device,
        "predictor": args.predictor, "config_hash": base.config_hash(predictor.config),
        "config": asdict(predictor.config), "train": args.train, "n_train": trained.n_train,
        "n_val": held.height, "n_source": rows.height - trained.n_train, "seed": args.seed,
        "torch_device": device, "host_cpu": provenance.cpu(), "host_gpu": provenance.gpu(),
        "torch_version": torch.__version__, "code_rev": provenance.code_rev(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    return Trained(predictor, graphs, prediction, about, own, trained, frame, meta)


def write(path: Path, cell: Trained) -> None:
    """Write the predictions of a cell, and how it went into the metadata."""
    graphs, prediction = cell.graphs, cell.prediction
    ids = graphs.graph_id if prediction is not None else torch.empty(0, dtype=torch.long)
    values = prediction if prediction is not None else torch.empty(0)
    out = pl.DataFrame({"graph_id": ids.numpy(), "prediction": values.numpy()}).cast(
        {"graph_id": pl.UInt32, "prediction": pl.Float32}
    )
    io.write_parquet(path, out, cell.about)
    if cell.about["status"] != "ok":
        print(f"{path}: {cell.about['status']}: {cell.about['message']}")


def main() -> None:
    args = parser().parse_args()
    write(Path(args.out), train(args))


def parser() -> argparse.ArgumentParser:
    """The command line of a cell."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.train", description=__doc__)
    parser.add_argument("--dataset", required=True, help="name in config/datasets.yaml")
    parser.add_argument("--target", required=True, help="label to learn, such as test_acc")
    parser.add_argument("--device", default="any", help="device whose cost is predicted; `any` for accuracy")
    parser.add_argument("--predictor", required=True, help="<predictor> or <predictor>-<variant>")
    parser.add_argument("--config", default="{}", help="settings as JSON, over the predictor's defaults")
    parser.add_argument("--train", required=True, help="0.005, n900, stage or without-FAMILY; see train_words.py")
    parser.add_argument("--sources", default="{}", help="other devices trained on as well, as JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", required=True, help="folder with graphs.parquet and targets.parquet")
    parser.add_argument("--split", required=True, help="split file of this seed")
    parser.add_argument("--torch-device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--timeout", type=int, default=3600, help="seconds for fit and predict together")
    parser.add_argument("--out", required=True, help="predictions file to write")
    return parser
