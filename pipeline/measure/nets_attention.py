"""Networks of matrix products and layer normalisation: two transformers, MLP-Mixer and ConvNeXt."""

from __future__ import annotations

from onnx import TensorProto

from pipeline.measure.builder import INPUT, Builder, Settings

LENGTHS = (16, 32, 64, 128, 256, 384, 512)
POSITIONS, SEGMENTS = 512, 2  # rows of BERT's tables
WORDS = 30_522


def vit(b: Builder, s: Settings) -> str:
    """Dosovitskiy et al., ICLR 2021, ViT-B/16. Varied: patch, width, size of a head, depth (3 to 12), hidden units."""
    patch, head = s.pick(16, (14, 16, 28, 32)), s.pick(64, (32, 64))
    heads = max(1, round(s.width(768) / head))
    dim, hidden = heads * head, s.width(3072)
    x = _patches(b, dim, patch)
    length = b.shapes[x][1] + 1
    x = b.op("Concat", b.weight(1, 1, dim), x, axis=1, shape=(1, length, dim))
    x = b.op("Add", x, b.weight(1, length, dim))
    for _ in range(s.pick(12, range(3, 13))):
        x = b.add(x, _attention(b, b.layer_norm(x), heads))
        x = b.add(x, _hidden_layer(b, b.layer_norm(x), hidden))
    return b.linear(_first(b, b.layer_norm(x)), 1000)


def bert(b: Builder, s: Settings) -> str:
    """Devlin et al., NAACL 2019, BERT-base on 128 tokens, one segment, none masked; the pooled output. Varied: tokens,
    the vocabulary, width, size of a head, depth (1 to 12), hidden units."""
    length, words, head = s.pick(128, LENGTHS), s.pick(WORDS, range(1_000, 30_001, 1_000)), s.pick(64, (32, 64))
    heads = max(1, round(s.width(768) / head))
    dim, hidden = heads * head, s.width(3072)
    x = b.op("Gather", b.weight(words, dim), b.reads(1, length, kind=TensorProto.INT64), shape=(1, length, dim))
    segment = b.op("Gather", b.weight(SEGMENTS, dim), b.constant([0]), shape=(1, dim))
    window = [b.constant(entry) for entry in ([0], [length], [0])]
    places = b.op("Slice", b.weight(POSITIONS, dim), *window, shape=(length, dim))
    x = b.layer_norm(b.op("Add", b.op("Add", x, segment), places))
    for _ in range(s.pick(12, range(1, 13))):
        x = b.layer_norm(b.add(_attention(b, x, heads), x))
        x = b.layer_norm(b.add(_hidden_layer(b, x, hidden), x))
    return b.op("Tanh", b.linear(_first(b, x), dim))


def mlp_mixer(b: Builder, s: Settings) -> str:
    """Tolstikhin et al., NeurIPS 2021, Mixer-B/16. Varied: patch, width, both kinds of hidden units, depth."""
    patch, dim, across, hidden = s.pick(16, (14, 16, 28, 32)), s.width(768), s.width(384), s.width(3072)
    x = _patches(b, dim, patch)
    for _ in range(s.pick(12, range(3, 13))):
        y = _hidden_layer(b, b.transpose(b.layer_norm(x), 0, 2, 1), across)
        x = b.add(x, b.transpose(y, 0, 2, 1))
        x = b.add(x, _hidden_layer(b, b.layer_norm(x), hidden))
    x = b.op("ReduceMean", b.layer_norm(x), axes=[1], keepdims=0, shape=(1, dim))
    return b.linear(x, 1000)


def convnext(b: Builder, s: Settings) -> str:
    """Liu et al., CVPR 2022, ConvNeXt-T. Varied: widths, depthwise kernels (3 to 9), blocks of a stage, expansion, the
    edge of the first patches, whether blocks scale their channels."""
    patch, scaled = s.pick(4, (4, 8)), s.pick(True, (True, False))
    x = INPUT
    for width, depth in ((96, 3), (192, 3), (384, 9), (768, 3)):
        dim, expansion = s.width(width), s.pick(4, (2, 3, 4))
        x = b.conv(x, dim, patch, patch, pad=0) if x == INPUT else b.conv(_norm_channels(b, x), dim, 2, 2, pad=0)
        x = _norm_channels(b, x) if width == 96 else x
        kernel = s.kernel(7, (3, 5, 7, 9))
        for _ in range(s.depth(depth)):
            y = b.layer_norm(b.transpose(b.conv(x, dim, kernel, groups=dim), 0, 2, 3, 1))
            y = b.transpose(_hidden_layer(b, y, dim * expansion), 0, 3, 1, 2)
            x = b.add(b.op("Mul", y, b.weight(dim, 1, 1)) if scaled else y, x)
    return b.linear(b.flatten(_norm_channels(b, b.mean(x))), 1000)


def _patches(b: Builder, dim: int, patch: int) -> str:
    """The image as a row of patches: (1, patches, dim)."""
    x = b.conv(INPUT, dim, patch, patch, pad=0)
    return b.transpose(b.reshape(x, 1, dim, b.shapes[x][2] ** 2), 0, 2, 1)


def _attention(b: Builder, x: str, heads: int) -> str:
    _, length, dim = b.shapes[x]
    head = dim // heads
    parts = [
        b.transpose(b.reshape(b.dense(x, dim), 1, length, heads, head), *turn)
        for turn in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))  # queries, keys, values
    ]
    query, key, value = parts
    scores = b.op("Mul", b.matmul(query, key), b.constant(head**-0.5))
    y = b.matmul(b.op("Softmax", scores, axis=-1), value)
    return b.dense(b.reshape(b.transpose(y, 0, 2, 1, 3), 1, length, dim), dim)


def _hidden_layer(b: Builder, x: str, hidden: int) -> str:
    """Two layers on the last dimension, of `hidden` units and of as many as `x` has."""
    return b.dense(_gelu(b, b.dense(x, hidden)), b.shapes[x][-1])


def _gelu(b: Builder, x: str) -> str:
    """x (1 + erf(x / sqrt 2)) / 2."""
    y = b.op("Erf", b.op("Mul", x, b.constant(0.5**0.5)))
    return b.op("Mul", b.op("Mul", x, b.op("Add", y, b.constant(1.0))), b.constant(0.5))


def _norm_channels(b: Builder, x: str) -> str:
    """Layer normalisation of the channels of an image, which are last meanwhile."""
    return b.transpose(b.layer_norm(b.transpose(x, 0, 2, 3, 1)), 0, 3, 1, 2)


def _first(b: Builder, x: str) -> str:
    """The first token, (1, width)."""
    _, _, dim = b.shapes[x]
    return b.flatten(b.op("Gather", x, b.constant([0]), axis=1, shape=(1, 1, dim)))
