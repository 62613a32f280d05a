"""The exact versions that the containers are built from: python -m containers.lock > containers/requirements.lock

Run in an environment that has the project and has passed its tests: it prints the versions that are installed there, of
the project's dependencies and of theirs. What PyTorch needs for CUDA is left to PyTorch, which pins it.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.core.paths import ROOT

OF_TORCH = ("nvidia-", "cuda-", "triton")


def needed_by(name: str, extras: frozenset[str] = frozenset()) -> list[Requirement]:
    """What an installed package requires here, with some of its extras."""
    found = [Requirement(text) for text in distribution(name).requires or []]
    worlds = [{"extra": extra} for extra in extras] or [{"extra": ""}]
    return [need for need in found if need.marker is None or any(need.marker.evaluate(world) for world in worlds)]


def locked() -> dict[str, str]:
    """Version by name of everything that the project needs to run, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, seen, versions = [Requirement(text) for text in project["dependencies"]], set(), {}
    while waiting:
        need = waiting.pop()
        name, extras = canonicalize_name(need.name), frozenset(need.extras)
        if (name, extras) in seen or name.startswith(OF_TORCH):
            continue
        seen.add((name, extras))
        try:
            versions[name] = distribution(name).version.partition("+")[0]
        except PackageNotFoundError:
            raise SystemExit(
                f"error: {name} is not installed; run this where the project is: make .venv/.installed"
            ) from None
        waiting += needed_by(name) + (needed_by(name, extras) if extras else [])
    return dict(sorted(versions.items()))


if __name__ == "__main__":
    print("# Made by python -m containers.lock; torch is installed apart, for CPU or GPU.")
    print("\n".join(f"{name}=={version}" for name, version in locked().items()))
