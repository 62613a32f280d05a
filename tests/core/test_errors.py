"""How commands end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.core.errors import BenchError, run_cli


def test_a_reader_that_leaves_early_gets_no_traceback():
    program = "from pipeline.core.errors import run_cli\nrun_cli(lambda: [print(i) for i in range(100_000)] and None)"
    command = f"{sys.executable} -c '{program}' | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_bad_input_is_one_line(capsys):
    def main():
        raise BenchError("a.onnx: wrong;\nmend it")

    with pytest.raises(SystemExit) as stop:
        run_cli(main)
    assert stop.value.code == 1 and capsys.readouterr().err == "error: a.onnx: wrong; mend it\n"
