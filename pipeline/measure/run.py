"""Time networks on one platform: python -m pipeline.measure.run --networks DIR --platform NAME --out FILE.parquet

Every finished timing is a line of FILE.jsonl and on the disk before the next begins: a run that is killed goes on where
it stopped. All are timed in rounds (pipeline.measure.rounds); a tenth once more, in rounds of their own beside those of
the others. Parquet is written at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from tqdm import tqdm

from pipeline.core import io, provenance
from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import platforms, rounds
from pipeline.measure.process import COMMAND, Worker, timing_lock
from pipeline.measure.process import time_one as time_one
from pipeline.measure.table import SCHEMA, summary
from pipeline.measure.timing import BUSY, Load, Settings, Timing

AGAIN = 0.1  # share of the networks that is timed twice


@dataclass(frozen=True)
class Network:
    """One file to time; `dims` sizes its open dimensions by name, as in `pipeline.onnx.graph.read_graph`."""

    name: str
    path: Path
    sha256: str
    dims: Mapping[str, int] = field(default_factory=dict, hash=False)


def find(folder: Path) -> list[Network]:
    """The .onnx files below `folder`, in an order that mixes families. Raises BenchError when there is none.

    The order follows hashes of names, so that it stays when networks are added, and a machine that slows down with time
    does not slow one family down.
    """
    paths = sorted(folder.rglob("*.onnx"))
    if not paths:
        raise BenchError(f"{folder}: no .onnx files; make them with python -m pipeline.measure.families")
    networks = [Network(p.relative_to(folder).with_suffix("").as_posix(), p, io.file_sha256(p)) for p in paths]
    return sorted(networks, key=lambda network: hashlib.sha256(network.name.encode()).digest())


def facts(platform: platforms.Platform, settings: Settings) -> dict:
    """What the timings were made with; timings of one file agree in it. Raises BenchError without the runtime."""
    return {
        "platform": platform.name,
        "package": platform.package,
        "version": platform.version(),
        "provider": platform.provider,
        "precision": platform.precision,
        "threads": platform.n_threads() * platform.streams,
        "host_cpu": provenance.cpu(),
        "settings": asdict(settings),
    }


class Journal:
    """Finished timings, one JSON line each after a first line of facts; safe against SIGKILL at any moment."""

    def __init__(self, path: Path, about: dict):
        self.path = path
        with io.os_errors(path, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("a+b")
            self.file.seek(0)
            text = self.file.read()
            end = text.rfind(b"\n") + 1
            self.file.truncate(end)  # half a line: what was being written when the last run was killed
        try:
            lines = [json.loads(line) for line in text[:end].splitlines()]
        except ValueError as error:
            raise BenchError(f"{path}: a damaged line; delete the file to time all networks again") from error
        if not lines:
            self._append(about)
        elif lines[0] != about:
            changed = next(key for key in about | lines[0] if about.get(key) != lines[0].get(key))
            raise BenchError(
                f"{path}: timed with {changed} {lines[0].get(changed)}, now {about.get(changed)}; "
                "delete the file to time all networks again"
            )
        self.rows: list[dict] = []
        self.by_key: dict[tuple, list[dict]] = {}
        for row in lines[1:]:
            self._keep(row)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def of(self, network: Network, number: int) -> list[dict]:
        """The rounds of a network in a pass, first to last; of the file as it is now, at the sizes asked for."""
        return self.by_key.get(_key(network.name, network.sha256, number, network.dims), [])

    def add(self, network: Network, number: int, timing: Timing) -> None:
        """Record a timing; it is on the disk when this returns."""
        row = {"network": network.name, "sha256": network.sha256, "pass": number, **asdict(timing)}
        if network.dims:
            row["dims"] = dict(network.dims)
        row["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._append(row)
        self._keep(row)

    def _keep(self, row: dict) -> None:
        self.rows.append(row)
        key = _key(row["network"], row["sha256"], row["pass"], row.get("dims", {}))
        self.by_key.setdefault(key, []).append(row)

    def _append(self, value: dict) -> None:
        with io.os_errors(self.path, "write"):
            self.file.write(json.dumps(value).encode() + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())


def _key(name: str, sha256: str, number: int, dims: Mapping[str, int]) -> tuple:
    return name, sha256, number, tuple(sorted(dims.items()))


def measure_all(
    networks: Sequence[Network],
    platform: str,
    out: Path,
    settings: Settings,
    again: float = AGAIN,
    timeout_s: float = 120.0,
    memory_mb: int | None = None,
    command: Sequence[str] = COMMAND,
) -> pl.DataFrame:
    """Time `networks` in rounds, the first ceil(`again` n) of them in a second pass too; write and return the table.

    Timings that the journal beside `out` has of the same file and sizes are not made again. Raises BenchError when the
    platform is not there, another timing is at work, or the journal was made with something else.
    """
    about = facts(platforms.get(platform), settings)
    with (
        timing_lock(),
        Journal(out.with_suffix(".jsonl"), about) as journal,
        Worker(platform, settings, timeout_s, memory_mb, command) as worker,
    ):
        passes = [(network, 1) for network in networks]
        passes += [(network, 2) for network in networks[: math.ceil(again * len(networks))]]
        for turn in range(rounds.MOST_ROUNDS):
            quick = rounds.quick_core_ms(journal.rows)
            to_time = [one for one in passes if _is_due(journal.of(*one), turn, quick)]
            if to_time and not turn:
                _warn_when_busy()
            shown = f"{platform}, round {turn + 1}"
            for network, number in tqdm(to_time, desc=shown, unit="network", smoothing=0.05, mininterval=0.5):
                journal.add(network, number, worker.time(network.path, dims=network.dims))
        quick = rounds.quick_core_ms(journal.rows)
        rows = [rounds.combine(journal.of(*one), quick) for one in passes]
    table = pl.DataFrame(rows, schema=SCHEMA)
    io.write_parquet(out, table, {"kind": "timings", **about})
    return table


def _is_due(rows: list[dict], turn: int, quick: float | None) -> bool:
    """True when a network with these rounds is to be timed in round `turn`, counted from 0."""
    if len(rows) > turn or (rows and rows[0]["status"] != "ok"):
        return False
    return turn < rounds.ROUNDS or not rounds.settled(rows, quick)


def _warn_when_busy(seconds: float = 0.5) -> None:
    load = Load()
    time.sleep(seconds)
    others = load.others()
    if others is not None and others > BUSY:
        print(f"warning: the machine is busy: other processes take {others:.1f} of a core", file=sys.stderr)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.measure.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=Path, required=True, help="folder of .onnx files; weights may be missing")
    parser.add_argument("--platform", required=True, help=", ".join(platforms.PLATFORMS))
    parser.add_argument("--out", type=Path, required=True, help="table to write; a journal is kept beside it")
    parser.add_argument("--limit-s", type=float, default=Settings.limit_s, help="seconds of timed runs of a network")
    parser.add_argument("--again", type=float, default=AGAIN, help="share of the networks that is timed twice")
    parser.add_argument("--timeout-s", type=float, default=120.0, help="seconds a network may take in all")
    parser.add_argument("--memory-mb", type=int, help="address space of the process; default: 3/4 of the memory")
    args = parser.parse_args()
    settings = Settings(limit_s=args.limit_s)
    networks = find(args.networks)
    table = measure_all(networks, args.platform, args.out, settings, args.again, args.timeout_s, args.memory_mb)
    print("\n".join(summary(table)))


if __name__ == "__main__":
    run_cli(main)
