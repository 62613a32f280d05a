"""Networks as chains of blocks: FBNet's space, and the MobileNetV3 space of Once-for-all.

A chain has one node a position: the input, a block chosen for each place of the network, the output. A block that the
depth leaves out, and FBNet's own choice of none, are `skip`, so that a place says which channels and sizes a block has.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.spaces.cells import Cell

SKIP = "skip"

# FBNet (Wu et al., CVPR 2019, table 1): blocks a stage; of one stage all but the first have the same shapes.
STAGES_FBNET = (1, 4, 4, 4, 4, 4, 1)
# Kernel, expansion, groups of its 1x1 convolutions (table 2), in the order of HELP's codes.
BLOCKS_FBNET = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", SKIP)
VOCAB_FBNET = ("input", "output", *BLOCKS_FBNET)

# Once-for-all (Cai et al., ICLR 2020), MobileNetV3: five stages of 2 to 4 blocks.
STAGES_OFA, MAX_DEPTH_OFA = 5, 4
DEPTHS_OFA, KERNELS_OFA, EXPANSIONS_OFA = (2, 3, 4), (3, 5, 7), (3, 4, 6)
RESOLUTIONS_OFA = tuple(range(128, 225, 4))  # of the input, in pixels
BLOCKS_OFA = (*(f"k{k}_e{e}" for k in KERNELS_OFA for e in EXPANSIONS_OFA), SKIP)
VOCAB_OFA = (*(f"input_{r}" for r in RESOLUTIONS_OFA), "output", *BLOCKS_OFA)


def chain(blocks: Sequence[str], source: str = "input") -> Cell:
    """The chain of `blocks` from `source` to the output: len(blocks) + 2 nodes."""
    labels = (source, *blocks, "output")
    return Cell(labels, tuple((node, node + 1) for node in range(len(labels) - 1)))


def fbnet(codes: Sequence[int]) -> tuple[str, ...]:
    """The 22 blocks of HELP's codes. Raises ValueError: not 22 whole numbers from 0 to 8."""
    if len(codes) != sum(STAGES_FBNET) or any(type(code) is not int or not 0 <= code < 9 for code in codes):
        raise ValueError(f"{list(codes)[:30]} are not 22 codes between 0 and 8")
    return tuple(BLOCKS_FBNET[code] for code in codes)


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
