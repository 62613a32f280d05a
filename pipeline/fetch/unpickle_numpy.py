"""Inert stand-ins for the numpy names in a pickle: plain numbers only, checked before anything is built.

numpy's own functions are not called with arguments from the file: an array of objects over foreign bytes would let the
file choose memory addresses.
"""

import math
import pickle

import numpy as np

DTYPES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "b1")
MAX_DIMENSIONS, MAX_LENGTH = 8, 2**31  # integers of a million digits would take hours to multiply


class DType:
    """Stands for numpy.dtype(code, align, copy): one of DTYPES, little-endian."""

    def __init__(self, code: object, *_: object) -> None:
        if type(code) is not str or code not in DTYPES:
            shown = repr(code[:20]) if type(code) is str else type(code).__name__
            raise pickle.UnpicklingError(f"array type {shown} is not a plain number")
        self.code = code

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|"):
            raise pickle.UnpicklingError("array type is not little-endian")

    def values(self, content: object) -> np.ndarray:
        """The numbers in `content` (bytes), one-dimensional."""
        dtype = np.dtype(f"<{self.code}")
        if not isinstance(content, bytes) or len(content) % dtype.itemsize:
            raise pickle.UnpicklingError("array content does not fit its type")
        return np.frombuffer(content, dtype)


class NdArray:
    """Stands for numpy.ndarray while the file is read; `values` is the array once its state has been read."""

    values: np.ndarray | None = None

    def __setstate__(self, state: object) -> None:
        try:
            _, shape, dtype, fortran, content = state
            flat = dtype.values(content)
            fits = len(shape) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n < MAX_LENGTH for n in shape)
            if fortran or not fits or math.prod(shape) != flat.size:
                raise pickle.UnpicklingError("array content does not fit its shape")
        except (TypeError, ValueError, AttributeError) as error:
            raise pickle.UnpicklingError("the state of an array is malformed") from error
        self.values = flat.reshape(shape)


def reconstruct(*_: object) -> NdArray:
    """Stands for numpy's _reconstruct: an array without content."""
    return NdArray()


def scalar(dtype: object, content: object) -> float | int | bool:
    """Stands for numpy's scalar: one number."""
    values = dtype.values(content) if isinstance(dtype, DType) else ()
    if len(values) != 1:
        raise pickle.UnpicklingError("a scalar is not one number")
    return values[0].item()


def encode(text: object, encoding: object) -> bytes:
    """Stands for _codecs.encode: how a pickle of protocol 2 writes the bytes of a number."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes are not written as Latin-1 text")
    return text.encode("latin1")


ALLOWED = {("_codecs", "encode"): encode, ("numpy", "ndarray"): NdArray, ("numpy", "dtype"): DType}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ALLOWED |= {(_module, "_reconstruct"): reconstruct, (_module, "scalar"): scalar}
