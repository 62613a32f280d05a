"""Files that take for ever, fill the memory, or hold what no config can mean, are refused as they are read."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
import yaml

from pipeline.config.strict_yaml import MAX_BYTES, MAX_VALUES, read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT

EXPLODES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefghij")
)
REFUSED = {
    "explodes": (EXPLODES, "over 20,000 values"),
    "long_text_for_many": (f"a: &a {'x' * 9_000}\nb: [{', '.join(['*a'] * 500)}]", "over 20,000 values"),
    "lists_in_lists": ("[" * 10_000, "nested over 30 deep"),
    "mappings_in_mappings": ("{a: " * 10_000, "nested over 30 deep"),
    "dashes": ("- " * 10_000 + "x", "nested over 30 deep"),
    "a_million_keys": ("".join(f"k{i}: 1\n" for i in range(1_000_000)), "larger than 262,144 bytes"),
    "many_keys": ("".join(f"k{i}: 1\n" for i in range(MAX_VALUES)), "over 20,000 values"),
    "keys_that_collide": ("".join(f"{i * (2**61 - 1)}: 1\n" for i in range(5_000)), "line 1: a key is no text"),
    "a_long_number": ("a: " + "9" * 5_000, "is no finite number of at most 40 characters"),
    "a_long_hexadecimal": ("a: 0x" + "f" * 5_000, "is no finite number"),
    "a_number_to_the_base_60": ("a: 1" + ":59" * 5_000, "is no finite number"),
    "not_a_number": ("a: .nan", ".nan is no finite number"),
    "infinite": ("a: -.inf", "-.inf is no finite number"),
    "a_word_as_a_number": ("a: !!int x", "x is no finite number"),
    "a_date": ("a: 2020-01-01", "timestamp is no plain value; write text in quotes"),
    "no_date": ("a: 2020-99-99", "timestamp is no plain value"),
    "a_date_as_a_key": ("2020-01-01: a", "timestamp is no plain value"),
    "bytes": ("a: !!binary aGk=", "binary is no plain value"),
    "an_object": ("a: !!python/object/apply:os.system [x]", "is no plain value"),
    "a_merge": ("a: &a {x: 1}\nb: {<<: *a}", "merge is no plain value"),
    "a_cycle": ("a: &a [*a]", "*a stands for itself"),
    "a_cycle_of_mappings": ("&a {b: *a}", "*a stands for itself"),
    "a_number_as_a_key": ("1: a", "a key is no text; put it in quotes"),
    "a_list_as_a_key": ("? [1]\n: a", "a key is no text"),
    "no_truth": ("a: !!bool maybe", "not YAML"),
    "no_mapping": ("a: !!map [1]", "not YAML"),
    "half_a_character": ('a: "\\ud800"', "half a character"),
    "a_nul": ('a: "x\\0"', "text with a NUL"),
}


@pytest.mark.hostile("YAML")
@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_is_refused_in_one_line(tmp_path, text, says):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(BenchError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and says in message and len(message) < 400 and "\n" not in message


@pytest.mark.hostile("YAML")
def test_takes_little_memory_and_time(tmp_path):
    """All of them, in one process that may take 5 CPU-seconds and 200 MB."""
    for name, (text, _) in REFUSED.items():
        (tmp_path / name).write_text(text)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (5, 5));"
        "from pipeline.config.strict_yaml import *\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_yaml(path)\n"
        "    except BenchError: pass\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    paths = [str(tmp_path / name) for name in REFUSED]
    done = subprocess.run([sys.executable, "-c", code, *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200 * 1024


@pytest.mark.hostile("YAML")
def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, "/dev/zero", "a\0b"):
        with pytest.raises(BenchError, match="cannot read: "):
            read_yaml(path)


def test_aliases_that_stand_for_little_are_fine(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text("a: &a [1, x, null, true, 0.5]\nb: *a\nc: {d: *a}\n")
    assert read_yaml(path) == yaml.safe_load(path.read_text())
    path.write_text("#" * (MAX_BYTES - 5) + "\na: 1")
    assert read_yaml(path) == {"a": 1}
