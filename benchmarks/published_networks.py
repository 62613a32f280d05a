"""The networks that the families of `measured` vary, as published: latency predicted, and timed here.

python -m benchmarks.published_networks [--device ort-cpu-fp32-1t] [--predictor nn_former] [--models FOLDER] [FILE ...]

Predictors are trained on variants alone. Leave the machine alone meanwhile. FILE: further networks.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tqdm import tqdm

from pipeline.config import datasets
from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import families
from pipeline.predict.model import PREDICTOR, load, measure
from pipeline.predict.prediction import GRADES, Prediction
from pipeline.report.format import markdown

HEADER = ["Network", "Predicted, ms", "90 % interval", "Measured, ms", "Error, %", "Inside"]


def row(prediction: Prediction) -> list[str]:
    """The cells of a line of the table."""
    real = prediction.measured
    return [
        f"{Path(prediction.model).stem}{' (far off)' if prediction.grade == GRADES[-1] else ''}",
        f"{prediction.latency_ms:.2f}",
        f"{prediction.low_ms:.2f} to {prediction.high_ms:.2f}",
        f"{real.latency_ms:.2f}",
        f"{real.error_percent:+.1f}",
        "yes" if real.in_interval else "no",
    ]


def main() -> None:
    """Print a line a network, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--device", default="ort-cpu-fp32-1t")
    parser.add_argument("--predictor", default=PREDICTOR)
    parser.add_argument("--models", type=Path, help="folder of saved predictors (default: results/models)")
    args = parser.parse_args()
    model = load(args.device, args.predictor, models=args.models)
    predictions = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{family}.onnx" for family in datasets.get("measured").families]
        for path in paths:
            path.write_bytes(families.unvaried(path.stem).SerializeToString())
        for path in tqdm([*paths, *args.files], disable=None, unit="network"):
            predictions.append(measure(path, model.predict(path)))
            if predictions[-1].measured.status != "ok":
                raise BenchError(f"{path}: not timed ({predictions[-1].measured.message})")
    print("\n".join(markdown(HEADER, [row(prediction) for prediction in predictions], "lrrrrl")))
    errors = [abs(prediction.measured.error_percent) for prediction in predictions]
    print(f"mean error {statistics.mean(errors):.1f} %, median {statistics.median(errors):.1f} %")


if __name__ == "__main__":
    run_cli(main)
