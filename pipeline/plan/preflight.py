"""What must hold of a folder before a run works in it: what Snakemake would say in many lines, or too late."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.errors import BenchError
from pipeline.plan.run_lock import WRITTEN

FOLDERS = (*WRITTEN, "logs")
STATE = ".snakemake"
DEEP = 2  # levels of folders below that are looked at
AHEAD_S = 60.0  # by which clocks of two machines may differ


def require_folders(folder: Path | str = ".") -> None:
    """Raises BenchError when a file, or a link to nowhere, is in the place of a folder that a run writes to, or when
    this user can't write Snakemake's own, or when `folder` has a name that Snakemake does not take as it is."""
    if set("{}") & set(str(Path(folder).resolve())):
        raise BenchError(
            f"{Path(folder).resolve()}: Snakemake takes braces in a path for a wildcard; rename the folder"
        )
    for path in (Path(folder) / name for name in (*FOLDERS, STATE)):
        if os.path.lexists(path) and not os.path.isdir(path):
            raise BenchError(f"{path}: not a folder; move it away, and run again")
    state = Path(folder) / STATE
    for path in [state, *_below(state, 1)] if state.exists() else [Path(folder)]:
        _require_rights(path)


def require_rights(folder: Path | str = ".") -> None:
    """Raises BenchError when this user can't write to a folder that a run writes to."""
    for path in (Path(folder) / name for name in FOLDERS):
        for place in [path, *_below(path, DEEP)] if path.is_dir() else ():
            _require_rights(place)


def is_plain(path: Path | str) -> bool:
    """Whether Snakemake takes a path as it is: braces are wildcards to it."""
    return not set("{}") & set(str(path))


def require_plain(paths: Iterable[Path | str]) -> None:
    """Raises BenchError for a path that Snakemake would not take as it is."""
    for path in paths:
        if not is_plain(path):
            raise BenchError(f"{path}: Snakemake takes braces in a path for a wildcard; rename it")


def require_files(paths: Iterable[Path | str], now: float | None = None) -> None:
    """Raises BenchError when one of the files that a run reads or writes is a folder, or was changed later than `now`:
    what is made of it would be older than it."""
    latest = (time.time() if now is None else now) + AHEAD_S
    for path in map(Path, paths):
        try:
            changed = path.stat().st_mtime
        except OSError:
            continue  # not there yet, or the step that needs it says why not
        if path.is_dir():
            raise BenchError(f"{path}: a folder in the place of a file; move it away, and run again")
        if changed > latest:
            days = (changed - latest) / 86_400
            raise BenchError(f"{path}: changed {days:,.1f} days in the future; set the clock, or touch the file")


def _below(path: Path, levels: int) -> list[Path]:
    """The folders in a folder, and so on."""
    if not levels or not _may(path, os.R_OK | os.X_OK):
        return []
    inside = [Path(entry.path) for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    return [*inside, *(deeper for one in inside for deeper in _below(one, levels - 1))]


def _require_rights(path: Path) -> None:
    if not _may(path, os.R_OK | os.W_OK | os.X_OK):
        raise BenchError(f"{path}: this user may not write there; change its owner or its rights, and run again")


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)
