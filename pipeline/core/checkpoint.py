"""Checkpoints of long fits: a fit that was killed goes on to the result it would have had."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import torch


class Checkpoint:
    """A file that holds how far a fit is.

    ``key`` stands for all that the result depends on (code, settings, data, seed): a file with another one is not gone
    on from. ``every_s``: seconds between two; a fit that is done sooner writes none. ``cpu_s`` and ``wall_s`` are what
    earlier processes spent up to the checkpoint that was read.
    """

    def __init__(self, path: Path, key: str, every_s: float) -> None:
        self.path, self.key, self.every_s = path, key, every_s
        self.cpu_s = self.wall_s = 0.0
        self.began, self.last = (time.process_time(), time.monotonic()), time.monotonic()

    def part(self, name: str) -> Checkpoint:
        """The checkpoint of one of several fits that make up this one."""
        return Checkpoint(self.path.with_name(f"{self.path.name}.{name}"), self.key, self.every_s)

    def due(self, at_end: bool) -> bool:
        """Whether it is time to write the next one; ``at_end`` of a fit, whether it is a long one."""
        return time.monotonic() - self.last >= self.every_s or (at_end and self.path.exists())

    def write(self, state: dict, said: str) -> None:
        """Put ``state`` (tensors, numbers, dicts and lists of them) in the file's place, and ``said`` in the log."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        spent = (time.process_time() - self.began[0] + self.cpu_s, time.monotonic() - self.began[1] + self.wall_s)
        new = self.path.with_name(f"{self.path.name}.new")
        torch.save({"key": self.key, "spent": spent, **state}, new)
        new.replace(self.path)
        self.last = time.monotonic()
        print(f"{said}, {spent[0]:.0f} CPU-s", file=sys.stderr, flush=True)

    def read(self) -> dict | None:
        """The state that was written, None where there is none of this key."""
        try:
            state = torch.load(self.path, weights_only=True)
            if state["key"] != self.key:
                return None
            self.cpu_s, self.wall_s = state["spent"]
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            print(f"{self.path}: not a checkpoint ({error}); starting anew", file=sys.stderr)
            return None
        return state

    def remove(self) -> None:
        """Delete the file and those of its parts."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)
