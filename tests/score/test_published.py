"""Published figures: the file, the matching with ours, and on which side of our interval they lie."""

from dataclasses import replace

import pytest

from pipeline.core.errors import BenchError
from pipeline.report import overview, sections
from pipeline.report.format import Notes
from pipeline.score import published
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, scores_of, table_of, tables_of
from tests.helpers.score_fixtures import DATASET, score_rows_of

FIGURE = published.Figure(DATASET, "direct", 10, "nn_former", "kendall_tau", 0.79, "S", "a review")


def compared(table, figure):
    """A table, and a published figure beside ours."""
    return table, published.compare(table, [figure])


def test_what_is_compared_by_hand():
    """0.80, 0.82, 0.81: mean 0.81, half of its interval 4.303 * 0.01 / sqrt(3) = 0.0248, which holds 0.79."""
    found = published.compare(table_of(RANKED), [FIGURE])
    assert [(c.label, c.size.n_train, c.cpu_s) for c in found] == [("nn_former", 10, 10.0)]
    assert found[0].difference == pytest.approx(0.02) and found[0].ours.half == pytest.approx(0.02484, abs=1e-5)
    assert found[0].verdict == "agrees"


@pytest.mark.parametrize(("value", "verdict"), [(0.785, "above"), (0.786, "agrees"), (0.83, "agrees"), (0.84, "below")])
def test_verdicts(value, verdict):
    """0.81 less and more 0.0248."""
    assert published.compare(table_of(RANKED), [replace(FIGURE, value=value)])[0].verdict == verdict


def test_one_seed_is_unsure():
    found = published.compare(table_of({("nn_former", "0.01", 0): 0.5}), [FIGURE])[0]
    assert found.verdict == "unsure" and found.difference == pytest.approx(-0.29)


@pytest.mark.parametrize("change", [{"confidence": "D"}, {"statistic": "best"}])
def test_figures_in_doubt_and_best_runs_are_compared_with_nothing(change):
    assert published.compare(table_of(RANKED), [replace(FIGURE, **change)]) == []


def test_a_form_goes_by_its_own_figures():
    """On data without a figure of the form there is none: the whole model's is no substitute."""
    figures = [FIGURE, replace(FIGURE, predictor="nn_former_paper_global", value=0.7)]
    both = table_of(
        {(p, "0.01", s): 0.7 + s / 100 for p in ("nn_former-paper", "nn_former-paper_global") for s in (0, 1)}
    )
    assert {c.label: c.figure.value for c in published.compare(both, figures)} == {
        "nn_former-paper": 0.79, "nn_former-paper_global": 0.7,
    }  # fmt: skip
    elsewhere = [FIGURE, replace(figures[1], dataset="another")]
    assert [c.label for c in published.compare(both, elsewhere)] == ["nn_former-paper"]


def test_a_sample_stands_beside_the_whole_without_a_verdict(monkeypatch):
    monkeypatch.setitem(published.SAMPLE_OF, DATASET, "whole")
    figure = replace(FIGURE, dataset="whole", protocol="tnasp")
    table = table_of({(p, "0.01", s): 0.9 for p in ("nn_former", "nn_former-released_8") for s in (0, 1)})
    (found,) = published.compare(table, [figure, FIGURE])
    assert (found.label, found.on_sample, found.verdict) == ("nn_former-released_8", True, "unsure")
    assert "of another set: whole" in sections.published_table(table, [found], Notes())[2]


def test_the_table_shows_budget_confidence_and_verdict():
    notes = Notes()
    lines = sections.published_table(*compared(table_of(RANKED), replace(FIGURE, n_val=1024)), notes)
    assert lines[2] == (
        "| `nn_former`[^1] | 10 | 10 + 1,024 val[^2] | Kendall's τ | 0.810 ± 0.025 | 0.790 | second-hand | +0.020 "
        "| agrees | 10 | a review |"
    )
    assert "*second-hand*: from reviews" in lines[4] and "memory" not in lines[4]
    assert "Ours has its default settings" in notes.lines[0] and "1,024 validation labels" in notes.lines[1]
    assert sections.published_table(*compared(table_of(TAUS), replace(FIGURE, n_train=11)), notes) == []


def test_settings_over_the_defaults_are_a_footnote():
    table, notes = table_of(RANKED, overrides={"preset": "paper"}), Notes()
    sections.published_table(*compared(table, FIGURE), notes)
    assert '`{"preset": "paper"}` over its defaults' in notes.lines[0]
    overview.summary_table(scores_of([table]), notes)
    assert '`nn_former` has the settings `{"preset": "paper"}` over its defaults.' in "".join(notes.lines)


def test_published_family_names_are_ours():
    """efficientnet, resnet and vgg are efficientb0, resnet18 and vgg16; the mean needs every family."""
    words = ("without-efficientb0", "without-resnet18", "without-vgg16")
    values = {("nnlp", word, seed): 10.0 + i + seed for i, word in enumerate(words) for seed in (0, 1)}
    rows, changes = costs_of(values, "leave_one_family_out")
    about = replace(ABOUT, families=("efficientb0", "resnet18", "vgg16"))
    figures = [
        replace(FIGURE, protocol=f"leave_out:{name}", n_train=18000, predictor="nnlp", metric="mape", value=value)
        for name, value in (("efficientnet", 21.0), ("resnet", 7.5), ("vgg", 7.6), ("mean", 11.5))
    ]
    found = published.compare(table_of(values, rows, about, **changes), figures)
    ours = {(c.size.budget.own_labels if c.size else "mean"): (c.figure.value, c.ours.mean) for c in found}
    assert ours == {
        "without-efficientb0": (21.0, 10.5), "without-resnet18": (7.5, 11.5), "without-vgg16": (7.6, 12.5),
        "mean": (11.5, 11.5),
    }  # fmt: skip
    more = replace(about, families=(*about.families, "alexnet"))
    assert len(published.compare(table_of(values, rows, more, **changes), figures)) == 3


def test_a_source_marks_its_own_training_set():
    values = {("nnlp", "stage", 0): 4.0}
    rows, changes = costs_of(values, "in_domain")
    figure = replace(FIGURE, protocol="in_domain", n_train=18000, predictor="nnlp", metric="mape", value=3.5)
    assert len(published.compare(table_of(values, rows, **changes), [figure])) == 1


def test_under_tnasp_published_figures_are_of_test_accuracy():
    values = {("nn_former", "0.01", 0): 0.8}
    parts = [score_rows_of(values, protocol="tnasp", target="val_acc", scored_on=s) for s in ("val_acc", "test_acc")]
    tables = tables_of(values, parts[0].vstack(parts[1]), protocol="tnasp", target="val_acc")
    figure = replace(FIGURE, protocol="tnasp")
    assert {t.scored_on: len(published.compare(t, [figure])) for t in tables} == {"val_acc": 0, "test_acc": 1}


def test_the_published_name_of_a_variant():
    known = {"pinat", "pinat_bce", "nn_former"}
    assert published.name_of("pinat-bce", known) == "pinat_bce"
    assert published.name_of("nn_former-paper", known) == "nn_former"
    assert published.name_of("gbdt", known) is None


def test_the_published_file_is_well_formed():
    figures = published.load()
    assert len({f.key for f in figures}) == len(figures) > 100
    families = {f.protocol.removeprefix("leave_out:") for f in figures if f.protocol.startswith("leave_out:")} - {
        "mean"
    }
    from pipeline.config import datasets

    known = set(datasets.get("nnlqp_unseen").families)
    assert {published.FAMILIES.get(name, name) for name in families} == known
    hidden = {f.n_val for f in figures if f.predictor == "nn_former" and f.protocol == "tnasp"}
    assert hidden == {1024}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["d,p,ten,x,kendall_tau,mean,0.5,V,s,"], "line 2: .*ten"),
        (["d,p,10,x,kendall_tau,mean,nan,V,s,"], "line 2: value must be a finite number"),
        (["d,p,10,x,kendall_tau,mean,0.5,Z,s,"], "line 2: confidence 'Z'"),
        (["d,p,10,x,kendall_tau,median,0.5,V,s,"], "line 2: statistic 'median'"),
        (["d,p,10,x,kendall_tau,mean,0.5,V,s,some"], "line 2: value must"),
        (["d,p,10,x,kendall_tau,mean,0.5,V,s,"] * 2, "line 3: this figure stands above already"),
        (["d,p,10,x,kendall_tau,sd,0.5,V,s,"], "line 2: statistic 'sd'; known: mean, best"),
    ],
)
def test_a_broken_published_file_is_one_line(tmp_path, lines, says):
    bad = tmp_path / "published.csv"
    bad.write_text("\n".join([",".join(published.FIELDS), *lines]) + "\n")
    with pytest.raises(BenchError, match=rf"published\.csv: .*{says}"):
        published.load(bad)


def test_a_best_run_stands_beside_its_mean(tmp_path):
    path = tmp_path / "published.csv"
    rows = ["d,p,10,x,kendall_tau,mean,0.5,V,s,2000 test", "d,p,10,x,kendall_tau,best,0.6,V,s,"]
    path.write_text("\n".join([",".join(published.FIELDS), *rows]) + "\n")
    mean, best = published.load(path)
    assert (mean.statistic, mean.n_val, mean.val_is_test) == ("mean", 2000, True) and best.statistic == "best"
