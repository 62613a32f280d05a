"""One cell of a grid, trained and kept: its predictions file, and the predictor with what answering needs."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.core import io, schema
from pipeline.core.errors import BenchError, run_cli
from pipeline.core.graphs import Graphs
from pipeline.onnx.graph import INPUT
from pipeline.predict import floor, lineages, neighbours, one_network, saved
from pipeline.predict.interval import Errors
from pipeline.train import command
from pipeline.train.cell import Trained, described, write
from pipeline.train.supervise import Tell, supervise, write_empty


def networks_of(cell: Trained, left_out: Sequence[Path] = ()) -> tuple[saved.Networks, dict]:
    """The measured networks of a trained cell, and how well the held-out ones were predicted, and those of lineages
    left out, of which `left_out` are predictions files (`lineages.from_files`).

    Raises:
        BenchError: the graphs are no ONNX networks, no held-out network has a label, or a file is of another cell.
    """
    graphs, device = cell.graphs, cell.about["device"]
    if "memory_bytes" not in graphs.attr_names:
        raise BenchError(f"{cell.about['dataset']}: not a data set of ONNX networks; only their predictors are saved")
    own = schema.sound(cell.tables.targets).filter(target=cell.about["target"], device=device)
    value = dict(own.select("graph_id", "value").iter_rows())
    learned = cell.labels.rows.tail(cell.labels.n_train)["graph_id"].to_numpy()
    held_out = np.array([g for g in cell.labels.test.tolist() if g in value and g not in set(learned.tolist())])
    if not len(held_out):
        raise BenchError(f"{cell.about['dataset']}: no held-out network has a label on {device}; add networks")
    values = np.array([value[graph] for graph in learned.tolist()])
    operations = _operations(graphs)
    floor_of = floor.fit(operations[learned], values)
    least = np.broadcast_to(floor_of.of(operations), len(graphs))
    ops = tuple(
        sorted({graphs.vocab[op] for graph in learned.tolist() for op in graphs[graph : graph + 1].op.tolist()})
    )
    wanted = sorted(value) if left_out else [*learned.tolist(), *held_out.tolist()]
    rows = np.full((len(graphs), len(neighbours.columns(ops))), np.nan)
    for graph in wanted:
        rows[graph] = row_of(graphs[graph : graph + 1], ops)
    known = lineages.asked(held_out, np.maximum(cell.prediction.numpy(), least), value, rows, learned)
    trials = lineages.from_files(left_out, cell, value, rows, least, learned, (held_out, known))
    names, families = cell.tables.frame["name"].to_list(), cell.tables.frame["family"].to_list()
    networks = saved.Networks(
        rows=rows[learned],
        values=values,
        errors=Errors(known.pairs, lineages.pairs(trials)),
        names=tuple(names[graph] for graph in learned.tolist()),
        families=tuple(families[graph] or "" for graph in learned.tolist()),
        ops=ops,
        floor=floor_of,
    )
    return networks, {"calibration": known.accuracy, **lineages.checked(trials)}


def save(folder: Path, cell: Trained, left_out: Sequence[Path] = ()) -> None:
    """Write the model of a cell; where its status is not ok, only a note of that. `left_out`: as for `networks_of`."""
    about = {**cell.about, "vocab": list(cell.graphs.vocab), "attr_names": list(cell.graphs.attr_names)}
    with io.atomic_folder(folder) as temporary:
        if cell.prediction is None:
            return saved.write(temporary, about, None)
        networks, found = networks_of(cell, left_out)
        only_known = one_network.needs_known_operations(cell.predictor, cell.graphs[:1])
        cell.predictor.save(temporary)
        saved.write(temporary, {**about, **found, "known_operations_only": only_known}, networks)


def _operations(graphs: Graphs) -> np.ndarray:
    """How many nodes of each network are no inputs, (n,)."""
    is_operation = (
        (graphs.op != graphs.vocab.index(INPUT)).long() if INPUT in graphs.vocab else torch.ones_like(graphs.op)
    )
    home = torch.arange(len(graphs)).repeat_interleave(graphs.n_nodes)
    return torch.zeros(len(graphs), dtype=torch.long).index_add_(0, home, is_operation).numpy()


def _op_names(graph: Graphs) -> list[str]:
    return [graph.vocab[op] for op in graph.op.tolist()]


def row_of(graph: Graphs, ops: tuple[str, ...]) -> np.ndarray:
    """The numbers of `neighbours.row` of one graph with columns of memory traffic."""
    memory = float(graph.attrs[:, graph.attr_names.index("memory_bytes")].double().sum())
    costs = float(graph.flops[0]), float(graph.params[0]), memory
    return neighbours.row(
        _op_names(graph), graph.src.numpy(), graph.dst.numpy(), graph.out_shape[0].tolist(), costs, ops
    )


def save_or_say_why_not(folder: Path, cell: Trained, left_out: Sequence[Path] = ()) -> Trained:
    """`save`; where the predictor's own code fails at it, the cell ends as an error instead. Returns the cell.

    Raises:
        BenchError: the folder can't be written, or the data are not of networks.
    """
    try:
        save(folder, cell, left_out)
    except BenchError:
        raise
    except Exception as error:
        traceback.print_exc()
        failed = {"status": "error", "message": f"saving: {described(error)}"}
        cell = replace(cell, prediction=None, about=cell.about | failed)
        save(folder, cell)
    return cell


def save_nothing(folder: Path, about: dict) -> None:
    """A note of a cell that did not end well, where its model would be."""
    with io.atomic_folder(folder) as temporary:
        saved.write(temporary, about, None)


def main() -> int:
    """Command line: that of `pipeline.train`, and where the model goes."""
    parser = command.parser("python -m pipeline.predict.save")
    parser.description = __doc__
    parser.add_argument("--model", type=Path, help="folder of the model to write (default: results/models/<cell>)")
    parser.add_argument(
        "--left-out", nargs="*", default=[], type=Path, help="predictions of the same cell without one family each"
    )
    args = parser.parse_args()
    folder = args.model or saved.MODELS / command.spec_of(args).id
    out = command.predictions_file(args)

    def work(tell: Tell) -> None:
        cell = save_or_say_why_not(folder, command.train(args, tell), args.left_out)
        write(out, cell)
        command.report(out, cell.about)

    def write_row(about: dict) -> None:
        save_nothing(folder, about)
        write_empty(out, about)
        command.report(out, about)

    return supervise(work, args.timeout, write_row)


if __name__ == "__main__":
    run_cli(main)
