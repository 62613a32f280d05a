"""TFRecord files: a chain of records, each with checksums of its length and its data (TensorFlow's own file format).

A record is the length of its data (uint64), the masked CRC-32C of these eight bytes, the data, and the masked CRC-32C
of the data; all numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from mmap import mmap

import google_crc32c

from pipeline.core.errors import BenchError

LENGTH, CRC = struct.Struct("<Q"), struct.Struct("<I")
HEADER_BYTES = LENGTH.size + CRC.size
MASK = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """CRC-32C of `data`, turned right by 15 bits, plus MASK."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF


def spans(content: bytes | mmap, where: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """Where the data of each record lie, (start, stop), of the records between two bounds of records.

    Only lengths are checked; see `data`. Raises BenchError naming `where` and the byte when a length is damaged or the
    content ends inside a record.
    """
    stop = len(content) if stop is None else stop
    while start < stop:
        header = content[start : start + HEADER_BYTES]
        first = start + HEADER_BYTES
        if len(header) == HEADER_BYTES and CRC.unpack(header[LENGTH.size :])[0] != _crc_of_length(
            header[: LENGTH.size]
        ):
            raise BenchError(f"{where}: damaged at byte {start}: the length of a record fails its CRC; fetch it again")
        last = first + LENGTH.unpack(header[: LENGTH.size])[0] if len(header) == HEADER_BYTES else stop
        if last + CRC.size > stop:
            raise BenchError(f"{where}: truncated: it ends inside the record at byte {start}; fetch it again")
        yield first, last
        start = last + CRC.size


def data(content: bytes | mmap, first: int, last: int, where: str) -> bytes:
    """The data of one of `spans`. Raises BenchError naming `where` and the byte when they fail their checksum."""
    payload = content[first:last]
    if CRC.unpack(content[last : last + CRC.size])[0] != masked_crc(payload):
        raise BenchError(
            f"{where}: damaged at byte {first - HEADER_BYTES}: the data of a record fail their CRC; fetch it again"
        )
    return payload


def frame(data: bytes) -> bytes:
    """`data` as a record."""
    length = LENGTH.pack(len(data))
    return length + CRC.pack(masked_crc(length)) + data + CRC.pack(masked_crc(data))


@lru_cache(maxsize=4096)
def _crc_of_length(length: bytes) -> int:
    return masked_crc(length)
