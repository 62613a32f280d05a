"""Networks as chains of blocks: the spaces of FBNet, Once-for-all (MobileNetV3), Accel-NASBench and NAS-Bench-Macro.

A chain has one node a position: the input, a block chosen for each place of the network, the output. A block that the
depth leaves out, and FBNet's own choice of none, are `skip`, so that a place says which channels and sizes a block has.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.spaces.cells import Cell

SKIP = "skip"

# FBNet (Wu et al., CVPR 2019, table 1): blocks a stage; of one stage all but the first have the same shapes.
STAGES_FBNET = (1, 4, 4, 4, 4, 4, 1)
CHANNELS_FBNET = (16, 24, 32, 64, 112, 184, 352)
STRIDES_FBNET, SIZE_FBNET = (1, 1, 2, 2, 1, 2, 1), 32  # as for CIFAR-100, pixels a side
STEM_FBNET, HEAD_FBNET, CLASSES_FBNET = 16, 1504, 100  # channels behind the first and last convolution; classes
# Kernel, expansion, groups of its 1x1 convolutions (table 2), in the order of HELP's codes.
BLOCKS_FBNET = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", SKIP)
VOCAB_FBNET = ("input", "output", *BLOCKS_FBNET)

# Once-for-all (Cai et al., ICLR 2020), MobileNetV3: five stages of 2 to 4 blocks.
STAGES_OFA, MAX_DEPTH_OFA = 5, 4
DEPTHS_OFA, KERNELS_OFA, EXPANSIONS_OFA = (2, 3, 4), (3, 5, 7), (3, 4, 6)
RESOLUTIONS_OFA = tuple(range(128, 225, 4))  # of the input, in pixels
BLOCKS_OFA = (*(f"k{k}_e{e}" for k in KERNELS_OFA for e in EXPANSIONS_OFA), SKIP)
VOCAB_OFA = (*(f"input_{r}" for r in RESOLUTIONS_OFA), "output", *BLOCKS_OFA)

# Accel-NASBench (Ahmad et al., DAC 2024): seven stages of MnasNet's blocks, widths and strides of EfficientNet-B0;
# the blocks of a stage are alike, with squeeze-and-excitation or without.
MAX_DEPTHS_ACCEL = (3, 3, 3, 3, 3, 4, 3)
KERNELS_ACCEL, EXPANSIONS_ACCEL = (3, 5), (1, 4, 6)
BLOCKS_ACCEL = (*(f"k{k}_e{e}{se}" for k in KERNELS_ACCEL for e in EXPANSIONS_ACCEL for se in ("", "_se")), SKIP)
VOCAB_ACCEL = ("input", "output", *BLOCKS_ACCEL)

# NAS-Bench-Macro (Su et al., CVPR 2021): eight blocks in three stages, each MobileNetV2's or none.
STAGES_MACRO = (2, 3, 3)
BLOCKS_MACRO = ("identity", "mb3_k3", "mb6_k5")
VOCAB_MACRO = ("input", "output", *BLOCKS_MACRO)


def chain(blocks: Sequence[str], source: str = "input") -> Cell:
    """The chain of `blocks` from `source` to the output: len(blocks) + 2 nodes."""
    labels = (source, *blocks, "output")
    return Cell(labels, tuple((node, node + 1) for node in range(len(labels) - 1)))


def fbnet(codes: Sequence[int]) -> tuple[str, ...]:
    """The 22 blocks of HELP's codes. Raises ValueError: not 22 whole numbers from 0 to 8."""
    if len(codes) != sum(STAGES_FBNET) or any(type(code) is not int or not 0 <= code < 9 for code in codes):
        raise ValueError(f"{list(codes)[:30]} are not 22 codes between 0 and 8")
    return tuple(BLOCKS_FBNET[code] for code in codes)


def costs_fbnet(blocks: Sequence[str]) -> tuple[float, float]:
    """FLOPs, two a multiplication, and weights of a network of 22 blocks for CIFAR-100: convolutions and classifier.

    A block is a 1x1 convolution to its expanded width, a depthwise one, which has the stride, and a 1x1 convolution
    (figure 3). Left out it counts nothing, also where shapes change.
    """
    n_in, size = STEM_FBNET, SIZE_FBNET
    products, weights = 27 * STEM_FBNET * size**2, 27 * STEM_FBNET
    stages = zip(CHANNELS_FBNET, STRIDES_FBNET, STAGES_FBNET, strict=True)
    places = [(n_out, 1 if place else stride) for n_out, stride, n in stages for place in range(n)]
    for block, (n_out, stride) in zip(blocks, places, strict=True):
        after = size // stride
        if block != SKIP:
            kernel, expansion, *grouped = (int(part[1:]) for part in block.split("_"))
            width, groups = n_in * expansion, grouped[0] if grouped else 1
            into, depthwise, out = n_in * width // groups, kernel**2 * width, width * n_out // groups
            products += into * size**2 + (depthwise + out) * after**2
            weights += into + depthwise + out
        n_in, size = n_out, after
    head, classifier = n_in * HEAD_FBNET, HEAD_FBNET * CLASSES_FBNET
    return 2.0 * (products + head * size**2 + classifier), float(weights + head + classifier)


def ofa(kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int]) -> tuple[str, ...]:
    """The 20 places of a network, those beyond a stage's depth `skip`.

    `kernels`, `expansions`: one a place, also where the depth leaves the place out; `depths`: one a stage.
    Raises ValueError: other numbers than the space has.
    """
    n = STAGES_OFA * MAX_DEPTH_OFA
    for name, values, size, known in (
        ("kernels", kernels, n, KERNELS_OFA),
        ("expansions", expansions, n, EXPANSIONS_OFA),
        ("depths", depths, STAGES_OFA, DEPTHS_OFA),
    ):
        if len(values) != size or any(type(value) is not int or value not in known for value in values):
            raise ValueError(f"{name} {list(values)[:30]} are not {size} of {', '.join(map(str, known))}")
    chosen = [f"k{k}_e{e}" for k, e in zip(kernels, expansions, strict=True)]
    return tuple(
        block if place % MAX_DEPTH_OFA < depths[place // MAX_DEPTH_OFA] else SKIP for place, block in enumerate(chosen)
    )


def accel(depths: Sequence[int], kernels: Sequence[int], expansions: Sequence[int], se: Sequence[bool]) -> Cell:
    """The chain of a network of Accel-NASBench, one block a place, places beyond a stage's depth `skip`.

    All four have one value a stage, which all its blocks share. Raises ValueError: other values than the space has.
    """
    n = len(MAX_DEPTHS_ACCEL)
    for name, values, known in (
        ("kernels", kernels, KERNELS_ACCEL),
        ("expansions", expansions, EXPANSIONS_ACCEL),
        ("squeeze-and-excitation", se, (False, True)),
    ):
        if len(values) != n or any(type(value) is not type(known[0]) or value not in known for value in values):
            raise ValueError(f"{name} {list(values)[:30]} are not {n} of {', '.join(map(str, known))}")
    if len(depths) != n or any(
        type(d) is not int or not 1 <= d <= m for d, m in zip(depths, MAX_DEPTHS_ACCEL, strict=True)
    ):
        raise ValueError(f"depths {list(depths)[:30]} are not from 1 to {', '.join(map(str, MAX_DEPTHS_ACCEL))}")
    places: list[str] = []
    for depth, most, k, e, with_se in zip(depths, MAX_DEPTHS_ACCEL, kernels, expansions, se, strict=True):
        places += [f"k{k}_e{e}{'_se' if with_se else ''}"] * depth + [SKIP] * (most - depth)
    return chain(places)


def macro(code: str) -> tuple[str, ...]:
    """The eight blocks of a network of NAS-Bench-Macro. Raises ValueError: not eight digits from 0 to 2."""
    if len(code) != sum(STAGES_MACRO) or not set(code) <= set("012"):
        raise ValueError(f"{code[:30]!r} is not eight digits from 0 to 2")
    return tuple(BLOCKS_MACRO[int(digit)] for digit in code)


def macro_costs(places: Sequence[str]) -> tuple[int, int]:
    """MACs of the convolutions and the classifier, and parameters, of a network of NAS-Bench-Macro on 32 x 32 pixels.

    The first block of a stage halves the size and doubles the channels; an identity does so by a 1x1 convolution.
    """
    macs, params = 0, 0

    def convolution(inputs: int, outputs: int, kernel: int, size: int, groups: int = 1) -> None:
        nonlocal macs, params
        weights = inputs * outputs * kernel**2 // groups
        macs, params = macs + weights * size**2, params + weights + 2 * outputs  # with batch normalisation

    size, channels = 32, 32
    convolution(3, channels, 3, size)
    first = {sum(STAGES_MACRO[:stage]) for stage in range(len(STAGES_MACRO))}
    for place, block in enumerate(places):
        stride = 2 if place in first else 1
        inner, kernel = {"identity": (0, 1), "mb3_k3": (3, 3), "mb6_k5": (6, 5)}[block]
        if inner:
            convolution(channels, inner * channels, 1, size)
            convolution(inner * channels, inner * channels, kernel, size // stride, inner * channels)
            convolution(inner * channels, channels * stride, 1, size // stride)
        elif stride > 1:
            convolution(channels, channels * stride, 1, size // stride)
        size, channels = size // stride, channels * stride
    convolution(channels, 1280, 1, size)
    return macs + 1280 * 10, params + 1280 * 10 + 10
