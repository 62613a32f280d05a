"""Run a module of the project in the warm process: python -IS pipeline/train/ask_warm.py MODULE ARGUMENT ...

Where none is at work, on a cluster or by hand, this becomes ``python -m MODULE ARGUMENT ...`` itself. It is started for
each cell, so it imports next to nothing; -I and -S spare it the packages.
"""

import _socket
import json
import os
import sys
from array import array

SOCKET = ".snakemake/warm.sock"


def ask(argv):
    """Exit status of the command, or None where no warm process takes it."""
    server = _socket.socket(_socket.AF_UNIX)
    try:
        server.connect(SOCKET)
        content = json.dumps({"argv": argv, "env": dict(os.environ)}).encode()
        files = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", [1, 2]))
        server.sendmsg([len(content).to_bytes(8, "little")], [files])
        server.sendall(content)
    except OSError:
        return None
    try:
        answer = server.recv(64)
    except OSError:  # reset: it was killed
        answer = b""
    if not answer:
        sys.exit("error: the process that runs the cells was killed; run again")
    return json.loads(answer)


def main():
    """Command line."""
    argv = sys.argv[1:]
    try:
        status = ask(argv)
    except KeyboardInterrupt:
        sys.exit(130)
    if status is None:
        os.execv(sys.executable, [sys.executable, "-m", *argv])
    sys.exit(status if status >= 0 else 128 - status)


main()
