"""How long a network takes on a device, from a saved predictor:

    python -m pipeline.predict MODEL.onnx ... --device ort-cpu-fp32-1t --predictor nn_former
    python -m pipeline.predict --list

or from Python: ``from pipeline.predict.model import load``, then
``load(device="ort-cpu-fp32-1t").predict("MODEL.onnx")``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import BenchError, one_line
from pipeline.onnx import sizes
from pipeline.predict.lean_imports import lean_imports
from pipeline.predict.prediction import Measured, Neighbour, Prediction, report, warnings_of

if TYPE_CHECKING:
    import numpy as np

    from pipeline.onnx.graph import OnnxGraph
    from pipeline.predict.saved import Entry

LEVEL, NEAREST, PREDICTOR = 0.9, 5, "nn_former"


class Model:
    """A saved predictor, ready to be asked. `about` is what was written down when it was trained."""

    def __init__(self, entry: Entry) -> None:
        from pipeline.predict import one_network
        from pipeline.predict.saved import read_networks

        self.about, self.folder = entry.about, entry.folder
        self.networks, self._space = read_networks(entry)
        self._predictor = one_network.load(entry.folder, entry.predictor)

    def predict(
        self,
        source: Path | str | bytes,
        batch_size: int | None = None,
        dims: Mapping[str, int] | None = None,
        level: float = LEVEL,
        nearest: int = NEAREST,
        name: str = "",
    ) -> Prediction:
        """Latency of an ONNX model, given as a path or as bytes.

        `batch_size` replaces the file's own, `dims` sizes open dimensions by name, `nearest` networks are listed. The
        network is taken as in the file or as runtimes run it (`as_run`), whichever lies nearer to a training network.
        Raises BenchError: no good model, a level that can't be had, or operations that the predictor can't take.
        """
        from pipeline.onnx.as_run import as_run
        from pipeline.onnx.graph import INPUT, read_graph
        from pipeline.predict import interval, one_network

        factor = interval.factor(self.networks.scores, level)
        graph = read_graph(source, name, batch_size, dims)
        k = max(1, nearest)
        forms = [(form, *self._space.nearest(self._row(form), k)) for form in (as_run(graph), graph)]
        form, order, distance = min(forms, key=lambda candidate: candidate[2][0])  # a tie: as run
        self._refuse_unknown(form)
        graphs = one_network.as_graphs(form, self.about["vocab"], self.about["attr_names"], self.about["device"])
        predicted = one_network.predict(self._predictor, graphs)
        value = max(predicted, self.networks.floor.of(sum(op != INPUT for op in form.ops)))
        prediction = Prediction(
            model=graph.name,
            device=self.about["device"],
            predictor=self.about["predictor"],
            dataset=self.about["dataset"],
            latency_ms=value,
            level=level,
            low_ms=value / factor,
            high_ms=value * factor,
            held_out=len(self.networks.scores),
            batch_size=graph.batch_size,
            flops=float(graph.flops.sum()),
            macs=float(graph.macs.sum()),
            params=float(graph.params.sum()),
            memory_bytes=float(graph.memory_bytes.sum()),
            distance=float(distance[0]),
            far_above=self.networks.far,
            far=bool(distance[0] > self.networks.far),
            nearest=tuple(self._neighbour(i, d) for i, d in zip(order, distance, strict=True))[:nearest],
            notes=graph.notes,
            warnings=(),
        )
        unseen = sorted(set(form.ops).difference(self.networks.ops))
        fastest = float(self.networks.values.min())
        return replace(prediction, warnings=tuple(warnings_of(prediction, unseen, predicted, fastest)))

    def _refuse_unknown(self, graph: OnnxGraph) -> None:
        """Raise BenchError where the predictor takes known operations only and the network has others."""
        unknown = sorted(set(graph.ops).difference(self.about["vocab"]))
        if self.about["known_operations_only"] and unknown:
            raise BenchError(
                f"{graph.name}: {self.about['predictor']} can't take operations it has no place for: "
                f"{', '.join(unknown)}; use another predictor, such as {PREDICTOR}"
            )

    def _row(self, graph: OnnxGraph) -> np.ndarray:
        from pipeline.predict import neighbours

        costs = tuple(float(cost.sum()) for cost in (graph.flops, graph.params, graph.memory_bytes))
        return neighbours.row(graph.ops, graph.src, graph.dst, graph.out_shapes[0][0], costs, self.networks.ops)

    def _neighbour(self, i: int, distance: float) -> Neighbour:
        known = self.networks
        return Neighbour(known.names[i], known.families[i], float(known.values[i]), float(distance))


def load(
    device: str | None = None,
    predictor: str | None = PREDICTOR,
    dataset: str | None = None,
    models: Path | str | None = None,
) -> Model:
    """The saved predictor for a device; `models` is the folder to look in (default: results/models).

    `device` and `dataset` may be left out where only one fits. Of several sizes the one with the most labels is taken.
    Raises BenchError, listing what there is, when none fits or it can't be read.
    """
    from pipeline.predict import saved

    return Model(saved.choose(Path(models) if models else saved.MODELS, device, predictor, dataset))


def measure(
    path: Path, prediction: Prediction, batch_size: int | None = None, dims: Mapping[str, int] | None = None
) -> Prediction:
    """`prediction`, with a real timing of the file beside it, at the sizes that were predicted.

    Raises BenchError when the device is not this machine.
    """
    from pipeline.measure.run import time_one

    sizes = {key: value for key, value in (("batch_size", batch_size), ("dims", dims)) if value}
    timing = time_one(path, prediction.device, **sizes)
    latency_ms, error, in_interval = timing.q1_ms, None, None  # as labels are: pipeline.measure.timing
    if timing.status == "ok":
        error = 100 * (prediction.latency_ms - latency_ms) / latency_ms
        in_interval = prediction.low_ms <= latency_ms <= prediction.high_ms
    measured = Measured(
        timing.status,
        timing.message,
        latency_ms,
        timing.median_ms,
        timing.repeats,
        timing.busy,
        error,
        in_interval,
    )
    return replace(prediction, measured=measured)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.predict", description="Latency of an ONNX network.")
    arguments(parser)
    return run(parser.parse_args())


def run(args: argparse.Namespace) -> int:
    """What the command line asks for. Raises BenchError; `args` as `arguments` has them."""
    if bool(args.files) == args.list:
        args.usage_error("give MODEL.onnx, or --list")
    from pipeline.predict import saved

    models = args.models or saved.MODELS
    if args.list:
        return _list(models, args.json)
    dims = sizes.dims(args)
    entry = saved.choose(models, args.device, args.predictor, args.dataset)
    with lean_imports():
        model = Model(entry)
    answers, status = [], 0
    for file in args.files:
        try:
            answer = model.predict(file, args.batch_size, dims, args.level, args.nearest)
            answers.append(measure(Path(file), answer, args.batch_size, dims) if args.measure else answer)
        except BenchError as error:
            if len(args.files) == 1:
                raise
            print(f"error: {one_line(error)}", file=sys.stderr)
            status = 1
    if args.json:
        rows = [asdict(answer) for answer in answers]
        print(json.dumps(rows[0] if len(args.files) == 1 else rows, indent=1))
    else:
        print("\n\n".join(map(report, answers)))
    failed = any(answer.measured is not None and answer.measured.status != "ok" for answer in answers)
    return 1 if failed else status


def _list(models: Path, as_json: bool) -> int:
    from pipeline.predict import saved

    entries, broken = saved.entries(models)
    if as_json:
        keys = ("predictor", "device", "dataset", "dataset_version", "target", "n_train", "status", "message")
        rows = [
            {"folder": str(e.folder), **{k: e.about[k] for k in keys}, "calibration": e.about.get("calibration")}
            for e in entries
        ]
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(e.line for e in entries) or f"{models}: no saved predictor; run: snakemake models --cores 2")
    for line in broken:
        print(f"warning: {line}", file=sys.stderr)
    return 0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.set_defaults(usage_error=parser.error)
    parser.add_argument("files", nargs="*", metavar="MODEL.onnx", help="with or without weights")
    parser.add_argument("--device", help="platform of the measurements; needed where several have a saved predictor")
    parser.add_argument("--predictor", default=PREDICTOR, help="label of a saved predictor (default: %(default)s)")
    parser.add_argument("--dataset", help="needed where several have such a predictor")
    parser.add_argument("--level", type=float, default=LEVEL, help="probability of the interval (default: %(default)s)")
    parser.add_argument("--nearest", type=int, default=NEAREST, help="measured networks to list (default: %(default)s)")
    sizes.add_sizes(parser)
    parser.add_argument("--measure", action="store_true", help="time the network too, and show the error")
    parser.add_argument(
        "--json", action="store_true", help="print JSON (workflow/schemas/prediction.schema.json); of several, a list"
    )
    parser.add_argument("--list", action="store_true", help="list the saved predictors")
    parser.add_argument("--models", type=Path, help="folder of saved predictors (default: results/models)")
