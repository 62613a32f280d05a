"""The benchmarks of time to the published tau: budgets, resuming, what is reached when; cells and labels synthetic."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from benchmarks import time_to_tau, time_to_tau_report, time_to_tau_runs
from benchmarks.time_to_tau_runs import Run
from pipeline.convert import synthetic201
from pipeline.core import table_checks
from pipeline.core.errors import BenchError
from pipeline.score import published
from pipeline.split import splits

EIGHTH, ONE = Fraction(1, 8), Fraction(1)
NOTHING = pl.DataFrame(schema=time_to_tau_runs.SCHEMA)


@pytest.fixture
def synthetic_data(tmp_path):
    """A data folder with 300 synthetic cells in the place of nasbench201, and one split."""
    tables = tmp_path / "data" / "parquet" / "nasbench201"
    synthetic201.convert(tmp_path, tables)
    graphs, meta, targets = table_checks.read(tables)
    test = targets.filter(target="test_acc")
    val = test.with_columns(pl.lit("val_acc").cast(test.schema["target"]).alias("target"))
    table_checks.publish(tables, graphs, meta, pl.concat([test, val]))
    path, about = tmp_path / "data" / "splits" / "nasbench201" / "0.parquet", {"dataset": "nasbench201", "seed": 0}
    table_checks.write(path, splits.make_split(300, "nasbench201", 0), about, meta["content"])
    return tmp_path / "data"


def synthetic_fit(run: Run, config: dict) -> tuple[dict, dict]:
    """A second an epoch, else half a second for each eighth of the schedule; tau grows with time."""
    seconds = float(config["epochs"]) if "epochs" in config else 4 * float(Fraction(run.budget))
    return {"status": "ok", "fit_cpu_s": seconds}, {"test_acc": 0.7 + seconds / 40, "val_acc": 0.7}


def table(*rows: tuple) -> pl.DataFrame:
    """Rows of (predictor, n_train, seed, budget, overrides, fit_cpu_s, tau), tau None for a run that diverged."""
    given = [
        dict.fromkeys(time_to_tau_runs.SCHEMA)
        | {"predictor": p, "n_train": n, "seed": s, "budget": b, "overrides": o, "fit_cpu_s": t}
        | {"status": "diverged" if tau is None else "ok", "tau_test_acc": tau, "tau_val_acc": tau, "config_hash": "0"}
        for p, n, s, b, o, t, tau in rows
    ]
    return pl.DataFrame(given, schema=time_to_tau_runs.SCHEMA)


def test_budgets_cut_what_a_predictor_has():
    fractions, limits = [ONE, EIGHTH], [10.0, 3.0]
    assert time_to_tau_runs.budgets("nn_former", fractions, limits) == ["1/8", "1"]
    assert time_to_tau_runs.budgets("graf", fractions, limits) == ["1/8", "1"]
    assert time_to_tau_runs.budgets("gp", fractions, limits) == ["1"]
    assert time_to_tau_runs.budgets("nn_former-paper", fractions, limits) == ["1 epoch", "3 s", "10 s"]


@pytest.mark.parametrize("label", ["nn_former", "graf", "gates", "ta_gates", "flan"])
def test_an_eighth_cuts_every_length_to_an_eighth(label):
    full = time_to_tau_runs.lengths(label, 156)
    cut = time_to_tau_runs.overrides(Run(label, 156, 0, "1/8"), NOTHING)
    assert full and cut == {name: max(1, round(length / 8)) for name, length in full.items()}
    predictor = time_to_tau_runs.base.load(label)(cut)
    config = predictor.recipe(156) if hasattr(predictor, "recipe") else predictor.config
    assert {name: getattr(config, name) for name in full} == cut
    assert time_to_tau_runs.overrides(Run(label, 156, 0, "1"), NOTHING) == {}


def test_epochs_fit_the_limit_at_the_rate_of_the_longest_run():
    done = table(
        ("nn_former-paper", 156, 0, "1 epoch", '{"epochs": 1}', 1.5, 0.1),
        ("nn_former-paper", 156, 1, "3 s", '{"epochs": 4}', 4.0, 0.2),
        ("nn_former-paper", 156, 2, "10 s", '{"epochs": 9}', 1.0, None),
        ("nn_former-paper", 781, 0, "1 epoch", '{"epochs": 1}', 5.0, 0.2),
    )

    def epochs(n: int, budget: str) -> dict | None:
        return time_to_tau_runs.overrides(Run("nn_former-paper", n, 0, budget), done)

    assert epochs(156, "1 epoch") == {"preset": "paper", "epochs": 1}
    assert epochs(156, "10.5 s") == {"preset": "paper", "epochs": 10}
    assert epochs(156, "100000 s") == {"preset": "paper", "epochs": 3000}  # never more than the full schedule
    assert epochs(781, "9.9 s") is None
    assert epochs(300, "10 s") is None


def test_a_stopped_run_goes_on_and_each_run_is_done_once(tmp_path, capsys):
    path = tmp_path / "out" / "runs.csv"
    runs = [Run("nn_former", 156, 0, b) for b in ("1/8", "1/4")] + [Run("nn_former-paper", 156, 0, "1 epoch")]
    runs += [Run("nn_former-paper", 156, 0, "3.5 s"), Run("nn_former", 156, 0, "1/8")]  # the last is there twice
    done = []

    def stops_at_the_third(run: Run, config: dict) -> tuple[dict, dict]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(run)
        return synthetic_fit(run, config)

    with pytest.raises(KeyboardInterrupt):
        time_to_tau.fill(path, runs, stops_at_the_third)
    assert time_to_tau_runs.read(path)["budget"].to_list() == ["1/8", "1/4"]
    again = []
    rows = time_to_tau.fill(path, runs, lambda run, config: again.append(run) or synthetic_fit(run, config))
    assert done + again == runs[:4]
    assert rows["fit_cpu_s"].to_list() == [0.5, 1.0, 1.0, 3.0] and rows.equals(time_to_tau_runs.read(path))
    assert "2 of 4 runs are there" in capsys.readouterr().out
    other = [Run("nn_former", 156, 0, "1/4")]
    assert time_to_tau.fill(path, other, synthetic_fit)["budget"].to_list() == ["1/4"]  # rows of what was asked alone


def test_a_changed_default_is_run_again(tmp_path, monkeypatch):
    path, runs = tmp_path / "runs.csv", [Run("graf", 156, 0, "1")]
    time_to_tau.fill(path, runs, synthetic_fit)
    monkeypatch.setattr(time_to_tau_runs.base, "config_hash", lambda _: "changed!")
    rows = time_to_tau.fill(path, runs, lambda run, _: ({"status": "ok", "fit_cpu_s": 9.0}, {"test_acc": 0.5}))
    assert rows["fit_cpu_s"].to_list() == [9.0]
    assert time_to_tau_runs.read(path).height == 2


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(time_to_tau_runs.SCHEMA) + "\ngraf,many\n"])
def test_a_file_that_is_no_table_of_runs_is_refused(tmp_path, text):
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(BenchError, match=r"runs\.csv: not a table of runs"):
        time_to_tau_runs.read(tmp_path / "runs.csv")


def test_means_are_over_all_seeds_or_left_out():
    rows = table(
        ("nn_former", 156, 0, "1/2", "{}", 2.0, 0.8),
        ("nn_former", 156, 1, "1/2", "{}", 4.0, 0.7),
        ("nn_former", 156, 0, "1", "{}", 8.0, 0.9),
        ("nn_former", 156, 1, "1", "{}", 8.0, None),
    )
    found = time_to_tau_report.means(rows, "test_acc").to_dicts()
    assert len(found) == 1
    assert (found[0]["budget"], found[0]["fit_cpu_s"], found[0]["seeds"]) == ("1/2", 3.0, 2)
    assert [found[0][name] for name in ("low", "tau", "high")] == pytest.approx([0.7, 0.75, 0.8])


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(4.0, "1/1,000: met"), (8.0, "1/500: met"), (8.1, "1/494: missed"), (None, "not reached")]
)
def test_the_first_budget_that_reaches_the_published_tau_counts(seconds, verdict):
    figure = published.Figure("nasbench201", "tnasp", 156, "nn_former", "kendall_tau", 0.804, "S", "a test")
    points = [("1/8", 1.0, 0.7), ("1", 30.0, 0.81)] + ([("1/2", seconds, 0.804)] if seconds else [])
    points = points if seconds else points[:1]
    rows = table(*(("nn_former", 156, 0, budget, "{}", time, tau) for budget, time, tau in points))
    text = time_to_tau_report.reached(time_to_tau_report.means(rows, "val_acc"), figure, released=4000.0)
    assert verdict in text and "takes 4,000 s" in text and "8 s" in text
    assert seconds is None or f"after {seconds:.1f} CPU-s (budget 1/2" in text


def test_the_released_recipe_takes_what_its_samples_take():
    assert time_to_tau_report.released_seconds(156, 117.0) == pytest.approx(4000.0)
    assert time_to_tau_report.released_seconds(781, 117.0) == pytest.approx(20025.6, abs=0.1)


def test_the_full_schedule_is_called_an_extrapolation():
    rows = table(("nn_former-paper", 156, 0, "3 s", '{"preset": "paper", "epochs": 2}', 4.0, 0.2))
    assert time_to_tau_report.summary(rows, 117.0) == [
        "156 labels, nn_former-paper: 3000 epochs would take 6,000 CPU-s, extrapolated from 2 in 4.0 CPU-s "
        "(128 samples per CPU-s)"  # 2 epochs of 2 batches of 128 in 4 s
    ]


def test_real_training_of_synthetic_cells_is_scored_drawn_and_kept(synthetic_data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    argv = ["time_to_tau", "--labels", "40", "--seeds", "0", "--predictors", "nn_former", "op_counts", "--fractions"]
    argv += ["1/64", "--data", str(synthetic_data), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", argv)
    time_to_tau.main()
    rows = time_to_tau_runs.read(out / "runs.csv")
    assert rows["predictor"].to_list() == ["nn_former", "op_counts"] and set(rows["status"]) == {"ok"}
    assert rows["fit_cpu_s"].min() > 0 and rows["tau_val_acc"].is_between(-1, 1).all()
    assert rows["tau_val_acc"].to_list() == rows["tau_test_acc"].to_list()  # the same synthetic labels twice
    assert rows["tau_val_acc"][1] > 0.5  # the synthetic labels are sums over operations
    for suffix in ("svg", "png", "csv"):
        assert (out / f"time-to-tau.{suffix}").stat().st_size > 100
    assert {"nn_former", "op_counts"} <= set(pl.read_csv(out / "time-to-tau.csv")["predictor"])
    assert "40 labels, test_acc: no published tau" in capsys.readouterr().out
    monkeypatch.setattr(time_to_tau, "train", lambda *_: pytest.fail("a finished run was run again"))
    time_to_tau.main()


def test_data_and_splits_that_are_missing_are_named(synthetic_data):
    with pytest.raises(BenchError, match=r"1\.parquet: not here; .*snakemake data .*config/nasbench201\.yaml"):
        time_to_tau.Data(synthetic_data, [0, 1])
    with pytest.raises(BenchError, match=r"graphs\.parquet: not here"):
        time_to_tau.Data(synthetic_data / "elsewhere", [0])


def test_what_stops_a_training_process_is_passed_on(synthetic_data):
    data = time_to_tau.Data(synthetic_data, [0])
    with pytest.raises(BenchError, match="op_counts, 9999 labels, seed 0: training set: 9999 labels asked for"):
        time_to_tau.train(Run("op_counts", 9999, 0, "1"), {}, data)


def test_taus_are_of_all_cells(synthetic_data):
    data = time_to_tau.Data(synthetic_data, [0])
    data.labels = {"test_acc": np.array([1.0, 2.0, 3.0, 4.0]), "val_acc": np.array([1.0, 2.0, 4.0, 3.0])}
    assert data.taus(np.array([1.0, 2.0, 3.0, 4.0])) == {"test_acc": 1.0, "val_acc": pytest.approx(4 / 6)}
