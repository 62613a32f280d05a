"""How commands end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.core.errors import BenchError, run_cli
from pipeline.core.paths import ROOT


def test_a_reader_that_leaves_early_gets_no_traceback():
    program = "from pipeline.core.errors import run_cli\nrun_cli(lambda: [print(i) for i in range(100_000)] and None)"
    command = f"{sys.executable} -c '{program}' | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


PRINTS = "from pipeline.core.errors import run_cli; run_cli(lambda: print({text}))"


@pytest.mark.parametrize(
    ("text", "shell", "said"),
    [
        ("1", "> /dev/full", "error: the answer can't be written: no space left on device; free some space\n"),
        ("1", ">&-", ""),
        (r'"\udc00\u03c4"', "", ""),
    ],
)
def test_an_answer_that_can_t_be_shown_is_no_traceback(text, shell, said):
    command = ["bash", "-c", f'"$0" -c "$1" {shell}', sys.executable, PRINTS.format(text=text)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONIOENCODING": "ascii"}, cwd=ROOT)
    assert done.stderr == said and done.returncode == (1 if said else 0)
    assert done.stdout == ("" if shell else "\\udc00\\u03c4\n")


def test_bad_input_is_one_line(capsys):
    def main():
        raise BenchError("a.onnx: wrong;\nmend it")

    with pytest.raises(SystemExit) as stop:
        run_cli(main)
    assert stop.value.code == 1 and capsys.readouterr().err == "error: a.onnx: wrong; mend it\n"
