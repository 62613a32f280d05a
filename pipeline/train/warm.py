"""A process that has imported what cells import, and forks a child for each: python -m pipeline.train.warm MODULE ...

Starting Python and importing torch take longer than many cells do. The workflow starts this server; `ask_warm.py`
sends it the command line, environment and output files of a job. A child does what ``python -m <module> <arguments>``
would do.

MODULE ... are imported at the first command, not before: a run that trains nothing pays nothing. Nothing else happens
in this process: a fork copies one thread only, so torch and polars must not have started their pools, nor CUDA.
The server ends when its stdin does, that is with the process that started it, and takes its children along.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path

from pipeline.core import provenance
from pipeline.core.parent import RUN, die_with_parent
from pipeline.train.supervise import threads

SOCKET = ".snakemake/warm.sock"  # relative: the path of a socket holds 107 bytes
HEADER = 8  # bytes, the length of the message that follows


def start(modules: list[str]) -> subprocess.Popen:
    """Start the server. It ends with this process, or when the stdin of what is returned is closed."""
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
    )
    listener = listen()
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline.train.warm", str(listener.fileno()), *modules],
        stdin=subprocess.PIPE,
        env={**os.environ, **one_thread, RUN: str(os.getpid())},
        pass_fds=[listener.fileno()],
    )
    listener.close()
    atexit.register(end, server)
    return server


def end(server: subprocess.Popen) -> None:
    """Close the server's stdin, at which it ends, and wait for it unless the user has no patience."""
    with contextlib.suppress(KeyboardInterrupt):
        server.communicate()


def listen() -> socket.socket:
    """A socket that clients can connect to at once."""
    path = Path(SOCKET)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    path.chmod(0o600)
    listener.listen(128)
    return listener


class Server:
    """Accepts commands, forks, and answers with the exit status when a child ends."""

    def __init__(self, listener: socket.socket, modules: list[str]) -> None:
        self.listener, self.modules, self.imported = listener, modules, False
        self.children: dict[int, socket.socket] = {}  # process id -> who waits for it
        self.selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Until stdin ends."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the workflow decides when its jobs end
        wake, woken = socket.socketpair()
        wake.setblocking(False), woken.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno())
        for file in (sys.stdin.buffer, self.listener, wake):
            self.selector.register(file, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is sys.stdin.buffer:
                    return self.stop()
                if key.fileobj is self.listener:
                    self.begin(self.listener.accept()[0])
                elif key.fileobj is wake:
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(4096)
                    self.reap()
                else:  # a client says nothing after its command: it is gone
                    self.end(key.fileobj)

    def stop(self) -> None:
        """Kill every child, and listen no more."""
        Path(SOCKET).unlink(missing_ok=True)
        for child in self.children:
            os.kill(child, signal.SIGKILL)

    def begin(self, client: socket.socket) -> None:
        """Read a command and fork a child for it."""
        try:
            command, files = receive(client)
        except (OSError, ValueError):
            client.close()
            return
        self.prepare()
        if threads():
            send_status(client, None)
            client.close()
        else:
            server = os.getpid()
            child = os.fork()
            if child == 0:
                self.listener.close()
                run(server, command, files)
            self.children[child] = client
            self.selector.register(client, selectors.EVENT_READ)
        for file in files:
            os.close(file)

    def prepare(self) -> None:
        """Import everything, once. What can't be imported fails in the child that needs it, with its message."""
        if self.imported:
            return
        self.imported = True
        for module in self.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        provenance.cpu(), provenance.code_rev()  # remembered: asked once, not by each child
        gc.collect()
        gc.freeze()  # children that collect garbage write to none of these pages

    def reap(self) -> None:
        """Tell the clients of ended children their exit status."""
        while self.children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            client = self.children.pop(child, None)
            if client is not None:
                self.selector.unregister(client)
                send_status(client, os.waitstatus_to_exitcode(status))
                client.close()

    def end(self, client: socket.socket) -> None:
        """Kill the child of a client that is gone."""
        self.selector.unregister(client)
        for child, waiting in self.children.items():
            if waiting is client:
                os.kill(child, signal.SIGKILL)
                self.children[child] = None
        client.close()


def receive(client: socket.socket) -> tuple[dict, list[int]]:
    """A command {"argv", "env"} and the two files that take its output. Raises ValueError or OSError."""
    client.settimeout(5)
    header, files, _, _ = socket.recv_fds(client, HEADER, 2)
    content, length = b"", int.from_bytes(header, "little")
    while len(content) < length:
        part = client.recv(length - len(content))
        if not part:
            raise ValueError("the client left")
        content += part
    if len(files) != 2:
        raise ValueError("no files for the output")
    client.settimeout(None)
    return json.loads(content), files


def send_status(client: socket.socket, status: int | None) -> None:
    """None: the client should start a process of its own."""
    with contextlib.suppress(OSError):
        client.sendall(json.dumps(status).encode())


def run(server: int, command: dict, files: list[int]) -> None:
    """In the child: become ``python -m <argv>``, and end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        die_with_parent(server)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in zip((nothing, *files), (0, 1, 2), strict=True):
            os.dup2(source, target)
            os.close(source)
        os.environ.clear()
        os.environ.update(command["env"])
        sys.argv = list(command["argv"])
        runpy.run_module(command["argv"][0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    Server(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]).serve()
    os._exit(0)
