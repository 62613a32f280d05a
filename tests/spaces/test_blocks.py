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


def test_a_network_of_accel_nasbench_has_22_places():
    graph = blocks.accel([1, 2, 3, 1, 1, 4, 1], [3, 5, 3, 3, 3, 3, 5], [6, 4, 1, 1, 1, 1, 1], [True] + [False] * 6)
    assert graph.labels[1:7] == ("k3_e6_se", "skip", "skip", "k5_e4", "k5_e4", "skip")
    assert len(graph.labels) == 24 and set(graph.labels) <= set(blocks.VOCAB_ACCEL)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({0: [4, 1, 1, 1, 1, 1, 1]}, "depths"),
        ({0: [True] * 7}, "depths"),
        ({1: [7] * 7}, "kernels"),
        ({2: [3] * 7}, "expansions"),
        ({3: [1] * 7}, "squeeze"),
        ({1: [3] * 6}, "kernels"),
    ],
)
def test_other_networks_than_accel_nasbench_has_are_refused(change, what):
    good = {0: [1] * 7, 1: [3] * 7, 2: [1] * 7, 3: [False] * 7}
    with pytest.raises(ValueError, match=what):
        blocks.accel(*(good | change).values())


def test_costs_of_networks_of_nas_bench_macro_by_hand():
    # Identities alone: stem, a strided 1x1 convolution a stage, the last 1x1 convolution, the classifier.
    strided = (2048 * 16**2, 8192 * 8**2, 32768 * 4**2)
    macs = 864 * 32**2 + sum(strided) + 327680 * 4**2 + 12800
    params = (864 + 64) + (2048 + 128) + (8192 + 256) + (32768 + 512) + (327680 + 2560) + 12810
    assert blocks.macro_costs(blocks.macro("00000000")) == (macs, params)
    # One block of kernel 3 and expansion 3 on 256 channels and 4 x 4 pixels more.
    more = 256 * 768 + 768 * 9 + 768 * 256
    assert blocks.macro_costs(blocks.macro("00000001")) == (macs + more * 16, params + more + 2 * (768 + 768 + 256))


@pytest.mark.parametrize("code", ["", "0000000", "000000000", "00000003", "0000000a"])
def test_other_codes_than_nas_bench_macro_has_are_refused(code):
    with pytest.raises(ValueError, match="eight digits"):
        blocks.macro(code)
