"""The lock of the containers has the project's own pins, and all that the locked packages need."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from containers.lock import OF_TORCH, locked, needed_by
from pipeline.core.paths import ROOT

LOCK = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "containers/requirements.lock").read_text(), re.MULTILINE))


def test_the_lock_has_the_projects_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for need in map(Requirement, project["dependencies"]):
        assert str(need.specifier) == f"=={LOCK[canonicalize_name(need.name)]}", need.name


def test_the_lock_leaves_nothing_out():
    """What each locked package needs is locked; packages that are here in another version may need something else."""
    here = locked()
    for name in (name for name, version in LOCK.items() if here.get(name) == version):
        needs = {canonicalize_name(need.name) for need in needed_by(name)}
        assert {need for need in needs if not need.startswith(OF_TORCH)} <= set(LOCK), name
    assert sum(here.get(name) == version for name, version in LOCK.items()) > len(LOCK) / 2


def test_the_files_that_the_container_copies_are_there():
    text = (ROOT / "containers/Containerfile").read_text()
    assert re.findall(r"^FROM \S+ AS (\w+)", text, re.MULTILINE) == ["base", "gpu", "cpu"]
    for path in re.findall(r"^COPY (\S+) ", text, re.MULTILINE):
        assert (ROOT / path).exists()
    assert ".git" in (ROOT / "containers/Containerfile.dockerignore").read_text().split()
