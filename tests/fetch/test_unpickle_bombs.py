"""Small pickles that would take hours or change the program are refused in a second."""

from __future__ import annotations

import pickle
import time

import pytest

from pipeline.core.errors import BenchError
from pipeline.core.memory import resident_bytes
from pipeline.fetch import unpickle, unpickle_numpy
from tests.helpers.bounded_memory import bounded_memory

HEAD = b"\x80\x04"  # of protocol 4
MODULUS = 2**61 - 1  # of the hashes of numbers
ALLOWED = {**unpickle_numpy.ALLOWED, ("m", "mapping"): unpickle.empty_dict, ("m", "C"): unpickle.Record}


def written(value: object) -> bytes:
    """What a pickle says of a value."""
    return pickle.dumps(value, 4)[len(HEAD) : -1]


def keys(*words: bytes) -> bytes:
    """A dictionary with these keys."""
    return b"}(" + b"".join(word + b"N" for word in words) + b"u"


def pairs(count: int) -> list[bytes]:
    """Keys whose hashes the test makes the same: who knows the function finds such pairs."""
    return [b"K\x00" + written(i) + b"\x86" for i in range(count)]


PAIR_OF_PAIRS = b"]\x940" + b"".join(b"h%ch%c\x86\x940" % (i, i) for i in range(60)) + b"h\x3c"  # 60 deep
ONE_ATTRIBUTE = b"}" + written("x") + b"K\x01sb"
LONG_SHAPE = b"(" + written(1 << 8_000_000) + b"\x94" + b"h\x00" * 200 + b"t"
SHAPED = b"cnumpy\nndarray\n)\x81(K\x01%bcnumpy\ndtype\n" + written(("i8",)) + b"RK\x00C\x00tb"
LONG = "it holds an integer of over 64 bits"
NO_KEY = "a key is neither a short text nor an integer, nor a few integers"
REFUSED = {
    "numbers that collide": (keys(*(written(i * MODULUS) for i in range(1, 20_000))), LONG),
    "pairs that collide": (keys(*pairs(20_000)), "the keys of a dictionary collide"),
    "pairs one by one": (b"}" + b"".join(key + b"Ns" for key in pairs(99)), "the keys of a dictionary collide"),
    "pairs in the oldest opcode": (keys(*pairs(99))[1:-1] + b"d", "the keys of a dictionary collide"),
    "a pair of pairs of pairs": (keys(PAIR_OF_PAIRS), NO_KEY),
    "a million digits": (keys(written(1 << 4_000_000)), LONG),
    "a million digits as text": (b"L" + b"9" * 10**6 + b"L\n", "Exceeds the limit"),
    "a number of 65 bits": (written([1 << 64]), LONG),
    "a number of 65 bits as text": (b"I%d\n" % (1 << 64), LONG),
    "a million letters": (keys(written("a" * 10**6)), NO_KEY),
    "many integers": (keys(written(tuple(range(10**4)))), NO_KEY),
    "bytes": (keys(written(b"a")), NO_KEY),
    "a list": (keys(written([])), NO_KEY),
    "no value": (b"}(K\x01u", "keys without a dictionary or a value"),
    "no dictionary": (b"](K\x00Nu", "keys without a dictionary or a value"),
    "keys for a constructor": (b"cm\nmapping\n" + written(([(1, 2)],)) + b"R", "takes 0 positional arguments"),
    "a set": (written({1, 2}), "it holds a set"),
    "half a gigabyte of zeros": (b"\x96" + (2**29).to_bytes(8, "little"), "an array of bytes"),
    "a frozen set": (written(frozenset({1, 2})), "it holds a set"),
    "attributes of a function": (b"cm\nmapping\n" + ONE_ATTRIBUTE, "it changes something else than an object"),
    "attributes of a class": (b"cm\nC\n" + ONE_ATTRIBUTE, "it changes something else than an object"),
    "a shape of a million digits": (SHAPED % LONG_SHAPE, LONG),
    "a shape of many numbers": (SHAPED % (b"(" + written(2**31 - 1) * 9999 + b"t"), "content does not fit its shape"),
    "a type of pairs of pairs": (
        b"cnumpy\ndtype\n" + PAIR_OF_PAIRS + b"\x85R",
        "array type tuple is not a plain number",
    ),
}


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_in_a_second(name, monkeypatch):
    monkeypatch.setattr(unpickle, "hash", lambda key: 0 if type(key) is tuple else hash(key), raising=False)
    content, says = REFUSED[name]
    start = time.process_time()
    with bounded_memory(2**27), pytest.raises(BenchError) as caught:
        unpickle.loads(HEAD + content + b".", ALLOWED, "x")
    message = str(caught.value)
    assert message.startswith("x: pickle refused: ") and says in message
    assert "\n" not in message and len(message) < 300
    assert time.process_time() - start < 1
    assert not hasattr(unpickle.empty_dict, "x") and not hasattr(unpickle.Record, "x")


def test_keys_of_real_files_are_read():
    value = {"a": 1, -1: {-2: {}}, (1, 2, 0): [], **{i << 40: None for i in range(2000)}}
    start = time.process_time()
    assert unpickle.loads(pickle.dumps(value, 4), {}, "x") == value
    assert time.process_time() - start < 1


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize("frame", [b"", pickle.FRAME + (2**21 + 2).to_bytes(8, "little")])
def test_memory_out_of_proportion_is_refused(frame, monkeypatch):
    """Two million empty dictionaries, in a frame or in none."""
    monkeypatch.setattr(unpickle, "LEAST_MEMORY", 0)
    before = resident_bytes()
    with pytest.raises(BenchError, match="x: pickle refused: its object takes memory out of proportion"):
        unpickle.loads(HEAD + frame + b"(" + b"}" * 2**21 + b"l.", {}, "x")
    assert resident_bytes() < before + 2**27


class Held:
    """An object with attributes."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


def test_a_file_of_many_objects_is_read():
    """As that of analognas201: 15,625 objects with 14 attributes, of which eight are objects with two."""

    def architecture(i: int) -> Held:
        drifts = {f"drift_{k}": Held(value=i + k / 7, uncertainty=i / 7) for k in range(8)}
        return Held(**{f"accuracy_{k}": i + k / 9 for k in range(6)}, **drifts)

    content = pickle.dumps({(i, i): architecture(i) for i in range(15_625)}, 4)
    found = unpickle.loads(content, {(__name__, "Held"): unpickle.Record}, "x")
    assert len(found) == 15_625 and found[7, 7].drift_3.uncertainty == 1
