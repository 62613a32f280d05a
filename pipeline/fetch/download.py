"""One file over HTTP: resumed, retried, never larger than declared, and in place only once its SHA-256 is right."""

import time
from pathlib import Path

import requests
from tqdm import tqdm

from pipeline.core import io
from pipeline.core.errors import BenchError

ATTEMPTS = 4
CHUNK_BYTES = 2**17
TIMEOUT_S = (10, 30)  # to connect, between two reads
IDENTITY = {"Accept-Encoding": "identity"}  # sizes and ranges count the bytes of the file itself


class DownloadError(Exception):
    """This address can't give the file; another one may."""


class _Transient(Exception):
    """Worth another attempt."""


def download(url: str, path: Path, size: int, sha256: str, wait_s: float = 1.0) -> None:
    """Download `url` to `path`, which must be `size` bytes with that SHA-256.

    What has arrived is kept in the hidden file .<name>.part beside `path`, so that the next attempt, or the next run,
    goes on there; a part that is too large or has a wrong hash is removed. `wait_s` doubles after each of 4 attempts.
    Raises DownloadError when this address fails, BenchError when the disk does.
    """
    part = path.with_name(f".{path.name}.part")
    _complete(url, part, size, wait_s)
    if io.file_sha256(part) != sha256:
        part.unlink()
        raise DownloadError("the content has a wrong sha256: altered, or another version")
    with io.os_errors(path, "write"):
        part.replace(path)


def download_unknown(url: str, path: Path, limit: int, wait_s: float = 1.0) -> Path:
    """Download `url`, whose size and SHA-256 nobody knows yet, to the hidden file .<name>.part beside `path`.

    `limit`: bytes it may have at most, by the server's own statement. Once its hash is pinned, `download` takes it
    from there. Raises DownloadError or BenchError as `download`.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with requests.get(url, headers=IDENTITY, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code != 200:
                raise DownloadError(f"HTTP {response.status_code}")
            size = int(response.headers.get("Content-Length", "0"))
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(f"no connection ({type(error).__name__})") from error
    if not 0 < size <= limit:
        raise DownloadError(f"{size} bytes by the server's statement, not between 1 and {limit}")
    _complete(url, part, size, wait_s)
    return part


def _complete(url: str, part: Path, size: int, wait_s: float) -> None:
    """Receive the rest of `part`, in several attempts. Raises DownloadError when all fail."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(wait_s * 2 ** (attempt - 1))
        try:
            _receive(url, part, size)
            break
        except _Transient as error:
            reason = str(error)
    else:
        raise DownloadError(f"{reason}, {ATTEMPTS} attempts")


def _receive(url: str, part: Path, size: int) -> None:
    """Add to `part` until it has `size` bytes. Raises _Transient, DownloadError, or BenchError on a full disk."""
    received = part.stat().st_size if part.exists() else 0
    if received > size:
        part.unlink()
        received = 0
    if received == size:
        return
    headers = IDENTITY | ({"Range": f"bytes={received}-"} if received else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            _write(response, part, received if _resumes(response, part, received) else 0, size)
    except requests.RequestException as error:
        raise _Transient(f"no connection ({type(error).__name__})") from error


def _resumes(response: requests.Response, part: Path, received: int) -> bool:
    """Whether the body goes on where `part` ends. Raises on any other answer than the file or that range of it."""
    code = response.status_code
    if code == 416:
        part.unlink(missing_ok=True)
        raise _Transient("the server refused to resume")
    if code == 429 or code >= 500:
        raise _Transient(f"HTTP {code}")
    if code not in (200, 206):
        raise DownloadError(f"HTTP {code}")
    return code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")


def _write(response: requests.Response, part: Path, start: int, size: int) -> None:
    if response.status_code == 206 and start == 0:
        part.unlink(missing_ok=True)
        raise _Transient("the server sent another range than asked for")
    label = part.name.removeprefix(".").removesuffix(".part")
    bar = tqdm(total=size, initial=start, unit="B", unit_scale=True, desc=label, disable=None, leave=False)
    received = start
    try:
        with bar, io.os_errors(part, "write"), part.open("ab" if start else "wb") as file:
            for chunk in _chunks(response):
                received += len(chunk)
                if received > size:
                    break
                file.write(chunk)
                bar.update(len(chunk))
    except BenchError:
        part.unlink(missing_ok=True)
        raise
    if received > size:
        part.unlink()
        raise DownloadError(f"larger than the {size} bytes expected")
    if received < size:
        raise _Transient(f"the connection ended after {received} of {size} bytes")


def _chunks(response: requests.Response):
    # requests' errors are OSErrors: told apart here from those of the disk.
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except requests.RequestException as error:
        raise _Transient(f"the connection broke ({type(error).__name__})") from error
