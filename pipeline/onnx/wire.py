"""An ONNX file without the values of its large weights, before protobuf sees it.

Only name, type and shape of a large weight matter here. Protobuf's own objects can take many times the bytes that a
file spends on them, so what is left is bounded too: memory then is in proportion to the structure of a network.
"""

from __future__ import annotations

from collections.abc import Mapping

LARGE = 2**16  # bytes of a message that is looked into; smaller ones are kept whole
MAX_STRUCTURE_BYTES = 2**25
MAX_FIELDS = 2**21

Fields = Mapping[int, "Fields | None"]  # by number: the fields inside, or None for one that is left out
_TENSOR: Fields = dict.fromkeys((4, 5, 6, 7, 9, 10, 11))  # float, int32, string, int64, raw, double and uint64 data
_SPARSE: Fields = {1: _TENSOR, 2: _TENSOR}
_GRAPH: dict[int, Fields] = {5: _TENSOR, 15: _SPARSE}
_ATTRIBUTE: dict[int, Fields] = {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE}
_NODE: Fields = {5: _ATTRIBUTE}
_GRAPH[1] = _NODE
_MODEL: Fields = {7: _GRAPH, 25: {7: _NODE, 11: _ATTRIBUTE}}


class TooLarge(ValueError):
    """More structure than any network has."""


def without_values(content: bytes) -> bytes:
    """`content` without the values of tensors above LARGE bytes.

    Raises TooLarge, and ValueError where it is no protobuf message.
    """
    if len(content) <= LARGE:
        return content
    left = _stripped(memoryview(content), _MODEL, [MAX_FIELDS])
    if len(left) > MAX_STRUCTURE_BYTES:
        raise TooLarge(f"{len(left) >> 20:,} MiB beside its weights, over the limit of {MAX_STRUCTURE_BYTES >> 20} MiB")
    return left


def _stripped(message: memoryview, fields: Fields, budget: list[int]) -> bytes:
    """The message without what `fields` leaves out; `budget` holds how many fields may still be looked at."""
    kept = bytearray()
    position, copied, end = 0, 0, len(message)
    while position < end:
        budget[0] -= 1
        if budget[0] < 0:
            raise TooLarge(f"over {MAX_FIELDS:,} parts beside its weights")
        start = position
        key, position = _varint(message, position)
        body, position = _body(message, key & 7, position)
        inside = fields.get(key >> 3, fields)
        if inside is fields or inside is not None and position - body <= LARGE:
            continue
        kept += message[copied:start]
        copied = position
        if inside is not None and key & 7 == 2:
            part = _stripped(message[body:position], inside, budget)
            kept += _as_varint(key) + _as_varint(len(part)) + part
    return bytes(kept + message[copied:end])


def _body(message: memoryview, kind: int, position: int) -> tuple[int, int]:
    """Where the content of a field of wire type `kind` starts and ends."""
    if kind == 0:
        return position, _varint(message, position)[1]
    if kind == 2:
        length, position = _varint(message, position)
    elif kind in (1, 5):
        length = 8 if kind == 1 else 4
    else:
        raise ValueError(f"wire type {kind}")
    if position + length > len(message):
        raise ValueError("truncated")
    return position, position + length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        if position >= len(message):
            raise ValueError("truncated")
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
