"""Our numbers on NASFLAT's tasks beside the published ones, by hand."""

import pytest

from pipeline.score import label_noise, transfer
from tests.helpers.transfer_fixtures import FIGURES, NOISE, RHO, scores

T2 = 4.302653  # 97.5 % quantile of Student's t, two degrees of freedom


def tasks():
    return scores().headline.transfer


def test_a_task_a_budget_most_labels_first():
    found = [(t.table.protocol, t.size.n_train, t.best, t.focus) for t in tasks()]
    assert found == [
        ("nasflat_fd", 20, "nn_former", "nn_former"), ("nasflat_fa", 20, "layerwise", "nn_former"),
        ("nasflat_fd", 10, "nn_former", "nn_former"),
    ]  # fmt: skip
    assert tasks()[0].figures == {"nasflat": FIGURES[0], "help": FIGURES[1]}


def test_the_difference_to_nasflat_has_the_interval_over_our_seeds():
    task, other, few = tasks()
    over = task.over("nn_former")
    half = T2 * 0.001 / 3**0.5
    assert over == pytest.approx((0.1, 0.1 - half, 0.1 + half))
    assert [t.verdict(t.best) for t in (task, other, few)] == ["above", "below", "level"]
    assert other.verdict(other.focus) == "below" and task.verdict(None) is None is task.over(None)


def test_picking_the_best_of_many_is_corrected_for():
    """0.82, 0.83, 0.84 is 0.03 above: by 4.3 standard errors of 0.0058, but not by the 8.86 of the best of four."""
    rivals = {("nasflat_fd", f"gbdt-v{i}", "n20"): (0.5, 0.5, 0.5) for i in range(3)}
    (task,) = scores({("nasflat_fd", "nn_former", "n20"): (0.82, 0.83, 0.84)} | rivals).headline.transfer
    assert task.verdict("nn_former") == "above, uncorrected"
    (alone,) = scores({("nasflat_fd", "nn_former", "n20"): (0.82, 0.83, 0.84)}).headline.transfer
    assert alone.verdict("nn_former") == "above"


def test_one_that_was_run_once_is_not_the_best_of_others():
    once = {("nasflat_fd", "gbdt", "n20"): (0.99,)}
    (task,) = scores({("nasflat_fd", "nn_former", "n20"): (0.9, 0.91)} | once).headline.transfer
    assert task.complete == ("nn_former",)


def test_one_seed_or_no_published_figure_has_no_verdict():
    (one,) = scores({("nasflat_fd", "nn_former", "n20"): (0.9,)}).headline.transfer
    (other,) = scores({("nasflat_f1", "nn_former", "n20"): (0.9, 0.91)}).headline.transfer
    assert one.verdict("nn_former") is None is other.verdict("nn_former") and other.figures == {}


def test_what_a_label_brings():
    (table,) = transfer.adaptation(scores().tables)
    assert table.protocol == "few_shot"
    found = [(s.start.n_train, s.end.n_train, s.gain["nn_former"]) for s in transfer.steps(table)]
    assert found == [(5, 10, pytest.approx(0.02)), (10, 100, pytest.approx(0.001))]


def test_faulty_labels_are_counted_beside_the_error_without_and_with_them():
    found = scores()
    (fault,) = transfer.faults(found.tables, found.noise)
    assert (fault.device, fault.n, fault.share, fault.size.n_train) == ("phone", 8, 0.8, 90)
    without, both = fault.mape["layerwise"]
    assert without.mean == pytest.approx(20.0) and both.mean == pytest.approx(80.0)
    no_pair = scores({key: value for key, value in RHO.items() if not key[2].endswith("-faulty")})
    assert transfer.faults(no_pair.tables, NOISE) == []


def test_ceilings_of_a_task_are_means_over_its_targets():
    (table, *_) = scores().tables
    floor = label_noise.floor(NOISE, table.dataset, "lat_ms", table.devices, label_noise.ADDITIVE)
    assert floor["spearman"] == 0.75
    assert label_noise.floor(NOISE, table.dataset, "lat_ms", table.devices, label_noise.REPEATS) == {}
