"""Importing PyTorch and LightGBM without what one prediction does not need."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import types
from collections.abc import Iterator

OPTIONAL = ("dask", "graphviz", "matplotlib", "pandas", "pyarrow", "sklearn")  # that LightGBM looks for


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Leave out what the imports to come would do for nothing. Only for a process that predicts and ends.

    PyTorch's kernels for tensors without data, which compilers use, take a third of its import; LightGBM looks for
    packages that it could hand tables to; and collecting garbage while modules load finds none.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.modules.setdefault("torch._meta_registrations", types.ModuleType("torch._meta_registrations"))
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: an import fails at once
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in hidden:
            del sys.modules[name]
