"""The note on settings that were chosen with test labels in sight."""

from __future__ import annotations

import pytest

from pipeline.config import datasets, tuned_on
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.report import page
from tests.helpers.board_fixtures import RANKED, scores_of, table_of
from tests.helpers.score_fixtures import DATASET


def test_the_file_names_known_predictors_and_data_sets():
    found = tuned_on.load()
    patterns = {key for key in found if key.startswith("*-")}
    labels = set(read_yaml(ROOT / "config" / "predictors.yaml"))
    assert set(found) - patterns <= {path.stem for path in (ROOT / "predictors").glob("*.py")} | labels
    assert patterns == {"*-common", "*-off_path", "*-pretrained"}
    assert {name for names in found.values() for name in names} <= set(datasets.load())
    assert {"analognas201", "nasbench201"} <= set(found["nn_former"]) and "nasbench101_cec" not in found["nn_former"]


def test_variants_count_as_their_predictor():
    found = {"nn_former": ["measured"]}
    labels = ["flops", "nn_former", "nn_former-latency"]
    for some in (labels, labels[2:]):
        assert tuned_on.tuned_predictors(found, "measured", some) == ["nn_former"]
    assert tuned_on.tuned_predictors(found, "nasbench201", labels) == []
    assert tuned_on.tuned_predictors({}, "measured", labels) == []


def test_a_pattern_holds_for_labels():
    found = {"*-common": ["measured"], "gates": ["measured"]}
    assert tuned_on.tuned_predictors(found, "measured", ["flan-common", "gates-common"]) == ["*-common", "gates"]
    assert tuned_on.tuned_predictors(found, "measured", ["flan", "flan-uncommon"]) == []


def test_a_board_says_so():
    scores = scores_of([table_of(RANKED)])
    content = page.Content(scores, {}, tuned={"nn_former": [DATASET]})
    said = "Settings chosen with test labels, or labels like them, in sight, which flatters: `nn_former` on "
    assert f"{said}{DATASET} ([config/tuned.yaml](../../config/tuned.yaml))." in page.page(content)
    assert said not in page.page(page.Content(scores, {}, tuned={"gates": [DATASET]}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nn_former: measured", "must give a list of data sets for each predictor"),
        ("[nn_former]", "must give a list of data sets for each predictor"),
        ("nn_former: [", "line 1: "),
        ("nn_former: [measured]\nnn_former: []", "duplicate key 'nn_former'"),
    ],
)
def test_mistakes_name_the_file(text, says, tmp_path):
    path = tmp_path / "tuned.yaml"
    path.write_text(text)
    with pytest.raises(BenchError, match="tuned.yaml: ") as error:
        tuned_on.load(path)
    assert says in str(error.value)
    with pytest.raises(BenchError, match="cannot read: .*; restore the file"):
        tuned_on.load(tmp_path / "nowhere.yaml")
