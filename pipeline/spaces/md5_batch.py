"""MD5 (RFC 1321) of many messages of one length at once: the loops over messages are numpy's."""

from __future__ import annotations

import math

import numpy as np

BLOCK_BYTES = 64
_START = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], dtype=np.uint32)
_SINES = [np.uint32(math.floor(2**32 * abs(math.sin(step + 1)))) for step in range(64)]
_SHIFTS = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
# Of each step: which of the 16 words of a block it takes, and by how many bits it turns.
_STEPS = [
    ((step, 5 * step + 1, 3 * step + 5, 7 * step)[step // 16] % 16, np.uint32(_SHIFTS[step // 16][step % 4]))
    for step in range(64)
]


def padded(n_messages: int, length: int) -> np.ndarray:
    """(n_messages, bytes of whole blocks): room for messages of `length` bytes, with what MD5 puts behind them."""
    blocks = (length + 8) // BLOCK_BYTES + 1
    content = np.zeros((n_messages, blocks * BLOCK_BYTES), dtype=np.uint8)
    content[:, length] = 0x80
    content[:, -8:] = np.frombuffer((8 * length).to_bytes(8, "little"), dtype=np.uint8)
    return content


def digests(content: np.ndarray) -> np.ndarray:
    """MD5 digests (n, 16) of messages written into `padded` (n, bytes)."""
    words = np.ascontiguousarray(content.view("<u4").T)
    state = np.repeat(_START[:, None], len(content), axis=1)
    for first in range(0, len(words), 16):
        state += _compressed(*state, words[first : first + 16])
    return np.ascontiguousarray(state.T).astype("<u4").view(np.uint8)


def _compressed(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, words: np.ndarray) -> np.ndarray:
    """What a block of 16 words (16, n) adds to the state (4, n)."""
    total, turned = np.empty_like(a), np.empty_like(a)
    for step, (word, bits) in enumerate(_STEPS):
        part = step // 16
        if part == 0:  # (b and c) or (not b and d)
            np.bitwise_xor(c, d, out=total)
            total &= b
            total ^= d
        elif part == 1:  # (d and b) or (not d and c)
            np.bitwise_xor(b, c, out=total)
            total &= d
            total ^= c
        elif part == 2:
            np.bitwise_xor(b, c, out=total)
            total ^= d
        else:  # c xor (b or not d)
            np.invert(d, out=total)
            total |= b
            total ^= c
        total += a
        total += words[word]
        total += _SINES[step]
        np.left_shift(total, bits, out=turned)
        total >>= np.uint32(32) - bits
        total |= turned
        total += b
        # The old a is no longer needed: its array takes the next total, unless it belongs to the caller.
        a, b, c, d, total = d, total, b, c, (a if step >= 4 else np.empty_like(a))
    return np.stack((a, b, c, d))
