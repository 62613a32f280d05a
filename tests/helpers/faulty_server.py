"""A server on this machine that truncates, alters and fails on demand, and what fetching a file from it gives."""

import contextlib
import dataclasses
import hashlib
import http.server
import os
import time

import pytest

from pipeline.config.datasets import RawFile
from pipeline.core.errors import BenchError
from pipeline.fetch import fetch

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes
CUT = 80_000  # bytes of a connection that is cut
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT. `faults` are used up first, one a request; `requests` lists the Range header of each."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.requests, self.content, self.ranges, self.tag = [], [], CONTENT, True, ""
        self.sent = 0  # bytes of redirects' bodies

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
        if fault in ("redirect", "endless redirect"):
            self.redirect(endless=fault == "endless redirect")
            return
        if fault in ("drip", "drip of headers", "endless 100"):
            self.drip(fault)
            return
        if server.tag and asked and self.headers.get("If-Range", server.tag) != server.tag:
            asked = None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            shown = 0 if fault == "wrong range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(server.content) - 1}/{len(server.content)}")
        if fault != "no length":
            self.send_header("Content-Length", str(len(body)))
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        end = {"truncate": len(body) // 2, "cut": CUT, "change": CUT}.get(fault, len(body))
        self.wfile.write(body[:end])
        if fault == "change":
            server.content, server.tag = server.content[::-1], server.tag and '"another"'

    def drip(self, fault):
        """A little at a time, until the client leaves."""
        start = {"drip": b"HTTP/1.1 200 OK\r\n\r\n", "drip of headers": b"HTTP/1.1 200 OK\r\n"}
        drop = {"drip": b"x", "drip of headers": b"A: b\r\n", "endless 100": b"HTTP/1.1 100 Continue\r\n\r\n"}[fault]
        self.wfile.write(start.get(fault, b""))
        with contextlib.suppress(OSError):
            for _ in range(2000):
                self.wfile.write(drop)
                time.sleep(0.01)

    def redirect(self, endless):
        """To the same place, with a body that may go on until the client leaves."""
        self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /data.bin\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(2**12 if endless else 1):
                self.wfile.write(b"x" * 2**20)
                self.server.sent += 2**20

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
