"""What a grid, a path or a file's name holds is data, never shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core.paths import ROOT
from tests.helpers.project_copy import GRID, copy_project, environment, errors, leftovers, snakemake

HOSTILE = "it's $(touch ran) `touch ran`; touch ran; é #"
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


@pytest.mark.hostile("names")
def test_a_run_where_every_path_and_name_is_hostile(tmp_path):
    """The folder of the clone, that of the environment, the grid's file and its mirror.

    The environment is bare, too: no HOME, no TMPDIR, no git, the C locale, files that no other user may read.
    """
    folder = copy_project(tmp_path / HOSTILE)
    tools = tmp_path / "a place; touch ran"
    tools.symlink_to(Path(sys.prefix))
    (folder / HOSTILE).mkdir()
    grid = {**GRID, "grid": "hostile", "mirror": HOSTILE}
    (folder / f"{HOSTILE}.yaml").write_text(yaml.safe_dump(grid))
    command = [tools / "bin" / "python", "-m", "snakemake", "--cores", "1", "--configfile", f"{HOSTILE}.yaml"]
    (tmp_path / "bin").mkdir()
    for program in ("bash", "sh", "mkdir", "rm", "cat", "tar", "which"):  # `which` is for the plugin of [slurm]
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    bare = {"PATH": str(tmp_path / "bin"), "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=folder, env=bare, umask=0o077, text=True, check=False, **streams)
    assert done.returncode == 0, done.stdout
    assert (folder / "results/hostile/leaderboard.md").is_file()
    estimate = [*command[:3], "estimate", *command[3:]]
    done = subprocess.run(estimate, cwd=folder, env=environment(), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("ran")) and not leftovers(folder)


@pytest.mark.hostile("names")
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_every_value_in_a_shell_command_is_quoted(path):
    """Counts of threads and keys made of hex digits are the only bare ones."""
    in_shell = False
    for line in path.read_text().splitlines():
        in_shell = line.strip() == "shell:" or (in_shell and line.strip().startswith('"'))
        if in_shell and line.strip() != "shell:":
            bare = [part.partition("}")[0] for part in line.split("{")[1:] if not part.partition("}")[0].endswith(":q")]
            assert set(bare) <= {"threads"}, line


@pytest.mark.hostile("names")
def test_braces_in_the_path_of_a_mirror_and_of_strange_boards_are_text(tmp_path):
    folder = copy_project(tmp_path / "bench")
    (folder / "results/{x}").mkdir(parents=True)
    (folder / "results/{x}/scores.parquet").write_text("of no board")
    task = {**GRID["tasks"][0], "dataset": "nasbench201"}
    grid = {**GRID, "mirror": "/no {x} {dataset}", "tasks": [task]}
    (folder / "config/benchmark.yaml").write_text(yaml.safe_dump(grid))
    done = snakemake(folder, "data/raw/nasbench201/.fetched", check=False)
    assert done.returncode != 0 and "/no {x} {dataset}" in done.stdout, done.stdout


@pytest.mark.hostile("names")
def test_a_grid_with_braces_in_its_name_is_one_clear_line(tmp_path):
    folder = copy_project(tmp_path / "bench")
    os.rename(folder / "config/benchmark.yaml", folder / "{x}.yaml")
    done = snakemake(folder, "--configfile", "{x}.yaml", check=False)
    assert done.returncode != 0
    (said,) = errors(done.stdout)
    assert said.endswith("/{x}.yaml: Snakemake takes braces in a path for a wildcard; rename it")


def nested(levels: int) -> str:
    """A mapping in which each level holds the one before twice: 2 ** levels values."""
    lines = ["a0: &a0 {x: 1, y: 2}", *(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}" for i in range(1, levels))]
    return "\n".join(lines)


@pytest.mark.hostile("YAML")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__use_yte__: true\ngrid: ?open('ran', 'w').write('x') and 'tiny'\n", "grid"),
        (nested(30), "over 20,000 values"),
    ],
    ids=["python", "aliases"],
)
def test_a_grid_file_is_read_by_the_project_alone(tmp_path, text, says):
    """Snakemake, which runs Python in what it is given as --configfile, does not see it.

    What else is refused: tests/config/test_strict_yaml.py.
    """
    folder = copy_project(tmp_path / "bench")
    (folder / "grid.yaml").write_text(text)
    done = snakemake(folder, "-n", "--config", "grid_file=grid.yaml", check=False)
    assert done.returncode != 0 and not (folder / "ran").exists()
    (said,) = errors(done.stdout)
    assert "grid.yaml" in said and says in said
