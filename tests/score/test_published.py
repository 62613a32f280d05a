"""Published figures: the file, the matching with ours, and the difference in standard errors."""

import math
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


def test_the_difference_in_standard_errors_by_hand():
    """0.80, 0.82, 0.81 less 0.79: 0.02; sd 0.01, se 0.01 / sqrt(3): 3.46 of them, within t(2 df) = 4.30."""
    found = published.compare(table_of(RANKED), [FIGURE])
    assert [(c.label, c.size.n_train) for c in found] == [("nn_former", 10)]
    assert found[0].difference == pytest.approx(0.02) and found[0].z == pytest.approx(0.02 * math.sqrt(3) / 0.01)
    assert found[0].verdict == "agrees"


def test_a_published_spread_counts_as_that_of_one_run():
    spread = replace(FIGURE, spread=0.02)
    found = published.compare(table_of(RANKED), [spread])[0]
    assert found.se == pytest.approx(math.sqrt(0.01**2 / 3 + 0.02**2))


@pytest.mark.parametrize(("value", "verdict"), [(0.70, "better"), (0.81, "agrees"), (0.90, "worse")])
def test_verdicts(value, verdict):
    assert published.compare(table_of(RANKED), [replace(FIGURE, value=value)])[0].verdict == verdict


def test_a_lower_error_is_better():
    values = {("a", "n10", seed): 5.0 + seed / 10 for seed in range(3)}
    rows, changes = costs_of(values)
    figure = replace(FIGURE, predictor="a", metric="mape", value=9.0)
    assert published.compare(table_of(values, rows, **changes), [figure])[0].verdict == "better"


def test_one_seed_is_unsure():
    found = published.compare(table_of({("nn_former", "0.01", 0): 0.5}), [FIGURE])[0]
    assert found.verdict == "unsure" and found.z is None and found.difference == pytest.approx(-0.29)


def test_the_table_shows_budget_confidence_and_verdict():
    notes = Notes()
    lines = sections.published_table(*compared(table_of(RANKED), replace(FIGURE, n_val=1024)), notes)
    assert lines[2] == (
        "| `nn_former`[^1] | 10 | 10 + 1,024 val[^2] | Kendall's τ | 0.810 ± 0.025 | 0.790 (S) | +0.020 | +3.5 "
        "| agrees | a review |"
    )
    assert "S: second-hand" in lines[4] and "M:" not in lines[4]
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
        (["d,p,10,x,kendall_tau,sd,0.5,V,s,"], "a standard deviation without its mean"),
    ],
)
def test_a_broken_published_file_is_one_line(tmp_path, lines, says):
    bad = tmp_path / "published.csv"
    bad.write_text("\n".join([",".join(published.FIELDS), *lines]) + "\n")
    with pytest.raises(BenchError, match=rf"published\.csv: .*{says}"):
        published.load(bad)


def test_a_published_standard_deviation_joins_its_mean(tmp_path):
    path = tmp_path / "published.csv"
    rows = ["d,p,10,x,kendall_tau,mean,0.5,V,s,2000 test", "d,p,10,x,kendall_tau,sd,0.02,V,s,"]
    path.write_text("\n".join([",".join(published.FIELDS), *rows]) + "\n")
    (figure,) = published.load(path)
    assert (figure.spread, figure.n_val, figure.val_is_test) == (0.02, 2000, True)
