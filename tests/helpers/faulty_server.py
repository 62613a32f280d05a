"""A server on this machine that truncates, alters and fails on demand, and what fetching a file from it gives."""

import dataclasses
import hashlib
import http.server
import os

import pytest

from pipeline.config.datasets import RawFile
from pipeline.core.errors import BenchError
from pipeline.fetch import fetch

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT. `faults` are used up first, one a request; `requests` lists the Range header of each."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.requests, self.content, self.ranges = [], [], CONTENT, True

    def handle_error(self, *_):
        """A client that hangs up early is no fault."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/data.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        fault = server.faults.pop(0) if server.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            shown = 0 if fault == "wrong range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(server.content) - 1}/{len(server.content)}")
        if fault != "no length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "truncate" else body)

    def log_message(self, *_):
        pass


def raw_file(*urls, **changes):
    file = RawFile("data.bin", len(CONTENT), SHA256, "MIT", urls, "set/data.bin", None)
    return dataclasses.replace(file, **changes)


def get(file, out, mirror=None):
    fetch.fetch_file(file, out, mirror, wait_s=0.01)
    assert os.listdir(out) == ["data.bin"]
    assert (out / "data.bin").read_bytes() == CONTENT


def refused(file, out, match, mirror=None):
    with pytest.raises(BenchError, match=match) as caught:
        fetch.fetch_file(file, out, mirror, wait_s=0.01)
    assert "\n" not in str(caught.value)
    assert not (out / "data.bin").exists()
