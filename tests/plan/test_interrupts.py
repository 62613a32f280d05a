"""What Ctrl-C ends, by when it comes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.core.paths import ROOT
from pipeline.plan.interrupts import STATUS

CODE = """
import os, signal
from pipeline.plan import interrupts
interrupts.{handler}()
for _ in range({times}):
    try: os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt: print("heard", flush=True)
"""


@pytest.mark.parametrize(
    ("handler", "times", "ends", "out", "err"),
    [
        ("end_at_once", 1, STATUS, "", "interrupted\n"),
        ("end_at_the_second", 1, 0, "heard\n", ""),
        ("end_at_the_second", 2, STATUS, "heard\n", "interrupted twice: ended at once\n"),
        ("as_usual", 2, 0, "heard\nheard\n", ""),
    ],
)
def test_interrupts(handler, times, ends, out, err):
    code = CODE.format(handler=handler, times=times)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (ends, out, err)


def test_the_last_word_counts():
    """What the workflow does on a cluster: while it plans it is ended at once, then Snakemake hears of it."""
    code = CODE.format(handler="end_at_once", times=0) + CODE.format(handler="as_usual", times=1)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout == "heard\n"
