"""Failed cells and a full disk."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.core import io
from tests.helpers.project_copy import (
    GRID,
    NOTHING,
    TINY_PREDICTOR,
    append,
    copy_project,
    errors,
    fitting,
    leftovers,
    predictions,
    snakemake,
    write_grid,
)
from tests.helpers.small_disk import small_disk

FAILING = {
    "raises": fitting("raise RuntimeError('no luck')"),
    "will_not_import": "import no_such_package\n" + TINY_PREDICTOR,
    "has_a_typo": TINY_PREDICTOR.replace("def predict", "dfe predict"),
    "gives_too_few": TINY_PREDICTOR.replace("graphs.n_nodes.float()", "graphs.n_nodes.float()[:3]"),
    "is_killed": fitting("import os; os.kill(os.getpid(), 9)"),
    "hangs_in_c": fitting("import re; re.match('(a+)+$', 'a' * 99 + 'b')"),
}
SAYS = {
    "raises": ("error", "RuntimeError: no luck (at raises.py:8)"),
    "will_not_import": ("error", "ModuleNotFoundError: No module named 'no_such_package' (at will_not_import.py:1)"),
    "has_a_typo": ("error", "SyntaxError: invalid syntax (has_a_typo.py, line 10)"),
    "gives_too_few": ("error", "TypeError: predict gave (3,), not a tensor"),
    "is_killed": ("error", "killed by SIGKILL, most likely for want of memory"),
    "hangs_in_c": ("timeout", "took longer than 2 s"),
    "mean": ("error", "mean: no setting 'colour'"),
    "nn_former": ("error", "SyntaxError: "),  # of which the board shows no attention
}


def test_failed_cells_are_rows_and_block_nothing(copy):
    for name, code in FAILING.items():
        (copy / f"predictors/{name}.py").write_text(code)
    (copy / "predictors/node_count.py").write_text(TINY_PREDICTOR)
    append(copy / "predictors/nn_former.py", "def broken(:")
    labels = {"mean": {"colour": 1}, "op_counts": {}, "node_count": {}, "nn_former": {}, **dict.fromkeys(FAILING, {})}
    write_grid(copy, {**GRID, "timeout_s": 2, "predictors": labels})
    output = snakemake(copy, "--config", "strict=false").stdout  # only a true word is strict
    scores = pl.read_parquet(copy / "results/benchmark/scores.parquet")
    found = dict(scores.select("predictor", "status").unique().iter_rows())
    assert found == {"op_counts": "ok", "node_count": "ok", **{name: status for name, (status, _) in SAYS.items()}}
    messages = {
        io.read_meta(copy / path)["predictor"]: io.read_meta(copy / path)["message"] for path in predictions(copy)
    }
    for name, (status, message) in SAYS.items():
        assert messages[name].startswith(message)
        assert f"{status}: {message}" in output
    board = (copy / "results/benchmark/leaderboard.md").read_text()
    for name, (status, message) in SAYS.items():
        assert f"- `{name}`, 60 labels: {status} (seed 0): `{message}" in board
    assert "node_count" in (copy / "results/leaderboard.md").read_text()
    assert not leftovers(copy)
    assert NOTHING in snakemake(copy).stdout

    (copy / "results/benchmark/scores.parquet").unlink()
    done = snakemake(copy, "--config", "strict=true", check=False)
    assert done.returncode != 0
    (said,) = errors(done.stdout)
    assert all(f"/{name}" in said for name in SAYS) and "/node_count/" not in said


def test_a_full_disk_is_a_clear_error_and_no_half_file(finished, tmp_path):
    folder = copy_project(tmp_path / "bench")
    with small_disk(tmp_path) as disk:
        (folder / "results").symlink_to(disk)
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        done = snakemake(folder, "train", check=False)
        assert done.returncode != 0
        assert any("no space left on device" in line for line in errors(done.stdout))
        assert not predictions(folder)
        assert not leftovers(folder)
        filler.unlink()
        snakemake(folder, "train")
        assert len(predictions(folder)) == 2
