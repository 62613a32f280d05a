"""A module run as a command in the process of the tests, which has imported the packages already."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pipeline.core.paths import ROOT


def run_module(module: str, *arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What ``python -m module arguments`` ends with and says, started in `cwd`."""
    command, status = [module, *map(str, arguments)], 0
    stdout, stderr = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        patch.setattr(sys, "argv", command)
        patch.chdir(cwd)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
            try:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            except SystemExit as end:
                status = end.code
    return subprocess.CompletedProcess(command, status, stdout.getvalue(), stderr.getvalue())
