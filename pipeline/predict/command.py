"""The command that says how long networks take, by saved predictors.

    python -m pipeline.predict MODEL.onnx ...     on every chip whose predictor came with the package
    python -m pipeline.predict MODEL.onnx --device ort-cpu-fp32-1t --predictor nn_former
    python -m pipeline.predict --list

The first is answered by the predictors of `pipeline.predict.ship`, the second by one that `snakemake models` saved.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import BenchError, one_line
from pipeline.onnx import sizes
from pipeline.predict import sources, tables
from pipeline.predict.lean_imports import lean_imports
from pipeline.predict.model import LEVEL, NEAREST, PREDICTOR, Model, measure
from pipeline.predict.prediction import Prediction, report

if TYPE_CHECKING:
    from pipeline.onnx.graph import OnnxGraph
    from pipeline.predict import saved

Asked = tuple["OnnxGraph", list[Prediction]]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.predict", description="Latency of networks.")
    arguments(parser)
    return run(parser.parse_args())


def run(args: argparse.Namespace, models: Path | None = None) -> int:
    """What the command line asks for, with saved predictors in `models` unless it names another folder.

    Raises BenchError; `args` as `arguments` has them.
    """
    if bool(args.files) == args.list:
        args.usage_error("give MODEL.onnx or timm:NAME, or --list")
    if args.compare and len(args.files) != 2:
        args.usage_error("--compare takes two networks")
    if args.picture and not args.by_node:
        args.usage_error("--picture is of --by-node")
    from pipeline.predict import saved

    if args.list:
        return _list(args, models or saved.MODELS)
    dims = sizes.dims(args)
    entries = chosen(args, models or saved.MODELS)
    if args.by_node and len(entries) > 1:
        known = ", ".join(entry.device for entry in entries)
        raise BenchError(f"--by-node is of one platform; give --device, one of: {known}")
    with lean_imports():
        loaded = [Model(entry) for entry in entries]
    asked: list[Asked] = []
    status = 0
    for file in args.files:
        try:
            asked.append(_ask(loaded, file, args, dims))
        except BenchError as error:
            if len(args.files) == 1 or args.compare:
                raise
            print(f"error: {one_line(error)}", file=sys.stderr)
            status = 1
    if args.by_node:
        _by_node(loaded[0], asked, args)
    else:
        print(_written([answers for _, answers in asked], args, single=len(entries) == 1))
    every = [one for _, answers in asked for one in answers]
    return 1 if any(one.measured is not None and one.measured.status != "ok" for one in every) else status


def chosen(args: argparse.Namespace, models: Path) -> list[saved.Entry]:
    """The saved predictors that are asked: those that came with the package unless a predictor, data set or folder is
    named, or a device that none of them is of."""
    from pipeline.predict import saved

    if args.predictor or args.dataset or args.models:
        return [saved.choose(args.models or models, args.device, args.predictor or PREDICTOR, args.dataset)]
    shipped, broken = saved.entries(saved.SHIPPED)
    _warn(broken)
    found = saved.of_device(shipped, args.device)
    if found:
        return found
    if args.device and not saved.entries(models)[0]:
        known = ", ".join(entry.device for entry in saved.of_device(shipped)) or "none"
        raise BenchError(f"no predictor of {args.device!r} was saved in {models}; with the package came: {known}")
    return [saved.choose(models, args.device, PREDICTOR, None)]


def _ask(loaded: Sequence[Model], file: str, args: argparse.Namespace, dims: dict[str, int]) -> Asked:
    source, name = sources.content(file)
    graph = loaded[0].read(source, name, args.batch_size, dims)
    answers = [model.predict(graph, level=args.level, nearest=args.nearest) for model in loaded]
    if args.measure:
        answers = [measure(Path(file), one, args.batch_size, dims) for one in answers]
    return graph, answers


def _written(asked: Sequence[list[Prediction]], args: argparse.Namespace, single: bool) -> str:
    """All answers as the options say."""
    if args.compare:
        first, second = asked
        return json.dumps(tables.comparison(first, second), indent=1) if args.json else tables.compared(first, second)
    every = [one for answers in asked for one in answers]
    if args.csv:
        return tables.as_csv(every)
    if args.json:
        rows = [asdict(one) for one in every]
        return json.dumps(rows[0] if single and len(args.files) == 1 else rows, indent=1)
    return "\n\n".join(report(answers[0]) if single else tables.by_device(answers) for answers in asked)


def _by_node(model: Model, asked: Sequence[Asked], args: argparse.Namespace) -> None:
    from pipeline.predict import by_node

    found = [
        by_node.breakdown(graph.name, answer.device, *model.node_times(graph, answer.latency_ms))
        for graph, (answer,) in asked
    ]
    print(
        json.dumps([asdict(one) for one in found], indent=1) if args.json else "\n\n".join(map(by_node.report, found))
    )
    if args.picture:
        by_node.draw(found, args.picture)


def _list(args: argparse.Namespace, models: Path) -> int:
    """Print what there is: in the folder named, else what came with the package and what was saved here."""
    from pipeline.predict import saved

    folder = args.models or models
    entries, broken = saved.entries(folder)
    if not args.models:
        shipped, damaged = saved.entries(saved.SHIPPED)
        entries, broken = [*saved.of_device(shipped), *entries], [*damaged, *broken]
    if args.json:
        keys = ("predictor", "device", "dataset", "dataset_version", "target", "n_train", "status", "message")
        more = ("calibration", "tested", "left_out", "lineages", "batch_sizes", "licence")
        rows = [
            {"folder": str(e.folder), **{k: e.about[k] for k in keys}, **{k: e.about.get(k) for k in more}}
            for e in entries
        ]
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(e.line for e in entries) or f"{folder}: no saved predictor; run: snakemake models --cores 2")
    _warn(broken)
    return 0


def _warn(broken: Sequence[str]) -> None:
    for line in broken:
        print(f"warning: {line}", file=sys.stderr)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.set_defaults(usage_error=parser.error)
    parser.add_argument(
        "files", nargs="*", metavar="MODEL", help="an ONNX file, with or without weights, or timm:NAME[@SIZE]"
    )
    parser.add_argument(
        "--device", help="platform, or a chip such as rtx5090 (default: all that came with the package)"
    )
    parser.add_argument("--predictor", help=f"label of a predictor saved here (default for those: {PREDICTOR})")
    parser.add_argument("--dataset", help="needed where several have such a predictor")
    parser.add_argument("--level", type=float, default=LEVEL, help="probability of the interval (default: %(default)s)")
    parser.add_argument("--nearest", type=int, default=NEAREST, help="measured networks to list (default: %(default)s)")
    sizes.add_sizes(parser)
    parser.add_argument("--measure", action="store_true", help="time the network too, and show the error")
    parser.add_argument("--compare", action="store_true", help="the second of two networks over the first")
    parser.add_argument("--by-node", action="store_true", help="what each operation and block takes, on one platform")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw --by-node too (.svg, .png, .pdf)")
    written = parser.add_mutually_exclusive_group()
    written.add_argument(
        "--json", action="store_true", help="print JSON (workflow/schemas/prediction.schema.json); of several, a list"
    )
    written.add_argument("--csv", action="store_true", help="print CSV, a line a network and platform")
    parser.add_argument("--list", action="store_true", help="list the saved predictors and their errors")
    parser.add_argument("--models", type=Path, help="folder of saved predictors (default: results/models)")
