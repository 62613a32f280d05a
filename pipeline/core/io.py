"""Reading and writing of files: always whole, never half-written, and the same bytes for the same content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import BenchError

if TYPE_CHECKING:
    import polars as pl  # a tenth of a second to import; not all who open files need tables

META_KEY = "bench"
MAX_BYTES = 2**30  # of a table's file
MAX_VALUES = 2**27  # of a table, lists counted by what is in them; a file of kilobytes may hold thousands of millions


@contextlib.contextmanager
def os_errors(path: Path, action: str) -> Iterator[None]:
    """Turn an operating-system error on `path` into a one-line BenchError. `action` is "write", "read" or "remove"."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BenchError(f"{path}: no space left on device; free some space and run again") from error
        if isinstance(error, FileNotFoundError) and action == "read":
            raise BenchError(f"{path}: no such file; run the step that makes it") from error
        raise BenchError(
            f"{path}: cannot {action}: {error.strerror or error}; check the path and its rights"
        ) from error


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a hidden temporary path beside `path`; rename it to `path` on success, remove it on any exception.

    Missing parent folders are made. Raises BenchError when the disk is full or the place can't be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os_errors(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a hidden temporary folder beside `path`; it takes the place of `path` on success, else it is removed.

    Raises BenchError when the disk is full or the place can't be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os_errors(path, "write"):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_parquet(path: Path | str, df: pl.DataFrame, meta: dict | None = None) -> None:
    """Write `df` to `path` atomically (zstd), with `meta` as JSON under the key "bench" of the file metadata.

    The file holds no time stamps: identical input gives identical bytes.
    """
    text = json.dumps(meta or {}, sort_keys=True, allow_nan=False)
    buffer = io.BytesIO()
    df.write_parquet(buffer, compression="zstd", statistics=True, metadata={META_KEY: text})
    write_bytes(path, buffer.getvalue())


def read_parquet(path: Path | str) -> pl.DataFrame:
    """Read a Parquet file. Raises BenchError naming it where it is missing, truncated, no Parquet or too large."""
    import polars as pl

    content = read_bytes(path, MAX_BYTES)
    try:
        return parse_parquet(content, path)
    except BenchError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # a damaged file can raise nearly anything
        raise _unreadable(path) from error


def parse_parquet(content: bytes, path: Path | str) -> pl.DataFrame:
    """The table that `content` of the file `path` is. Raises BenchError: too large; what its readers raise: damaged."""
    import polars as pl
    import pyarrow.parquet as pq

    footer = pq.ParquetFile(io.BytesIO(content)).metadata
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    values = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
    if values > MAX_VALUES:
        raise BenchError(f"{path}: {values:,} values, over {MAX_VALUES:,}; make it again")
    return pl.read_parquet(io.BytesIO(content))


def read_meta(path: Path | str) -> dict:
    """The JSON stored by `write_parquet` under "bench"; {} when there is none. Errors as `read_parquet`."""
    import polars as pl

    content = read_bytes(path, MAX_BYTES)
    try:
        meta = json.loads(pl.read_parquet_metadata(io.BytesIO(content)).get(META_KEY, "{}"))
    except (Exception, pl.exceptions.PanicException) as error:
        raise _unreadable(path) from error
    if not isinstance(meta, dict):
        raise _unreadable(path)
    return meta


def read_bytes(path: Path | str, limit: int | None = None) -> bytes:
    """What is in a file. Raises BenchError naming it when it can't be read, or is of more than `limit` bytes."""
    path = Path(path)
    with os_errors(path, "read"):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise BenchError(f"{path}: not a plain file; remove it")  # a pipe would be waited for
        if limit is not None and (size := path.stat().st_size) > limit:
            raise BenchError(f"{path}: {size:,} bytes, over {limit:,}; make it again")
        return path.read_bytes()


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    path = Path(path)
    with os_errors(path, "read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_problem(actual: tuple[int, str], size: int, sha256: str) -> str | None:
    """What is wrong with content of the size and SHA-256 `actual`, which should be the others; None if nothing is."""
    if actual[0] != size:
        return f"wrong size: {'larger than' if actual[0] > size else f'{actual[0]} bytes instead of'} {size} bytes"
    return None if actual[1] == sha256 else "wrong sha256: altered, or another version"


def _unreadable(path: Path | str) -> BenchError:
    return BenchError(f"{path}: truncated or not a Parquet file; delete it and run the step that makes it again")
