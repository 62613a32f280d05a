"""Trained predictors on disk: what is there, and all that a prediction needs beside the predictor itself.

A folder holds what the predictor saves of itself (`predictors.base`), `about.json` and `networks.safetensors`. Those
that come with the package (`pipeline.predict.ship`) share the description of networks, which is in the folder above. No
torch and no polars here: this is imported each time a latency is asked for.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from safetensors.numpy import load, save_file

from pipeline.core import io
from pipeline.core.errors import BenchError, one_line
from pipeline.core.paths import ROOT
from pipeline.predict.chips import PER_IMAGE
from pipeline.predict.floor import Floor
from pipeline.predict.interval import Errors, Pairs
from pipeline.predict.neighbours import Neighbours, columns

MODELS = ROOT / "results" / "models"
SHIPPED = ROOT / "shipped"
MAX_BYTES = 2**21  # of an about.json; of 1,000 networks it has some 100 kB
MAX_NETWORKS = 2**28  # of a file of measured networks
LONGEST = 200  # letters of a text of an about.json, its message aside
ABOUT, NETWORKS, SHARED = "about.json", "networks.safetensors", "networks.json"
TEXTS = ("status", "message", "dataset", "dataset_version", "target", "device", "predictor", "budget", "finished_at")


@dataclass(frozen=True)
class Networks:
    """What a model knows of measured networks: n it was trained on, m held out.

    `rows`: (n, F) of `pipeline.predict.neighbours`; `values`: (n,) labels; `errors`: of the m, and of lineages left
    out; `names` and `families` (n); `ops`: operations with a column of their own; `floor`: under any network's latency.
    """

    rows: np.ndarray
    values: np.ndarray
    errors: Errors
    names: tuple[str, ...]
    families: tuple[str, ...]
    ops: tuple[str, ...]
    floor: Floor = Floor()


@dataclass(frozen=True)
class Entry:
    """A model as its `about.json` describes it: the metadata of its predictions file, and the keys written below."""

    folder: Path
    about: dict

    def __getattr__(self, name: str):
        try:
            return self.about[name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def line(self) -> str:
        """What `--list` prints of it."""
        head = f"{self.predictor:24} {self.device:26} {self.dataset:16} {self.n_train:>6} labels"
        if self.status != "ok":
            return f"{head}  {self.status}: {one_line(self.message)}"
        mape, acc10, n = (self.calibration[key] for key in ("mape", "acc10", "n"))
        tested, left_out = (self.about.get(key) for key in ("tested", "left_out"))
        held = f", 90 % interval holds {tested['coverage']:.0f} % of them" if tested else ""
        held += f", {left_out['coverage']:.0f} % of lineages left out" if left_out else ""
        return f"{head}  MAPE {mape:5.1f} %  Acc(10%) {acc10:5.1f} % on {n} held-out networks{held}"


def write(folder: Path, about: dict, networks: Networks | None) -> None:
    """Write both files into `folder`, which exists. `networks` is None where the status is not ok."""
    if networks is not None:
        arrays = {
            "rows": networks.rows.astype(np.float32),
            "values": networks.values.astype(np.float64),
            **error_arrays(networks.errors),
        }
        save_file(arrays, folder / NETWORKS)
        lists = {"names": networks.names, "families": networks.families, "ops": networks.ops}
        lists["floor"] = asdict(networks.floor)
        about = {**about, "networks": lists}
    (folder / ABOUT).write_text(json.dumps(about, indent=1))


def error_arrays(errors: Errors) -> dict[str, np.ndarray]:
    """As they are written."""
    return {"held_out": errors.held_out.table, "left_out": errors.left_out.table.astype(np.float32)}


def entries(models: Path = MODELS) -> tuple[list[Entry], list[str]]:
    """All models below a folder, sorted, and one line for each that can't be read."""
    readable, broken = [], []
    for path in sorted(models.rglob(ABOUT)):
        if any(part.startswith(".") for part in path.relative_to(models).parts):
            continue  # half-written
        try:
            readable.append(_entry(path))
        except BenchError as error:
            broken.append(str(error))
    readable.sort(key=lambda e: (e.dataset, e.device, e.predictor, e.n_train, e.finished_at))
    return readable, broken


def choose(models: Path, device: str | None, predictor: str | None, dataset: str | None) -> Entry:
    """The model of a predictor on a device; of several, the one with the most labels, then the newest.

    `predictor` is a label or, where none is just that, the name of a predictor with one variant: `nn_former-latency`
    is found by `nn_former`.
    Raises BenchError, listing what there is, when none fits or several devices, data sets or variants do.
    """
    known_entries, broken = entries(models)
    usable = [entry for entry in known_entries if entry.status == "ok"]
    if not usable:
        reason = f"; {broken[0]}" if broken else ""
        raise BenchError(f"{models}: no saved predictor{reason}; make them with: snakemake models --cores 2")
    variants = sorted({e.predictor for e in usable if e.predictor.startswith(f"{predictor}-")})
    if variants and predictor not in {e.predictor for e in known_entries}:
        if len(variants) > 1:
            raise BenchError(f"several are variants of {predictor}; give --predictor, one of: {', '.join(variants)}")
        predictor = variants[0]
    criteria = {"device": device, "predictor": predictor, "dataset": dataset}
    for key, value in criteria.items():
        known = sorted({getattr(entry, key) for entry in usable})
        if value is not None and value not in known:
            failed = next((e for e in known_entries if getattr(e, key) == value), None)
            why = f" ({failed.status}: {failed.message})" if failed else ""
            raise BenchError(f"no saved predictor with {key} {value!r}{why}; known: {', '.join(known)}")
    fitting = [e for e in usable if all(value in (None, getattr(e, key)) for key, value in criteria.items())]
    if not fitting:
        available = ", ".join(sorted({f"{e.predictor} on {e.device} ({e.dataset})" for e in usable}))
        asked_for = ", ".join(f"{key} {value!r}" for key, value in criteria.items() if value is not None)
        raise BenchError(f"no saved predictor with {asked_for} together; known: {available}")
    for key in ("device", "dataset"):
        known = sorted({getattr(entry, key) for entry in fitting})
        if len(known) > 1:
            raise BenchError(f"several fit; give --{key}, one of: {', '.join(known)}")
    return max(fitting, key=lambda entry: (entry.n_train, entry.finished_at))


def shipped(device: str | None = None) -> list[Entry]:
    """Models that came with the package, as `of_device`; a warning for each that can't be read."""
    known, broken = entries(SHIPPED)
    for line in broken:
        warnings.warn(line, stacklevel=2)
    return of_device(known, device)


def of_device(known: list[Entry], device: str | None = None) -> list[Entry]:
    """Models that answer: all, those of a device, or those of the chip that `device` is: ``rtx5090``."""
    found = [entry for entry in known if entry.status == "ok"]
    exact = [entry for entry in found if device in (None, entry.device)]
    return exact or [entry for entry in found if entry.device.startswith(f"{device}_")]


def read_networks(entry: Entry) -> tuple[Networks, Neighbours]:
    """The measured networks of a model. Raises BenchError when they can't be read."""
    path = entry.folder / NETWORKS
    try:
        lists, arrays = entry.networks, load(io.read_bytes(path, MAX_NETWORKS))
        if lists.get("shared"):
            lists, arrays = _joined(entry.folder.parent, lists, arrays)
        errors = Errors(Pairs.checked(arrays["held_out"]), Pairs.checked(arrays["left_out"]))
        networks = Networks(
            arrays["rows"], arrays["values"], errors, tuple(lists["names"]), tuple(lists["families"]),
            tuple(lists["ops"]), Floor(**lists.get("floor", {})),
        )  # fmt: skip
        n, width = networks.rows.shape
        fits = networks.values.shape == (n,) and len(networks.names) == len(networks.families) == n > 0
        if not fits or not len(errors.held_out) or width != len(columns(networks.ops)):
            raise ValueError("its tables do not fit together")
        words = (*networks.names, *networks.families, *networks.ops)
        if not all(isinstance(word, str) and word.isprintable() for word in words):
            raise ValueError("a name is no text that can be printed")
        finite = all(np.isfinite(part).all() for part in (networks.rows, networks.values))
        if not finite or (networks.values <= 0).any() or not all(map(_figure, astuple(networks.floor))):
            raise ValueError("a number is not finite or not positive")
    except BenchError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise BenchError(f"{path}: not readable ({error}); make it again: snakemake models --cores 2") from error
    return networks, Neighbours.from_rows(networks.rows)


def _joined(folder: Path, lists: dict, arrays: dict) -> tuple[dict, dict]:
    """Lists and arrays of a model's networks, which are some (`index`) of those that a folder of models shares."""
    shared, index = json.loads(io.read_bytes(folder / SHARED, MAX_NETWORKS)), arrays["index"]
    rows = load(io.read_bytes(folder / NETWORKS, MAX_NETWORKS))["rows"][index]
    picked = {key: [shared[key][i] for i in index.tolist()] for key in ("names", "families")}
    return {**lists, **picked, "ops": shared["ops"]}, {**arrays, "rows": rows}


def _entry(path: Path) -> Entry:
    try:
        about = json.loads(io.read_bytes(path, MAX_BYTES), parse_constant=_no_number)
        if not all(isinstance(about[key], str) for key in TEXTS) or type(about["n_train"]) is not int:
            raise ValueError("a key has the wrong type")
        texts = [one_line(about[key]) if key == "message" else about[key] for key in TEXTS]
        if not all(text.isprintable() for text in texts):
            raise ValueError("a text can't be printed")
        if any(len(about[key]) > LONGEST for key in TEXTS if key != "message"):
            raise ValueError(f"a text has over {LONGEST} letters")
        if about["status"] == "ok":
            _check_trained(about)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BenchError(f"{path}: not readable ({error}); make it again: snakemake models --cores 2") from error
    return Entry(path.parent, about)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _check_trained(about: dict) -> None:
    """Raises ValueError, KeyError, TypeError or OverflowError where a model can't be what it says."""
    kinds = {"vocab": list, "attr_names": list, "networks": dict, "known_operations_only": bool}
    if not all(isinstance(about[key], kind) for key, kind in kinds.items()):
        raise ValueError("a key has the wrong type")
    if not all(isinstance(word, str) for word in (*about["vocab"], *about["attr_names"])):
        raise ValueError("a key has the wrong type")
    numbers = [about["calibration"][key] for key in ("mape", "acc10", "n")]
    numbers += [about[key]["coverage"] for key in ("tested", "left_out") if key in about]
    if not all(map(_figure, numbers)):
        raise ValueError("a figure of its errors is no finite number")
    if about["target"] == PER_IMAGE and not (type(n := about["batch_sizes"]["median"]) is int and 0 < n < 2**31):
        raise ValueError("its batch size is no whole number")


def _figure(number: object) -> bool:
    return type(number) in (int, float) and math.isfinite(number) and number >= 0
