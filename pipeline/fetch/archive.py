"""Members of a tar.gz archive as bytes, in one pass, without unpacking anything to disk.

Anything but plain files and folders with plain relative names, each file once, is refused, and so is an archive that is
truncated or over the size limits. Memory holds one member at a time, of at most `Limits.member_bytes`.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.core import io
from pipeline.core.errors import BenchError

MAX_READ = 2**20  # of a tar header; longer ones are not of this world
MAX_PATH = 1024
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError)


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, unpacked. `total_bytes` counts the padding and headers of the archive too."""

    member_bytes: int = 2**28
    total_bytes: int = 2**35
    members: int = 500_000


class _Counted:
    """A stream that counts what is unpacked, and refuses single reads and totals over the limits."""

    def __init__(self, path: Path, stream: BinaryIO, limits: Limits) -> None:
        self.path, self.stream, self.limits = path, stream, limits
        self.largest = MAX_READ

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.largest:
            raise BenchError(f"{self.path}: a header of {size:,} bytes; not a release archive, fetch it again")
        self._check(self.stream.tell() + size)
        return self.stream.read(size)

    def seek(self, position: int) -> None:
        """Forward only. gzip unpacks what it skips, in small pieces."""
        self._check(position)
        self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()

    def _check(self, end: int) -> None:
        if end > self.limits.total_bytes:
            raise BenchError(
                f"{self.path}: over the limit of {self.limits.total_bytes:,} bytes unpacked; refused, fetch it again"
            )


def members(
    path: Path | str, wanted: Callable[[str], bool], limits: Limits | None = None
) -> Iterator[tuple[str, bytes | None]]:
    """Yield (name, content) of every plain file, content None unless `wanted(name)`; names without a leading `./`.

    Raises BenchError at the first member that is a link, a device, outside its folder or too large, and at the end of a
    truncated archive.
    """
    path, limits = Path(path), limits or Limits()
    with io.os_errors(path, "read"), path.open("rb") as file:
        try:
            yield from _read(path, file, wanted, limits)
        except _DAMAGE as error:
            raise BenchError(f"{path}: truncated or not a tar.gz archive ({error}); fetch it again") from error


def _read(
    path: Path, file: BinaryIO, wanted: Callable[[str], bool], limits: Limits
) -> Iterator[tuple[str, bytes | None]]:
    with gzip.GzipFile(fileobj=file) as stream:
        counted = _Counted(path, stream, limits)
        with tarfile.open(fileobj=counted, mode="r:") as tar:
            yield from _plain_files(path, tar, counted, wanted, limits)
        while chunk := counted.read(MAX_READ):  # to the end, so that gzip checks its checksum
            if chunk.strip(b"\0"):
                raise BenchError(f"{path}: damaged, no tar archive to its end; fetch it again")


def _plain_files(
    path: Path, tar: tarfile.TarFile, counted: _Counted, wanted: Callable[[str], bool], limits: Limits
) -> Iterator[tuple[str, bytes | None]]:
    count, names = 0, set()
    while (member := tar.next()) is not None:
        tar.members = []  # tarfile keeps every member otherwise
        count += 1
        if count > limits.members:
            raise BenchError(f"{path}: more than {limits.members:,} members; not a release archive, fetch it again")
        name = _checked(path, member)
        if not 0 <= member.size <= limits.member_bytes:
            raise BenchError(
                f"{path}: member {name!r} has {member.size:,} bytes, over the limit of {limits.member_bytes:,}; refused"
            )
        if member.isdir():
            continue
        if name in names:
            raise BenchError(f"{path}: two members are named {name[:80]!r}; which one counts? Refused, fetch it again")
        names.add(name)
        if not wanted(name):
            yield name, None
            continue
        counted.largest = max(MAX_READ, member.size)
        content = tar.extractfile(member).read()
        counted.largest = MAX_READ
        if len(content) != member.size:
            raise BenchError(f"{path}: truncated inside member {name!r}; fetch it again")
        yield name, content


def _checked(path: Path, member: tarfile.TarInfo) -> str:
    """The member's name without a leading `./`. Raises BenchError unless it is a plain file or folder below."""
    name = member.name
    shown = repr(name[:80])
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        kind = "a link" if member.issym() or member.islnk() else "neither a file nor a folder"
        raise BenchError(f"{path}: member {shown} is {kind}; refused, fetch the archive again")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or len(name) > MAX_PATH or ":" in parts[0]:
        raise BenchError(f"{path}: member {shown} would leave the folder; refused, fetch the archive again")
    return "/".join(part for part in parts if part not in ("", "."))
