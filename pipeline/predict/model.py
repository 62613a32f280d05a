"""How long a network takes on a device, from a saved predictor: ``from pipeline.predict.model import load``, then
``load(device="ort-cpu-fp32-1t").predict("MODEL.onnx")``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import BenchError, one_line
from pipeline.predict.chips import PER_IMAGE, meaning
from pipeline.predict.prediction import Expected, Measured, Neighbour, Prediction, warnings_of

if TYPE_CHECKING:
    import numpy as np

    from pipeline.core.graphs import Graphs
    from pipeline.onnx.graph import OnnxGraph
    from pipeline.predict.interval import Errors
    from pipeline.predict.saved import Entry

LEVEL, NEAREST, PREDICTOR = 0.9, 5, "nn_former"
LONGEST = 200  # letters of what an error of a library says


@lru_cache(maxsize=2)  # the two forms of a network, for each of several predictors
def _row(graph: OnnxGraph, known_ops: tuple[str, ...]) -> np.ndarray:
    from pipeline.predict import neighbours

    costs = tuple(float(cost.sum()) for cost in (graph.flops, graph.params, graph.memory_bytes))
    return neighbours.row(graph.ops, graph.src, graph.dst, graph.out_shapes[0][0], costs, known_ops)


class Model:
    """A saved predictor, ready to be asked. `about` is what was written down when it was trained."""

    def __init__(self, entry: Entry) -> None:
        from pipeline.predict import one_network
        from pipeline.predict.saved import read_networks

        self.about, self.folder = entry.about, entry.folder
        self.networks, self._space = read_networks(entry)
        self._predictor = one_network.load(entry.folder, entry.predictor)

    def read(
        self,
        source: Path | str | bytes,
        name: str = "",
        batch_size: int | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> OnnxGraph:
        """The graph of an ONNX model at the sizes that are predicted.

        `batch_size` replaces the file's own, `dims` sizes open dimensions by name. Where latencies are of an image, the
        batch is one. Raises BenchError: no good model.
        """
        from pipeline.onnx.graph import read_graph

        if self.about["target"] == PER_IMAGE:
            if batch_size not in (None, 1):
                raise BenchError(
                    f"batch size {batch_size}: on {self.about['device']} latencies are of an image, at the batch sizes "
                    "that were timed; leave it out"
                )
            batch_size = 1
        return read_graph(source, name, batch_size, dims)

    def predict(
        self,
        source: Path | str | bytes | OnnxGraph,
        batch_size: int | None = None,
        dims: Mapping[str, int] | None = None,
        level: float = LEVEL,
        nearest: int = NEAREST,
        name: str = "",
    ) -> Prediction:
        """Latency of an ONNX model, given as a path, as bytes or as `read` gives it.

        `batch_size`, `dims`: as for `read`; `nearest` networks are listed. Raises BenchError: no good model, a level
        that can't be had, or operations that the predictor can't take.
        """
        from pipeline.onnx.graph import OnnxGraph

        graph = source if isinstance(source, OnnxGraph) else self.read(source, name, batch_size, dims)
        with self._answering():
            return self._predict(graph, level, nearest)

    def _predict(self, graph: OnnxGraph, level: float, nearest: int) -> Prediction:
        from pipeline.onnx.graph import INPUT
        from pipeline.predict import one_network

        errors = self.networks.errors
        form, order, distance = self._nearer_form(graph, max(1, nearest))
        graphs, vocab = self._as_graphs(form)
        predicted = one_network.predict(self._predictor, graphs, vocab)
        factor = math.exp(errors.half_widths(distance[0], level))
        value = max(predicted, self.networks.floor.of(sum(op != INPUT for op in form.ops)))
        if not all(map(math.isfinite, (predicted, value, value * factor))):
            raise ValueError(f"{predicted} ms is no answer")
        prediction = Prediction(
            model=graph.name,
            device=self.about["device"],
            predictor=self.about["predictor"],
            dataset=self.about["dataset"],
            meaning=meaning(self.about),
            batch_timed=self.about["batch_sizes"]["median"] if self.about["target"] == PER_IMAGE else None,
            latency_ms=value,
            level=level,
            low_ms=value / factor,
            high_ms=value * factor,
            held_out=len(errors.held_out),
            batch_size=graph.batch_size,
            flops=float(graph.flops.sum()),
            macs=float(graph.macs.sum()),
            params=float(graph.params.sum()),
            memory_bytes=float(graph.memory_bytes.sum()),
            distance=float(distance[0]),
            grade=errors.grade(distance[0]),
            expected=_expected(errors, distance[0]),
            nearest=tuple(self._neighbour(i, d) for i, d in zip(order, distance, strict=True))[:nearest],
            notes=graph.notes,
            warnings=(),
        )
        unseen = sorted(set(form.ops).difference(self.networks.ops))
        fastest = float(self.networks.values.min())
        return replace(prediction, warnings=tuple(warnings_of(prediction, unseen, predicted, fastest)))

    def node_times(
        self, graph: OnnxGraph, total_ms: float, as_written: bool = False
    ) -> tuple[OnnxGraph, np.ndarray, list[str]]:
        """The form of a network that is predicted, what each of its nodes takes of `total_ms`, (n,) milliseconds, and
        the kinds of operation that they are.

        With `as_written`, the network as in the file. The shares are those of the predictor's table of costs, whose
        multiple it predicts. Raises BenchError where it has no such table.
        """
        from pipeline.predict import one_network

        with self._answering():
            form = graph if as_written else self._nearer_form(graph, 1)[0]
            found = one_network.node_times(self._predictor, self._as_graphs(form)[0], total_ms)
            if found and not found[0].sum() < math.inf:
                raise ValueError("a time is not finite")
        if not found:
            raise BenchError(
                f"{self.about['predictor']}: gives no time to single operations; take one that multiplies a table of "
                "costs, such as gbdt-table, nn_former or table"
            )
        return form, *found

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What a damaged model raises when it is asked, as one line."""
        try:
            yield
        except BenchError:
            raise
        except Exception as error:
            what = one_line(error)[:LONGEST] or type(error).__name__
            raise BenchError(f"{self.folder}: can't answer ({what}); train it again") from error

    def _nearer_form(self, graph: OnnxGraph, k: int) -> tuple[OnnxGraph, np.ndarray, np.ndarray]:
        """The network as in the file or as runtimes run it (`as_run`), whichever lies nearer to a training network, the
        positions of its `k` nearest and their distances."""
        from pipeline.onnx.as_run import as_run

        forms = [(form, *self._space.nearest(_row(form, self.networks.ops), k)) for form in (as_run(graph), graph)]
        return min(forms, key=lambda candidate: candidate[2][0])  # a tie: as run

    def _as_graphs(self, form: OnnxGraph) -> tuple[Graphs, tuple[str, ...] | None]:
        """A network as the predictor takes it, and the operations that it knows where it takes no others.

        Raises BenchError where it can't do with others and the network has some.
        """
        from pipeline.predict import one_network

        graphs = one_network.as_graphs(form, tuple(self.about["vocab"]), tuple(self.about["attr_names"]))
        graphs = replace(graphs, platforms=(self.about["device"],))
        if not self.about["known_operations_only"]:
            return graphs, None
        unknown = graphs.vocab[len(self.about["vocab"]) :]
        if unknown and not one_network.has_node_costs(self._predictor):
            raise BenchError(
                f"{form.name}: {self.about['predictor']} can't take operations it has no place for: "
                f"{', '.join(unknown)}; use another predictor, such as {PREDICTOR}"
            )
        return graphs, tuple(self.about["vocab"])

    def _neighbour(self, i: int, distance: float) -> Neighbour:
        known = self.networks
        return Neighbour(known.names[i], known.families[i], float(known.values[i]), float(distance))


def _expected(errors: Errors, distance: float) -> Expected | None:
    if not len(errors.left_out):
        return None
    over = 100 * float(errors.chance(distance)[0])
    return Expected(100 * errors.error_at(distance, 0.5), 100 * errors.error_at(distance, 0.9), over)


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
    latency_ms, error, in_interval = timing.min_ms, None, None  # as labels are: pipeline.measure.timing
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
