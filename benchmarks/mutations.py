"""Faults put into the project on purpose, one at a time, and the test that has to notice each.

    python -m benchmarks.mutations [WORD ...]

Each mutation is one change of one file, made in a copy of the project. The test it names must pass before the change
and fail after it. The table that is printed says which test noticed what; a mutation that survives ends the command
with 1. With words, only mutations whose name holds one of them are tried.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import BenchError, run_cli
from pipeline.core.paths import ROOT

PARTS = ("pipeline", "predictors", "benchmarks", "tests", "config", "workflow", "pyproject.toml")
CELL, TRAINING_SET, SPLITS = "pipeline/train/cell.py", "pipeline/split/training_set.py", "pipeline/split/splits.py"
SCORE = "pipeline/score/score.py"
PLAN = "tests/train/test_no_leak.py::test_fit_receives_the_plan_and_no_more"
BESIDE = "tests/train/test_no_leak.py::test_a_prediction_stands_beside_its_own_graph"
OF_SPLIT = "tests/score/test_held_out.py::test_a_split_is_scored_on_its_own_graphs"


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands once in `file`, becomes `new`; `test` (file::function) must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "every label of the device reaches fit, those held out included", CELL,
        "_fit_and_predict(predictor, graphs, labels, about)",
        "_fit_and_predict(predictor, graphs, replace(labels, n_train=10**6, rows=tables.targets.filter("
        "(pl.col('target') == spec.target) & (pl.col('device') == spec.device))), about)",
        PLAN,
    ),
    Mutation(
        "held-out graphs count as pool", SPLITS,
        '(pl.col("role") == "pool") & pl.col("graph_id")', 'pl.col("graph_id")', PLAN,
    ),
    Mutation(
        "the family held out is trained on", TRAINING_SET,
        "eligible = labels.filter(~pl.col(\"graph_id\").is_in(test.implode()))", "eligible = labels", PLAN,
    ),
    Mutation(
        "labels marked test are trained on", TRAINING_SET,
        'pl.col("stage") == "train"', 'pl.col("stage").is_not_null()', PLAN,
    ),
    Mutation(
        "labels for validation are trained on", TRAINING_SET,
        "pl.concat([*source_labels, own_labels.head(n_train)])", "pl.concat([*source_labels, own_labels])", PLAN,
    ),
    Mutation(
        "the checkpoint is picked by training labels", TRAINING_SET,
        "own_labels.tail(budget.n_val)", "own_labels.head(budget.n_val)", PLAN,
    ),
    Mutation(
        "the labels of another device are trained on", TRAINING_SET,
        'eligible.filter(pl.col("device") == name)',
        'eligible.filter(pl.col("device") == eligible["device"].max()).with_columns(device=pl.lit(name))',
        PLAN,
    ),
    Mutation(
        "rows of other devices are marked with the own one", CELL,
        "replace(picked, platform=torch.tensor(platform))", "picked", PLAN,
    ),
    Mutation(
        "predictions are asked for on another device", CELL,
        ".on_platform(spec.device, (*source_devices, spec.device))",
        ".on_platform((*source_devices, spec.device)[0], (*source_devices, spec.device))", PLAN,
    ),
    Mutation(
        "labels of other devices go to predictors that do not transfer", CELL,
        "labels.rows if predictor.transfers else labels.rows.tail(labels.n_train)", "labels.rows", PLAN,
    ),
    Mutation(
        "other devices give as many labels as they have", TRAINING_SET,
        "labels_on(name, sources.labels)", "labels_on(name, None)", PLAN,
    ),
    Mutation(
        "training sets are not drawn in the order of ranks", SPLITS,
        'return pool.sort("rank")', "return pool", PLAN,
    ),
    Mutation(
        "labels are one row off", CELL,
        'from_numpy(rows["value"].to_numpy().copy())', 'from_numpy(rows["value"].to_numpy().copy()).roll(1)',
        PLAN,
    ),
    Mutation(
        "the predictor gets no seed", CELL,
        "spec.task, spec.random_seed, torch_device", "spec.task, 0, torch_device", PLAN,
    ),
    Mutation(
        "variants share their random numbers", "pipeline/config/cell_spec.py",
        'f"{self.label} {self.seed}"', 'f"{self.predictor} {self.seed}"',
        "tests/config/test_cell_spec.py::test_each_label_has_random_numbers_of_its_own",
    ),
    Mutation(
        "costs are learned as accuracies", CELL,
        "spec.settings, spec.task,", 'spec.settings, "accuracy",', PLAN,
    ),
    Mutation(
        "predictions are written in reverse", CELL,
        '"prediction": values.numpy()', '"prediction": values.numpy()[::-1]', BESIDE,
    ),
    Mutation(
        "all seeds share one split", SPLITS,
        "PCG64([name, seed])", "PCG64([name])",
        "tests/split/test_splits.py::test_seeds_and_data_sets_have_their_own_permutations",
    ),
    Mutation(
        "test scores are of training graphs", SCORE,
        'np.isin(ids, trained.test)', 'np.isin(ids, trained.rows["graph_id"].to_numpy())', OF_SPLIT,
    ),
    Mutation(
        "novel graphs are any that were not trained on", SCORE,
        '~np.isin(iso[ids], iso[labelled])',
        '~np.isin(ids, trained.rows["graph_id"].to_numpy())', OF_SPLIT,
    ),
    Mutation(
        "a new function is a new graph", SCORE,
        "~np.isin(function[ids], function[labelled])", "~np.isin(iso[ids], iso[labelled])",
        "tests/score/test_score.py::test_networks_that_compute_what_a_training_network_computes",
    ),
    Mutation(
        "predictions are scored against labels of other graphs", SCORE,
        "predictions[labels.ids[mask]]", "predictions[: len(mask)][mask]",
        "tests/score/test_score.py::test_a_missing_label_is_neither_trained_on_nor_scored",
    ),
    Mutation(
        "predictions are taken in the file's order", SCORE,
        '    frame = frame.sort("graph_id")\n    if not np.array_equal(frame["graph_id"].to_numpy(), np',
        '    if not np.array_equal(frame["graph_id"].sort().to_numpy(), np',
        "tests/score/test_score.py::test_the_order_of_rows_in_a_file_does_not_matter",
    ),
    Mutation(
        "weights do not hang on the seed", "predictors/kit/neural.py",
        "        torch.manual_seed(self.seed)\n", "",
        "tests/contract/test_contract.py::test_same_seed_same_predictions",
    ),
    Mutation(
        "fit scales the labels where they lie", "predictors/kit/neural.py",
        "        z = y.log() if self.task == \"cost\" else y\n        return",
        "        z = y.log_() if self.task == \"cost\" else y\n        return",
        "tests/contract/test_contract.py::test_fit_leaves_its_inputs_alone",
    ),
    Mutation(
        "labels for validation pick no checkpoint", "predictors/kit/neural.py",
        "recipe, self.seed, self._validation(val, y_val),", "recipe, self.seed, None,",
        "tests/contract/test_contract_validation.py::test_they_pick_the_checkpoint",
    ),
    Mutation(
        "a checkpoint of other code is gone on from", "pipeline/core/checkpoint.py",
        'if state["key"] != self.key:', "if False:",
        "tests/predictors/test_long_fits.py::test_a_checkpoint_of_other_code_is_not_gone_on_from",
    ),
    Mutation(
        "a checkpoint forgets the random numbers", "predictors/kit/train_loop.py",
        '        set_random_state(saved["random"])\n', "",
        "tests/predictors/test_long_fits.py::test_a_killed_training_goes_on_to_the_same_bits",
    ),
    Mutation(
        "members of an ensemble share a seed", "predictors/kit/ensemble.py",
        "seed + STRIDE * i", "seed",
        "tests/predictors/test_ensemble.py::"
        "test_it_answers_with_the_mean_of_predictors_that_differ_in_their_seed",
    ),
)  # fmt: skip


def mutated(mutation: Mutation, text: str) -> str:
    """The file's text with the fault. Raises BenchError unless what is replaced stands there once."""
    if text.count(mutation.old) != 1:
        raise BenchError(
            f"benchmarks/mutations.py: {mutation.name!r}: {mutation.old!r} stands {text.count(mutation.old)} times in "
            f"{mutation.file}, not once; follow the code"
        )
    return text.replace(mutation.old, mutation.new)


def copied(folder: Path) -> None:
    """Copy what the tests need."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)


def failures(folder: Path, *tests: str) -> list[str]:
    """The tests that fail in the copy, as pytest names them. Raises BenchError when they could not be run."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: tests were run, and some failed
        raise BenchError(f"pytest {' '.join(tests)} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr}")
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")]


def main() -> int:
    """Try the mutations and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutations", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only mutations whose name holds one of these")
    words = parser.parse_args().words
    chosen = [m for m in MUTATIONS if not words or any(word in m.name for word in words)]
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        broken = failures(folder, *dict.fromkeys(m.test for m in chosen))
        if broken:
            raise BenchError(f"{broken[0]} fails before any mutation; mend it first")
        print("| Mutation | File | Noticed by |\n| :--- | :--- | :--- |")
        for mutation in chosen:
            path = folder / mutation.file
            text = path.read_text()
            path.write_text(mutated(mutation, text))
            caught = failures(folder, mutation.test)
            path.write_text(text)
            survivors += not caught
            noticed = f"`{mutation.test}` ({len(caught)} cases)" if caught else "**no test: it survives**"
            print(f"| {mutation.name} | `{mutation.file}` | {noticed} |", flush=True)
    print(f"\n{len(chosen) - survivors} of {len(chosen)} mutations are noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    run_cli(main)
