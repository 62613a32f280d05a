"""A key changes with the code that decides numbers, and with nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from pipeline.core.paths import ROOT
from pipeline.plan import code_keys

STEP = '''"""A step."""
from pipeline.core import io, numbers
from pipeline.core.errors import BenchError

RATE = 0.1  # labels a second


def rate(n: int) -> float:
    """Docstring."""
    if n < 0:
        raise BenchError(f"{n}: less than nothing")
    return numbers.twice(n) * RATE


def main():
    parser.add_argument("--n", type=int, default=3, help="how many")
'''
FILES = {
    "pipeline/__init__.py": '"""Everything."""\n',
    "pipeline/core/__init__.py": "",
    "pipeline/core/io.py": "BUFFER = 1\n",
    "pipeline/core/errors.py": "class BenchError(Exception): ...\n",
    "pipeline/core/numbers.py": "def twice(n):\n    from pipeline.core.deep import TWO\n    return TWO * n\n",
    "pipeline/core/deep.py": "TWO = 2\n",
    "pipeline/core/alone.py": "THREE = 3\n",
    "pipeline/step.py": STEP,
}


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A function: the key of pipeline/step.py after the text `old` of `path` has become `new`."""
    monkeypatch.setattr(code_keys, "ROOT", tmp_path)

    def changed(path: str = "pipeline/step.py", old: str = "", new: str = "") -> str:
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        text = FILES[path]
        assert old in text
        (tmp_path / path).write_text(text.replace(old, new, 1) if old else text + new)
        forget()
        return code_keys.code_key("pipeline/step.py")

    yield changed
    forget()


def forget() -> None:
    for cached in (code_keys.code_key, code_keys._tree, code_keys._imports, code_keys._numbers_of):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pipeline/step.py", "", "\n# a comment\n"),
        ("pipeline/step.py", "  # labels a second", ""),
        ("pipeline/step.py", "Docstring.", "Another."),
        ("pipeline/step.py", '    """Docstring."""\n', ""),
        ("pipeline/step.py", "(n: int) -> float", "(n)"),
        ("pipeline/step.py", "less than nothing", "below zero"),
        ("pipeline/step.py", "how many", "the number"),
        ("pipeline/step.py", "\n\n\n", "\n"),
        ("pipeline/__init__.py", "Everything", "All"),
        ("pipeline/core/deep.py", "", "# a comment\n"),
        ("pipeline/core/io.py", "BUFFER = 1", "BUFFER = 2"),
        ("pipeline/core/alone.py", "THREE = 3", "THREE = 4"),
    ],
)
def test_words_plumbing_and_code_of_others_do_not_count(key, path, old, new):
    assert key(path, old, new) == key()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pipeline/step.py", "0.1", "0.2"),
        ("pipeline/step.py", "n < 0", "n <= 0"),
        ("pipeline/step.py", "default=3", "default=4"),
        ("pipeline/step.py", "def rate(n: int)", "def rate(n: int = 1)"),
        ("pipeline/core/numbers.py", "TWO * n", "TWO + n"),
        ("pipeline/core/deep.py", "TWO = 2", "TWO = 3"),
        ("pipeline/core/__init__.py", "", "import sys\n"),
    ],
)
def test_constants_and_code_count_wherever_they_are_imported(key, path, old, new):
    assert key(path, old, new) != key()


def test_imports_are_followed_but_no_predictor_found_by_name():
    code = code_keys.closure("predictors/nn_former.py")
    assert "predictors/base.py" in code and "predictors/mean.py" not in code
    shared = {
        "predictors/__init__.py",
        "predictors/base.py",
        "predictors/kit/__init__.py",
        "predictors/kit/ensemble.py",
        "predictors/kit/off_path.py",
    }
    found = code_keys.closure("pipeline/train/cell.py")
    assert {path for path in found if path.startswith("predictors/")} == shared


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from . import b", "pipeline.core"),
        ("from .b import c", "pipeline.core.b"),
        ("from ..x import y", "pipeline.x"),
    ],
)
def test_dots_of_relative_imports_are_resolved(text, module):
    assert code_keys._absolute("pipeline/core/a.py", ast.parse(text).body[0]) == module


def test_what_is_left_out_exists_and_trains_nothing():
    for path in code_keys.PLUMBING:
        assert (ROOT / path).is_file()
    assert not {path for path in code_keys.PLUMBING if path.startswith("predictors/")}


def test_keys_need_no_libraries_of_numbers():
    code = (
        "import sys; from pipeline.plan.code_keys import code_key; code_key('predictors/nn_former.py');"
        "sys.exit(bool({'torch', 'numpy', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_file_that_is_no_python_has_a_key_too(key):
    assert key(new="\ndfe") != key() and key(new="\ndfe") != key(new="\ndfe x")
