"""One file over HTTP: resumed, retried, never larger than declared, and in place only once its SHA-256 is right.

All of it has a time limit: a server that sends a byte now and then, of the headers or of the file, is left.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3
from requests import exceptions
from tqdm import tqdm

from pipeline.core import io
from pipeline.core.errors import BenchError

ATTEMPTS = 4
MOST_REDIRECTS = 10
CHUNK_BYTES = 2**17
TIMEOUT_S = (10, 30)  # to connect, between two reads
LEAST_S, LEAST_RATE = 600, 2**15  # an address has so many seconds, and one more for so many bytes
PERMANENT = (exceptions.SSLError, exceptions.TooManyRedirects, exceptions.InvalidHeader, ValueError)  # ... of addresses
IDENTITY = {"Accept-Encoding": "identity"}  # sizes and ranges count the bytes of the file itself


class DownloadError(Exception):
    """This address can't give the file; another one may."""


class _Transient(Exception):
    """Worth another attempt."""


class _TooSlow(Exception):
    """The time is over."""


@contextlib.contextmanager
def _time_limit(size: int) -> Iterator[None]:
    """Raise DownloadError in the body when it takes too long for `size` bytes; without a limit off the main thread.

    A limit between two reads is none for a server that sends a byte each second, and headers are read in other hands.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    limit_s = LEAST_S + size / LEAST_RATE

    def stop(*_: object) -> None:
        raise _TooSlow

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    except _TooSlow as error:
        raise DownloadError(f"took longer than {limit_s:.0f} s") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def download(url: str, path: Path, size: int, sha256: str, wait_s: float = 1.0) -> None:
    """Download `url` to `path`, which must be `size` bytes with that SHA-256.

    What has arrived is kept in the hidden file .<name>.part beside `path`, so that the next attempt, or the next run,
    goes on there; a part that is too large or has a wrong hash is removed. `wait_s` doubles after each of 4 attempts
    that bring nothing.
    Raises DownloadError when this address fails, BenchError when the disk does.
    """
    part = _part_of(path)
    with _time_limit(size):
        _complete(url, part, size, wait_s)
    if io.file_sha256(part) != sha256:
        part.unlink()
        raise DownloadError("the content has a wrong sha256: altered, or another version")
    with io.os_errors(path, "write"):
        part.replace(path)


def download_unknown(url: str, path: Path, limit: int, wait_s: float = 1.0) -> Path:
    """Download `url`, whose size and SHA-256 nobody knows yet, to the hidden file .<name>.part beside `path`.

    `limit`: bytes it may have at most, by the server's own statement. Once its hash is pinned, `download` takes it
    from there. Nothing would tell a mixture of two versions from the file: what an earlier run left is not gone on
    from, and after a broken connection only what the server names by the same strong ETag.
    Raises DownloadError or BenchError as `download`.
    """
    part = _part_of(path)
    part.unlink(missing_ok=True)
    try:
        with _time_limit(0), _answer(url, IDENTITY) as response:
            if response.status_code != 200:
                raise DownloadError(f"HTTP {response.status_code}")
            size = int(response.headers.get("Content-Length", "0"))
            tag = response.headers.get("ETag", "")
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise DownloadError(f"no connection ({type(error).__name__})") from error
    if not 0 < size <= limit:
        raise DownloadError(f"{size} bytes by the server's statement, not between 1 and {limit}")
    with _time_limit(size):
        _complete(url, part, size, wait_s, tag if tag.startswith('"') else "")
    return part


def _part_of(path: Path) -> Path:
    """The hidden file beside `path` that takes what arrives. Raises BenchError when a folder is in its place."""
    part = path.with_name(f".{path.name}.part")
    with io.os_errors(part, "write"):
        if part.is_symlink() or (part.exists() and not part.is_file()):
            part.unlink()  # a link would be written through, and a pipe waited for
    return part


def _complete(url: str, part: Path, size: int, wait_s: float, tag: str | None = None) -> None:
    """Receive the rest of `part`, in several attempts. Raises DownloadError when 4 in a row bring nothing.

    `tag`: the ETag without which nothing is gone on from; None where a hash will tell.
    """
    failures = 0  # one after the other that brought nothing
    while True:
        before = _size(part)
        try:
            return _receive(url, part, size, tag)
        except _Transient as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                raise DownloadError(f"{error}, {ATTEMPTS} attempts") from error
            time.sleep(wait_s * 2 ** (failures - 1))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _receive(url: str, part: Path, size: int, tag: str | None) -> None:
    """Add to `part` until it has `size` bytes. Raises _Transient, DownloadError, or BenchError on a full disk."""
    received = _size(part)
    if received > size or (received and tag == ""):
        part.unlink()
        received = 0
    if received == size:
        return
    headers = IDENTITY | ({"Range": f"bytes={received}-"} if received else {})
    headers |= {"If-Range": tag} if received and tag else {}
    try:
        with _answer(url, headers) as response:
            _write(response, part, received if _resumes(response, part, received, tag) else 0, size)
    except PERMANENT as error:
        raise DownloadError(f"no such address, or not to be trusted ({type(error).__name__})") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Transient(f"no connection ({type(error).__name__})") from error


class _Session(requests.Session):
    """Follows no redirect: to do so, it would read the whole body of it."""

    def resolve_redirects(self, *args: object, **kwargs: object) -> Iterator[requests.Response]:
        return iter(())


@contextlib.contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """What the server says at the end of its redirects, whose own bodies are not read: they may never end."""
    with _Session() as session:
        for _ in range(MOST_REDIRECTS):
            with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
                target = session.get_redirect_target(response)
                if target is None:
                    yield response
                    return
            url = urljoin(url, target)
        raise exceptions.TooManyRedirects


def _resumes(response: requests.Response, part: Path, received: int, tag: str | None) -> bool:
    """Whether the body goes on where `part` ends. Raises on any other answer than the file or that range of it."""
    code = response.status_code
    if code == 416 or (code == 206 and tag and response.headers.get("ETag") != tag):
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


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """What arrives, as it arrives: of a connection that breaks, nothing is lost."""
    try:
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _Transient(f"the connection broke ({type(error).__name__})") from error
