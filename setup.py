"""The wheel: everything below the one name `nnfb`, so that nobody's own `pipeline` or `predictors` is covered up.

In a clone the packages `pipeline` and `predictors` stand at the top, as the rules and pages write them. In the wheel
they are `nnfb.pipeline` and `nnfb.predictors`: the same files, with that prefix where they name each other.
docs/architecture.md says why.
"""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

MOVED = ("pipeline", "predictors")
NAMED = re.compile(r"((?:^\s*(?:from|import)|python -m) )(pipeline|predictors)(?=[. ])", re.MULTILINE)
DATA = {  # folders without code that the code reads, as packages of the wheel
    "config": ["*.yaml", "*.csv"],
    "workflow/schemas": ["*.json"],
    "shipped": ["*.json", "*.safetensors", "*/*.json", "*/*.gz", "*/*.safetensors"],  # predictors of timm's chips
    "results/models": ["**/*.json", "**/*.safetensors", "**/*.txt"],  # predictors that were saved here, if any
}


class Prefixed(build_py):
    """Copies modules with the names of `MOVED` packages prefixed."""

    def build_module(self, module, module_file, package):
        """Copy one module; an editable installation leaves the files where they are."""
        result = super().build_module(module, module_file, package)
        if not self.editable_mode:
            path = Path(result[0])
            path.write_text(NAMED.sub(r"\1nnfb.\2", path.read_text(encoding="utf-8")), encoding="utf-8")
        return result


def layout() -> dict:
    """Packages and where they are: as in the clone for an editable installation, else below `nnfb`."""
    code = find_packages(include=["nnfb*", *(f"{name}*" for name in MOVED)])
    if "editable_wheel" in sys.argv:
        return {"packages": code}
    folders = {f"nnfb.{name}" if name.partition(".")[0] in MOVED else name: name.replace(".", "/") for name in code}
    folders |= {f"nnfb.{name.replace('/', '.')}": name for name in DATA if Path(name).is_dir()}
    data = {f"nnfb.{name.replace('/', '.')}": patterns for name, patterns in DATA.items()}
    data |= {"nnfb": ["py.typed"], "nnfb.pipeline.report": ["leaderboard.html", "plots/bench.mplstyle"]}
    return {"packages": list(folders), "package_dir": folders, "package_data": data}


setup(cmdclass={"build_py": Prefixed}, **layout())
