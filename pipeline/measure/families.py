"""Weight-free ONNX networks of known families: the paper's own, and seeded variants of it.

    python -m pipeline.measure.families --per-family 30 --seed 0 --out DIR [--family NAME ...]

writes DIR/<family>/<family>-<seed>-<k>.onnx. Variants are drawn as those of nn-Meter's data sets (Zhang et al., MobiSys
2021): widths 0.2 to 1.8 of the paper's, kernels of 1 to 9; depth, expansion and squeeze-and-excitation vary beside. See
`pipeline.measure.builder.Settings` and the families' docstrings. Batch 1; images are 3 x 224 x 224 but where a family's
docstring says otherwise (NAS-Bench-201: 32 x 32).
A draw of more than MAX_MACS or MAX_PARAMS is made narrower, all its widths alike, to a random share of these (0.1 to
1), so that one network runs in well under a second on one core. VGG-16, ViT-B/16 and AlexNet themselves are larger.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnx

from pipeline.core import io
from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import (
    nets_attention,
    nets_mobile,
    nets_operations,
    nets_other,
    nets_plain,
    nets_sequence,
    nets_tiny,
    precisions,
)
from pipeline.measure.builder import Builder, Settings

MAX_MACS = 4e9
MAX_PARAMS = 5e7
ATTEMPTS = 1000  # draws in a row that repeat earlier variants before a family counts as exhausted


class Family(NamedTuple):
    """`build` adds a network of the given settings to a builder and returns its output; `size` is the input's edge,
    where it is an image of one size; `builder` sets the precision."""

    build: Callable[[Builder, Settings], str]
    size: int = 224
    builder: type[Builder] = Builder


FAMILIES: dict[str, Family] = {
    "alexnet": Family(nets_plain.alexnet),
    "bert": Family(nets_attention.bert),
    "conv1d": Family(nets_sequence.conv1d),
    "convnext": Family(nets_attention.convnext),
    "detector": Family(nets_other.detector),
    "dynamic": Family(precisions.any_network, builder=precisions.Dynamic),
    "efficientb0": Family(nets_mobile.efficientb0),
    "float16": Family(precisions.any_network, builder=precisions.Float16),
    "googlenet": Family(nets_plain.googlenet),
    "mlp_mixer": Family(nets_attention.mlp_mixer),
    "mnasnet": Family(nets_mobile.mnasnet),
    "mobilenetv2": Family(nets_mobile.mobilenetv2),
    "mobilenetv3": Family(nets_mobile.mobilenetv3),
    "nasbench201": Family(nets_other.nasbench201, 32),
    "operations": Family(nets_operations.operations),
    "quantized": Family(precisions.any_network, builder=precisions.Quantized),
    "recurrent": Family(nets_sequence.recurrent),
    "resnet18": Family(nets_plain.resnet18),
    "squeezenet": Family(nets_plain.squeezenet),
    "tiny": Family(nets_tiny.tiny),
    "vgg16": Family(nets_plain.vgg16),
    "vit": Family(nets_attention.vit),
}


def unvaried(family: str) -> onnx.ModelProto:
    """The family's network as its paper has it. Raises BenchError: unknown family."""
    builder, output = _built(family, Settings())
    return builder.model(output)


def variants(family: str, n: int, seed: int) -> list[onnx.ModelProto]:
    """The first `n` variants of a family. Variant k hangs on (family, seed, k) alone, and no two have one structure.

    Raises BenchError: unknown family, or the family has fewer variants.
    """
    structures: set[int] = set()
    return [_variant(family, seed, k, structures) for k in range(n)]


def _variant(family: str, seed: int, k: int, structures: set[int]) -> onnx.ModelProto:
    """Variant k, when `structures` holds the structures of those before it; its own is added."""
    for attempt in range(ATTEMPTS):
        network = _draw(family, f"{family}/{seed}/{k}/{attempt}", k)
        if network is None:
            continue
        builder, output = network
        if (structure := builder.structure()) not in structures:
            structures.add(structure)
            return builder.model(output)
    raise BenchError(f"{family}: no more than about {k} different variants; ask for fewer")


def _draw(family: str, key: str, k: int) -> tuple[Builder, str] | None:
    """The network that the random numbers of `key` make; None when it can't be made narrow enough."""
    narrower = 1.0
    for _ in range(10):
        rng = random.Random(key)
        share = rng.uniform(0.1, 1.0)
        builder, output = _built(family, Settings(rng, narrower, k))
        excess = max(builder.macs / MAX_MACS, builder.params / MAX_PARAMS)
        if excess <= (1 if narrower == 1 else 1.02 * share):
            return builder, output
        narrower *= math.sqrt(share / excess)
    return None


def _built(family: str, settings: Settings) -> tuple[Builder, str]:
    _check(family)
    about = FAMILIES[family]
    builder = about.builder(about.size)
    return builder, about.build(builder, settings)


def _check(family: str) -> None:
    if family not in FAMILIES:
        raise BenchError(f"family {family!r} is not known; choose among {', '.join(FAMILIES)}")


def main() -> None:
    """Write the variants of all or some families."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.measure.families", description="Weight-free ONNX variants of known families."
    )
    parser.add_argument("--per-family", type=int, required=True, metavar="N", help="variants of each family")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default %(default)s)")
    parser.add_argument("--family", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    args = parser.parse_args()
    if args.per_family < 1:
        raise BenchError(f"--per-family {args.per_family}: give 1 or more")
    for family in args.family or ():
        _check(family)
    for family in args.family or FAMILIES:
        contents = [
            model.SerializeToString(deterministic=True) for model in variants(family, args.per_family, args.seed)
        ]
        for k, content in enumerate(contents):
            io.write_bytes(args.out / family / f"{family}-{args.seed}-{k:04d}.onnx", content)
        size = sum(map(len, contents)) / len(contents) / 1000
        print(f"{family}: {len(contents)} networks of {size:.1f} kB on average in {args.out / family}")


if __name__ == "__main__":
    run_cli(main)
