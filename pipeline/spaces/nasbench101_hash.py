"""The graph hash of NAS-Bench-101 (Ying et al., ICML 2019; hash_module of its repository), of many cells at once.

A vertex starts as the MD5 of its out-degree, in-degree and operation; as often as the cell has vertices, every vertex
becomes the MD5 of its sources' digests, its targets' digests (both sorted) and its own; the cell's hash is the MD5 of
the sorted list of digests. Isomorphic cells have one hash, and no two others of the space do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from pipeline.spaces import md5_batch
from pipeline.spaces.nasbench101 import Space, adjacency, operations

INPUT, OUTPUT = -1, -2  # in place of an operation's position in cells_101.OPS
_PAIRS = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)


def module_hashes(space: Space) -> np.ndarray:
    """Hashes (m, 16), uint8, of m cells."""
    hashes = np.empty((len(space.n), 16), dtype=np.uint8)
    for n in np.unique(space.n).tolist():
        rows = np.flatnonzero(space.n == n)
        hashes[rows] = _hashes(n, adjacency(n, space.bits[rows]), operations(n, space.code[rows]))
    return hashes


def _hashes(n: int, adj: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Of cells of n vertices: `adj` (m, n, n), `ops` (m, n - 2). The m n vertices are numbered cell by cell."""
    m = len(adj)
    digests = _first_digests(adj, ops)
    groups = _by_degree(n, adj)
    for _ in range(n):
        texts, sort = _hexadecimal(digests), _sorter(digests)
        next_digests = np.empty_like(digests)
        for vertices, sources, targets in groups:
            next_digests[vertices] = _digests(texts, (sort(sources), sort(targets), vertices[:, None]))
        digests = next_digests
    template = str(["0" * 32] * n).encode()
    content = md5_batch.padded(m, len(template))
    content[:, : len(template)] = np.frombuffer(template, dtype=np.uint8)
    texts, members = _hexadecimal(digests), _sorter(digests)(np.arange(m * n).reshape(m, n))
    for place in range(n):
        content[:, 2 + 36 * place : 34 + 36 * place] = texts[members[:, place]]
    return md5_batch.digests(content)


def _first_digests(adj: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """(m n, 16): of each vertex' out-degree, in-degree and operation."""
    labels = np.full((len(adj), adj.shape[1]), INPUT)
    labels[:, 1:-1] = ops
    labels[:, -1] = OUTPUT
    kinds, kind = np.unique((adj.sum(2) * 10 + adj.sum(1)) * 10 + labels - OUTPUT, return_inverse=True)
    entries = [(code // 100, code // 10 % 10, code % 10 + OUTPUT) for code in kinds.tolist()]
    digests = [hashlib.md5(str(numbers).encode(), usedforsecurity=False).digest() for numbers in entries]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16)[kind.ravel()]


def _by_degree(n: int, adj: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Vertices (v,) with as many sources (v, i) and targets (v, o) as one another, for every i and o."""
    n_sources, n_targets = adj.sum(1), adj.sum(2)
    groups = []
    for degrees in np.unique(n_sources * n + n_targets).tolist():
        i, o = divmod(degrees, n)
        cell, vertex = np.nonzero((n_sources == i) & (n_targets == o))
        sources = np.nonzero(adj[cell, :, vertex])[1].reshape(len(cell), i)
        targets = np.nonzero(adj[cell, vertex])[1].reshape(len(cell), o)
        first = cell[:, None] * n
        groups.append((cell * n + vertex, first + sources, first + targets))
    return groups


def _sorter(digests: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function that sorts each row of vertices (v, k) by digest."""
    high, low = np.ascontiguousarray(digests.view(">u8").T).astype(np.uint64)
    order = np.argsort(high)
    if (low[order[1:]] != low[order[:-1]])[high[order[1:]] == high[order[:-1]]].any():
        order = np.lexsort((low, high))
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return lambda vertices: order[np.sort(rank[vertices], axis=1)] if vertices.shape[1] > 1 else vertices


def _digests(texts: np.ndarray, parts: tuple[np.ndarray, ...]) -> np.ndarray:
    """MD5 (v, 16) of the texts of each part's vertices (v, k), with a bar between parts."""
    n_texts = sum(part.shape[1] for part in parts)
    content = md5_batch.padded(len(parts[0]), 32 * n_texts + len(parts) - 1)
    start = 0
    for number, part in enumerate(parts):
        if number:
            content[:, start] = ord("|")
            start += 1
        stop = start + 32 * part.shape[1]
        content[:, start:stop] = texts[part].reshape(len(part), -1)
        start = stop
    return md5_batch.digests(content)


def _hexadecimal(digests: np.ndarray) -> np.ndarray:
    """(v, 32) ASCII codes of digests (v, 16)."""
    return _PAIRS[digests].view(np.uint8)
