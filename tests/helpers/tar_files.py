"""Small tar.gz files from names and contents, for tests and measurements."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_tar_gz(path: Path, members: Mapping[str, bytes]) -> None:
    """Write `members` (name to content) to a tar.gz file at `path`."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
