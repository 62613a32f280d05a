"""A server on this machine for one test."""

from __future__ import annotations

import threading

import pytest

from tests.helpers.faulty_server import Server


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
