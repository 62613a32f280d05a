"""What a label says of its predictor."""

import pytest

from pipeline.core import names


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("flan-common", ("flan", "common")),
        ("nn_former-hard_common", ("nn_former-hard", "common")),
        ("nn_former-paper", ("nn_former", "paper")),
        ("nn_former-paper_6l", None),
        ("nn_former-uncommon", ("nn_former-uncommon", "pretrained")),
        ("nn_former", ("nn_former", "pretrained")),
        ("mean_common", None),
        ("gates", None),
    ],
)
def test_architecture_and_recipe_of_a_label(label, found):
    assert names.recipe_of(label) == found


@pytest.mark.parametrize(
    ("label", "so"),
    [
        ("nn_former-paper", True), ("nn_former-paper_6l", True), ("nn_former-released", True),
        ("nn_former", False), ("nn_former-hard_paper", False), ("pinat-paper", False),
    ],
)  # fmt: skip
def test_what_counts_as_published(label, so):
    assert names.is_as_published(label) == so
