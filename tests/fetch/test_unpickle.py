"""A pickle from outside runs nothing and builds only what is allowed; a damaged one is refused with one line."""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest

from pipeline.core.errors import BenchError
from pipeline.fetch import unpickle, unpickle_numpy
from tests.helpers.bounded_memory import bounded_memory


class Evil:
    """Runs a shell command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def global_pickle(module, name, *arguments):
    """A pickle that calls module.name(*arguments)."""
    head = pickle.PROTO + bytes([4])
    body = b"".join(pickle.dumps(argument, 4)[2:-1] for argument in arguments)
    return head + f"c{module}\n{name}\n(".encode() + body + b"tR."


def test_plain_data_is_read(tmp_path):
    value = {(1, 2): [1.5, "x", None, True], "deep": {"er": (b"bytes",)}}
    (tmp_path / "x").write_bytes(pickle.dumps(value))
    assert unpickle.load(tmp_path / "x", {}) == value


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize("protocol", range(6))
def test_code_is_refused_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    content = pickle.dumps({"a": [Evil(trace)]}, protocol)
    for allowed in ({}, unpickle_numpy.ALLOWED, {("m", "Record"): unpickle.Record}):
        with pytest.raises(BenchError, match=r"x\.pkl: pickle refused: it names \w+\.system, which is not allowed"):
            unpickle.loads(content, allowed, "x.pkl")
    assert not trace.exists()


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("collections", "OrderedDict.fromkeys"),
        ("pipeline.fetch.unpickle", "Record"),
        ("analognasbench.data", "Architecture.__init__.__globals__"),
    ],
)
def test_other_names_are_refused(module, name):
    with pytest.raises(BenchError, match="which is not allowed"):
        unpickle.loads(global_pickle(module, name), unpickle_numpy.ALLOWED, "x.pkl")


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize("name", ["x" * 10**6, "a\nb"])
def test_a_name_that_no_line_holds_is_refused_in_one(name):
    with pytest.raises(BenchError, match="it names") as caught:
        unpickle.loads(b"\x80\x04" + pickle.dumps(name, 4)[2:-1] + b"\x8c\x01x\x93.", {}, "x")
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_a_record_takes_attributes_only():
    allowed = {("m", "C"): unpickle.Record}
    head = b"\x80\x04cm\nC\n)\x81"
    record = unpickle.loads(head + pickle.dumps({"a": 1}, 4)[2:-1] + b"b.", allowed, "x")
    assert (type(record), record.a) == (unpickle.Record, 1)
    for state in (1, [1], ({"a": 1}, {"__class__": 2}), {1: 2}):
        with pytest.raises(BenchError, match="pickle refused"):
            unpickle.loads(head + pickle.dumps(state, 4)[2:-1] + b"b.", allowed, "x")


@pytest.mark.hostile("pickles")
def test_damaged_pickles_are_refused():
    whole = pickle.dumps({"a": list(range(1000)), "b": "x" * 1000})
    for content in (
        b"",
        whole[:1],
        whole[: len(whole) // 2],
        whole[:-1],
        b"not a pickle",
        b"\x80\x04]\x94h\x09.",
        b"\xff" * 99,
    ):
        with pytest.raises(BenchError, match="x: pickle refused"):
            unpickle.loads(content, {}, "x")


@pytest.mark.hostile("pickles")
def test_references_outside_and_huge_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(BenchError, match="refers to an object outside"):
        unpickle.loads(b"\x80\x04K\x01Q.", {}, "x")
    monkeypatch.setattr(unpickle, "MAX_BYTES", 100)
    (tmp_path / "x").write_bytes(bytes(101))
    for read in (lambda: unpickle.load(tmp_path / "x", {}), lambda: unpickle.load_torch_list(tmp_path / "x")):
        with pytest.raises(BenchError, match="larger than 100 bytes"):
            read()
    with pytest.raises(BenchError, match="no such|cannot read"):
        unpickle.load(tmp_path / "none", {})


ARRAYS = [
    np.arange(12, dtype=np.int64).reshape(3, 4),
    np.array([1.5, -2.0], dtype=np.float32),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.array(7, dtype=np.uint8),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_protocol_5_names_another_function_which_no_source_uses(array):
    with pytest.raises(BenchError, match="_frombuffer, which is not allowed"):
        unpickle.loads(pickle.dumps([array], 5), unpickle_numpy.ALLOWED, "x")


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_numpy_arrays_of_numbers_are_read(array, protocol):
    content = pickle.dumps([array], protocol)
    allowed = {**unpickle_numpy.ALLOWED, ("_codecs", "encode"): lambda text, _: text.encode("latin1")}
    read = unpickle.loads(content, allowed, "x")[0].values
    assert read.dtype == array.dtype and np.array_equal(read, array)


def test_numpy_scalars_are_read():
    value = collections.OrderedDict(err=np.float64(0.25), n=np.int64(-3), flag=np.bool_(True))
    allowed = {**unpickle_numpy.ALLOWED, ("collections", "OrderedDict"): unpickle.empty_dict}
    assert unpickle.loads(pickle.dumps(value, 4), allowed, "x") == {"err": 0.25, "n": -3, "flag": True}


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize(
    "value",
    [
        np.array([None, 1], dtype=object),
        np.array(["text"]),
        np.array([1, 2], dtype=">i4"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.asfortranarray(np.ones((2, 3))),
        np.datetime64("2020-01-01"),
    ],
    ids=["objects", "text", "big-endian", "fields", "fortran", "date"],
)
def test_other_numpy_contents_are_refused(value):
    with pytest.raises(BenchError, match="pickle refused"):
        unpickle.loads(pickle.dumps(value, 4), unpickle_numpy.ALLOWED, "x")


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize(
    "state",
    [
        (1, (10**12,), "dtype", False, b""),
        (1, (2,), "dtype", False, bytes(15)),
        (1, (-1, -2), "dtype", False, bytes(16)),
        (1, ("2",), "dtype", False, bytes(16)),
        (1, (2,), "dtype", False, [1, 2]),
        (1, (2,), None, False, bytes(16)),
        (1, 2),
        None,
    ],
)
def test_arrays_whose_content_does_not_fit_are_refused(state):
    array, dtype = unpickle_numpy.reconstruct(), unpickle_numpy.DType("i8")
    if state and len(state) == 5 and state[2]:
        state = (*state[:2], dtype, *state[3:])
    with pytest.raises(pickle.UnpicklingError):
        array.__setstate__(state)


def torch_file(path, content, member="archive/data.pkl"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
        archive.writestr("archive/version", "3\n")
    return path


def test_a_torch_list_is_read_as_torch_reads_it(tmp_path):
    torch = pytest.importorskip("torch")
    values = [1.5, 2, 3.25]
    torch.save(values, tmp_path / "x.pt")
    assert unpickle.load_torch_list(tmp_path / "x.pt") == values
    assert torch.load(torch_file(tmp_path / "y.pt", pickle.dumps(values, 2)), weights_only=True) == values
    assert unpickle.load_torch_list(tmp_path / "y.pt") == values


@pytest.mark.hostile("pickles")
def test_wrong_torch_files_are_refused(tmp_path):
    trace = tmp_path / "trace"
    cases = {
        "evil": (pickle.dumps([Evil(trace)]), "archive/data.pkl", "which is not allowed"),
        "text": (pickle.dumps(["a"]), "archive/data.pkl", "not a list of numbers"),
        "long": (pickle.dumps([10**400]), "archive/data.pkl", "an integer of over 64 bits"),
        "bool": (pickle.dumps([True]), "archive/data.pkl", "not a list of numbers"),
        "dict": (pickle.dumps({}), "archive/data.pkl", "not a list of numbers"),
        "name": (pickle.dumps([1.0]), "archive/other.pkl", "0 members named data.pkl"),
        "bomb": (bytes(unpickle.MAX_BYTES + 1), "archive/data.pkl", "member of 67108865 bytes refused"),
    }
    for name, (content, member, match) in cases.items():
        path = torch_file(tmp_path / f"{name}.pt", content, member)
        with pytest.raises(BenchError, match=rf"{name}\.pt: .*{match}"):
            unpickle.load_torch_list(path)
    whole = torch_file(tmp_path / "cut.pt", pickle.dumps([1.0] * 1000)).read_bytes()
    for content in (b"", whole[:50], whole[:-30], whole[:60] + b"\xff" + whole[61:]):
        (tmp_path / "cut.pt").write_bytes(content)
        with pytest.raises(BenchError, match=r"cut\.pt: "):
            unpickle.load_torch_list(tmp_path / "cut.pt")
    assert not trace.exists()


def test_a_file_of_torch_may_hold_scalars_of_numpy_and_nothing_more(tmp_path):
    scalars = {"arch": [{"d": [np.int64(2), np.int64(3)]}]}
    for name, value in (("x.pt", scalars), ("y.pt", [Evil(tmp_path / "trace")])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(value, 2))
    assert unpickle.load_torch(tmp_path / "x.pt", unpickle_numpy.ALLOWED) == {"arch": [{"d": [2, 3]}]}
    with pytest.raises(BenchError, match="which is not allowed"):
        unpickle.load_torch(tmp_path / "x.pt", {})
    with pytest.raises(BenchError, match="which is not allowed"):
        unpickle.load_torch(tmp_path / "y.pt", unpickle_numpy.ALLOWED)
    assert not (tmp_path / "trace").exists()


@pytest.mark.hostile("pickles")
@pytest.mark.parametrize("arguments", [("a", "utf8"), (1, "latin1"), ("\u0100", "latin1")])
def test_bytes_are_made_of_latin_text_alone(arguments):
    with pytest.raises(BenchError, match="pickle refused"):
        unpickle.loads(global_pickle("_codecs", "encode", *arguments), unpickle_numpy.ALLOWED, "x")


@pytest.mark.hostile("pickles")
def test_a_few_bytes_that_ask_for_half_a_gigabyte_get_none():
    """LONG_BINPUT names a place in a list, which is not grown up to it."""
    with bounded_memory(2**27):
        assert unpickle.loads(b"\x80\x02]r\x00\x00\x00\x02.", {}, "x") == []


@pytest.mark.hostile("pickles")
def test_a_zip_that_lies_about_a_size_takes_no_memory(tmp_path):
    path, mebibyte = tmp_path / "x.pt", bytes(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w") as member:
            for _ in range(256):
                member.write(mebibyte)
        archive.filelist[0].file_size = 100
    with bounded_memory(2**27), pytest.raises(BenchError, match=r"x\.pt: damaged file"):
        unpickle.load_torch_list(path)
