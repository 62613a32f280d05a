"""TFRecord framing: known checksums, and every damaged byte and every truncation is noticed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import BenchError
from pipeline.fetch import tfrecord


def contents(file):
    return [tfrecord.data(file, *span, "x") for span in tfrecord.spans(file, "x")]


def test_known_checksums():
    assert tfrecord.google_crc32c.value(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    crc = 0x8A9136AA
    turned = int(f"{crc:032b}"[-15:] + f"{crc:032b}"[:-15], 2)
    assert tfrecord.masked_crc(bytes(32)) == (turned + 0xA282EAD8) % 2**32
    assert tfrecord.frame(bytes(24))[:12].hex() == "1800000000000000a37f4b22"  # how TensorBoard's event files begin


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_what_is_framed_is_read_back(records):
    assert contents(b"".join(map(tfrecord.frame, records))) == records


def test_records_between_two_bounds():
    records = [b"first", b"", b"third"]
    file = b"".join(map(tfrecord.frame, records))
    start, stop = len(tfrecord.frame(b"first")), len(tfrecord.frame(b"first") + tfrecord.frame(b""))
    assert [file[slice(*span)] for span in tfrecord.spans(file, "x", start, stop)] == [b""]
    assert [file[slice(*span)] for span in tfrecord.spans(file, "x", stop)] == [b"third"]


def test_every_changed_byte_is_noticed():
    file = tfrecord.frame(b"first") + tfrecord.frame(b"second")
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 0x10
        with pytest.raises(BenchError, match=r"x: damaged at byte (0|21): .* fetch it again"):
            contents(bytes(damaged))


def test_every_truncation_is_noticed():
    first = tfrecord.frame(b"first")
    file = first + tfrecord.frame(b"second")
    for size in set(range(len(file))) - {0, len(first)}:
        with pytest.raises(BenchError, match=r"x: truncated: it ends inside the record at byte (0|21); fetch it again"):
            contents(file[:size])


def test_a_length_beyond_the_file_is_a_truncation():
    length = struct.pack("<Q", 2**63)
    with pytest.raises(BenchError, match="truncated"):
        contents(length + struct.pack("<I", tfrecord.masked_crc(length)) + b"data")
