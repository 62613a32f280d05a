"""Reading pickles from outside without running anything they name."""

import io
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.core.errors import BenchError, one_line
from pipeline.core.memory import resident_bytes

MAX_BYTES = 64 * 2**20  # no source pickle is near this size
GROWTH, LEAST_MEMORY = 16, 64 * 2**20  # memory that the object may take: so many times the pickle, and bytes more
LOOK_EVERY = 4096  # reads: an opcode is one, and takes no more memory than a few hundred bytes beside what it reads
MAX_COLLISIONS = 16  # keys of a dictionary whose hash another key has; among real ones there are next to none
INTEGERS = (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4)  # opcodes of those that may be long
MAX_TEXT, MAX_INTEGERS = 1000, 16  # in a key
LONGEST = 200  # characters of a reason, which may quote the file

Allowed = Mapping[tuple[str, str], Callable]


class Record:
    """Inert stand-in for a class named in a pickle: takes its attributes and does nothing else."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise pickle.UnpicklingError("the state of an object is not a dictionary of attributes")
        self.__dict__.update(state)


def empty_dict() -> dict:
    """Stands for collections.OrderedDict: its keys come afterwards, one by one, and are checked."""
    return {}


def _bounded(read: Callable) -> Callable:
    """What reads an integer, for 64 bits at most: no source has more, and text of it or a product takes for ever."""

    def bounded(unpickler: pickle._Unpickler) -> None:
        read(unpickler)
        if type(unpickler.stack[-1]) is int and not -(2**63) <= unpickler.stack[-1] < 2**64:
            raise pickle.UnpicklingError("it holds an integer of over 64 bits")

    return bounded


class _Counted(io.BytesIO):
    """A pickle, read opcode by opcode. A limit that the system keeps would be one for all threads, and slow near it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads = 0
        self.most = resident_bytes() + LEAST_MEMORY + GROWTH * len(content)

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        if self.reads % LOOK_EVERY == 0 and resident_bytes() > self.most:
            raise pickle.UnpicklingError("its object takes memory out of proportion to the file")
        return super().read(size)


class _Unpickler(pickle._Unpickler):  # the one written in Python: of the one in C no step can be checked
    def __init__(self, content: bytes, allowed: Allowed) -> None:
        super().__init__(_Counted(content))
        self._allowed = allowed
        self._hashes: dict[int, tuple[dict, set[int]]] = {}  # of the keys of each large dictionary, by its id

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not allowed")
        return self._allowed[module, name]

    def persistent_load(self, pid: object) -> object:
        raise pickle.UnpicklingError("it refers to an object outside the file")

    def _put(self, target: object, items: list) -> None:
        """Put keys and values, in turn, into a dictionary. Keys that all collide would take hours."""
        if type(target) is not dict or len(items) % 2:
            raise pickle.UnpicklingError("keys without a dictionary or a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not _is_key(key):
                raise pickle.UnpicklingError("a key is neither a short text nor an integer, nor a few integers")
            target[key] = value
            if len(target) > MAX_COLLISIONS:
                if id(target) not in self._hashes:
                    self._hashes[id(target)] = target, set(map(hash, target))
                hashes = self._hashes[id(target)][1]
                hashes.add(hash(key))
                if len(target) > len(hashes) + MAX_COLLISIONS:
                    raise pickle.UnpicklingError("the keys of a dictionary collide")

    def _dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._put(self.stack[-1], items)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put(self.stack[-1], [key, value])

    def _set_items(self) -> None:
        items = self.pop_mark()
        self._put(self.stack[-1], items)

    def _build(self) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) not in self._allowed.values():  # a function would take its attributes for good
            raise pickle.UnpicklingError("it changes something else than an object of its own")
        self.stack[-1].__setstate__(state)

    def _frame(self) -> None:
        self.read(8)  # the size of what follows; read like the rest, and not in one piece

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("it holds a set or an array of bytes")

    dispatch = pickle._Unpickler.dispatch | {
        pickle.DICT[0]: _dict,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.BUILD[0]: _build,
        pickle.FRAME[0]: _frame,
        **{code[0]: _bounded(pickle._Unpickler.dispatch[code[0]]) for code in INTEGERS},
        **dict.fromkeys(b"".join((pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.BYTEARRAY8)), _refuse),
    }


def _is_key(key: object) -> bool:
    if type(key) is tuple:
        return len(key) <= MAX_INTEGERS and all(type(n) is int for n in key)
    return type(key) is str and len(key) <= MAX_TEXT or type(key) is int


def loads(content: bytes, allowed: Allowed, where: Path | str) -> object:
    """The object in a pickle; a class or function is looked up in `allowed`, by (module, name), and nowhere else.

    Raises BenchError naming `where` when the pickle names anything else, is damaged, is larger than 64 MiB, or asks for
    memory out of proportion to its size.
    """
    if len(content) > MAX_BYTES:
        raise BenchError(f"{where}: pickle of {len(content)} bytes refused, limit {MAX_BYTES}; fetch the file again")
    try:
        return _Unpickler(content, allowed).load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = one_line(error)[:LONGEST] or type(error).__name__
        raise BenchError(f"{where}: pickle refused: {reason}; do not open this file, fetch it again") from error


def load(path: Path, allowed: Allowed) -> object:
    """`loads` of a file."""
    return loads(_read(path), allowed, path)


def load_torch(path: Path, allowed: Allowed) -> object:
    """`load` of a file written by `torch.save` without tensors: a zip holding <name>/data.pkl. Needs no torch."""
    try:
        with zipfile.ZipFile(io.BytesIO(_read(path))) as archive:
            members = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == "data.pkl"]
            if len(members) != 1:
                raise BenchError(f"{path}: {len(members)} members named data.pkl, expected 1; fetch it again")
            if members[0].file_size > MAX_BYTES:
                raise BenchError(f"{path}: member of {members[0].file_size} bytes refused; fetch it again")
            with archive.open(members[0]) as stream:  # the size in the directory may be a lie
                content = stream.read(members[0].file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BenchError(f"{path}: damaged file: {error}; fetch it again") from error
    return loads(content, allowed, path)


def load_list(path: Path, allowed: Allowed) -> list:
    """The plain list of numbers in a pickle."""
    return _numbers(load(path, allowed), path)


def load_torch_list(path: Path) -> list:
    """The plain list of numbers in a file written by `torch.save`."""
    return _numbers(load_torch(path, {}), path)


def _numbers(values: object, path: Path) -> list:
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise BenchError(f"{path}: not a list of numbers; fetch it again")
    return values


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BenchError(f"{path}: cannot read: {error.strerror}; fetch the data set first") from error
    if len(content) > MAX_BYTES:
        raise BenchError(f"{path}: larger than {MAX_BYTES} bytes; fetch it again")
    return content
