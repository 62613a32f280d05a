"""NAS-Bench-201 after 200 epochs, accuracies in percent, mean over training seeds; graph_id = index of its API.

Source: cifar10_avg.csv (CIFAR-10, trained on the training half: val_acc, test_acc) and nats_bench.csv (test accuracy on
CIFAR-10 trained on all of train, CIFAR-100, ImageNet16-120), the same cells in the same order.
"""

from pathlib import Path

import polars as pl
from scipy.stats import kendalltau

from pipeline.convert import _common
from pipeline.core.errors import BenchError
from pipeline.spaces import cells

NAME = "nasbench201"
CIFAR10_VALID = {"valid-accuracy": "val_acc", "test-accuracy": "test_acc"}
FULL = {
    "CIFAR10TestAccuracy200Epochs": "cifar10_test_acc",
    "CIFAR100TestAccuracy200Epochs": "cifar100_test_acc",
    "ImageNetTestAccuracy200Epochs": "imagenet16_test_acc",
}
BEST = {
    "val_acc": 91.6067,
    "test_acc": 91.5233,
    "cifar10_test_acc": 94.3733,
    "cifar100_test_acc": 73.5133,
    "imagenet16_test_acc": 47.3111,
}


def convert(raw: Path, out: Path) -> None:
    """Convert the two CSV files in `raw` to graphs.parquet and targets.parquet in `out`. Raises BenchError."""
    first = _common.read_csv(raw / "cifar10_avg.csv", ["index", "arch_str", *CIFAR10_VALID])
    second = _common.read_csv(raw / "nats_bench.csv", ["ArchitectureString", *FULL])
    names = first["arch_str"].to_list()
    if first["index"].to_list() != list(range(len(names))):
        raise BenchError(f"{raw / 'cifar10_avg.csv'}: rows are not in the order of their index; fetch it again")
    if names != second["ArchitectureString"].to_list():
        raise BenchError(f"{raw / 'nats_bench.csv'}: cells differ from those of cifar10_avg.csv; fetch both again")
    graphs = cells.graphs_frame(
        names, "nasbench201", [cells.cell_201(cells.parse_arch(name)) for name in names], cells.VOCAB_201
    )
    columns = [(first[column], target) for column, target in CIFAR10_VALID.items()]
    columns += [(second[column], target) for column, target in FULL.items()]
    targets = pl.concat(_common.target_frame(target, "any", column) for column, target in columns)
    _common.publish(NAME, out, graphs, targets, cells.VOCAB_201, sanity)


def sanity(graphs: pl.DataFrame, targets: pl.DataFrame) -> None:
    """Known facts: the space, the best accuracies, and how far the three CIFAR-10 accuracies agree (Kendall's tau)."""
    _common.expect_space_201(NAME, graphs)
    for target, best in BEST.items():
        accuracy = _common.values_of(targets, target)
        _common.expect(NAME, f"labels of {target}", len(accuracy), 15_625)
        _common.expect(NAME, f"best {target}", accuracy.max(), best, 1e-4)
    val = _common.values_of(targets, "val_acc")
    for target, expected in (("test_acc", 0.954), ("cifar10_test_acc", 0.894)):
        tau = kendalltau(val, _common.values_of(targets, target)).statistic
        _common.expect(NAME, f"Kendall's tau of val_acc and {target}", tau, expected, 5e-4)


if __name__ == "__main__":
    _common.cli(NAME, convert)
