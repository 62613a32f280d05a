"""Chains of blocks: FBNet's codes, and the networks of Once-for-all with their depths."""

import pytest

from pipeline.spaces import blocks, cells


def test_a_chain_by_hand():
    assert blocks.chain(["a", "b"]) == (("input", "a", "b", "output"), ((0, 1), (1, 2), (2, 3)))
    assert blocks.chain([], "input_128") == (("input_128", "output"), ((0, 1),))


def test_fbnet_has_22_places_of_nine_choices():
    assert sum(blocks.STAGES_FBNET) == 22 and len(blocks.BLOCKS_FBNET) == 9
    assert blocks.fbnet([7, 8, *[0] * 20])[:3] == ("k5_e6", "skip", "k3_e1")
    for wrong in ([0] * 21, [0] * 23, [9] * 22, [-1] * 22, [True] * 22, ["0"] * 22):
        with pytest.raises(ValueError, match="22 codes"):
            blocks.fbnet(wrong)


def test_what_the_depth_leaves_out_is_skipped():
    network = blocks.ofa([3, 5, 7, 3] * 5, [3, 4, 6, 6] * 5, [2, 3, 4, 2, 2])
    assert network[:4] == ("k3_e3", "k5_e4", "skip", "skip")
    assert network[4:8] == ("k3_e3", "k5_e4", "k7_e6", "skip")
    assert network[8:12] == ("k3_e3", "k5_e4", "k7_e6", "k3_e6")
    assert set(network) <= set(blocks.VOCAB_OFA)


@pytest.mark.parametrize(
    ("kernels", "expansions", "depths", "what"),
    [
        ([3] * 19, [3] * 20, [2] * 5, "kernels"),
        ([4] * 20, [3] * 20, [2] * 5, "kernels"),
        ([3] * 20, [5] * 20, [2] * 5, "expansions"),
        ([3] * 20, [3] * 20, [1] * 5, "depths"),
        ([3] * 20, [3] * 20, [2.0] * 5, "depths"),
    ],
)
def test_numbers_of_another_space_are_refused(kernels, expansions, depths, what):
    with pytest.raises(ValueError, match=what):
        blocks.ofa(kernels, expansions, depths)


def test_chains_differ_by_the_place_of_a_block():
    a, b = (blocks.chain(chosen) for chosen in (["k3_e1", "k3_e6"], ["k3_e6", "k3_e1"]))
    assert cells.iso_hash(*a) != cells.iso_hash(*b)
