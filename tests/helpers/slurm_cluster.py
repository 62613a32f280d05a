"""A Slurm of one node on this machine, from Debian's packages slurm-wlm and munge, for one command.

    python -m tests.helpers.slurm_cluster COMMAND ARGUMENT ...

Its files are in a temporary folder, its daemons end with the block that started them.
No accounting and no control groups, as containers lack both; it needs root, as slurmd does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

RUN = (
    *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "3"),
)  # the documented command, in a hurry
TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
WHERE = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
NODE = "bench"
CONFIG = """\
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmdTimeout=10
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=600
SchedulerParameters=sched_interval=2,batch_sched_delay=0
NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} CPUs={cpus} RealMemory={memory_mb}
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty where there can."""
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        return "the extra [slurm] is not installed"
    absent = [tool for tool in TOOLS if not shutil.which(tool, path=WHERE)]
    if absent:
        return f"no {absent[0]}: a Slurm needs Debian's slurm-wlm and munge"
    return "" if os.geteuid() == 0 else "a Slurm needs root"


@dataclass
class Cluster:
    """Its daemons, and the environment of what uses it. `cpus` may be more than the machine has."""

    folder: Path
    cpus: int = 2
    memory_mb: int = 16_000
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What every command that talks to it has in its environment."""
        path = os.pathsep.join([str(self.folder / "bin"), str(Path(sys.executable).parent), WHERE])
        return {"PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """What a command of Slurm prints."""
        return subprocess.run(
            command, env={**os.environ, **self.environment}, check=True, text=True, capture_output=True
        ).stdout

    def jobs(self) -> list[str]:
        """Ids of the jobs that have not ended."""
        return self.run("squeue", "--noheader", "--format=%i").split()

    def write_config(self) -> None:
        """Slurm's and munge's files."""
        os.chmod(self.folder, 0o755)
        for name in ("bin", "state", "spool", "munge"):
            (self.folder / name).mkdir()
        key = self.folder / "munge" / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        names = {"host": socket.gethostname().partition(".")[0], "node": NODE, "ports": free_ports(2)}
        text = CONFIG.format(folder=self.folder, cpus=self.cpus, memory_mb=self.memory_mb, **names)
        (self.folder / "slurm.conf").write_text(text)
        # In a job the plugin takes SLURM_CONF from its srun's environment.
        srun = self.folder / "bin" / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun", path=WHERE)} "$@"\n'
        )
        srun.chmod(0o755)

    def start(self, name: str, *arguments: str) -> None:
        """Start a daemon in the foreground; its log is a file in the folder."""
        program = shutil.which(name, path=WHERE)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [program, *arguments],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_munged(self) -> None:
        """The daemon that says who is who."""
        where = self.folder / "munge"
        files = [f"--{name}-file={where / name}" for name in ("pid", "log", "seed")]
        key = [f"--key-file={where / 'munge.key'}", f"--socket={self.folder / 'munge.socket'}"]
        self.start("munged", "--foreground", "--force", *key, *files)
        wait_for((self.folder / "munge.socket").exists, "munged")

    def start_slurmd(self) -> None:
        """The node's daemon; waits until the node takes jobs."""
        self.start("slurmd", "-D", "-N", NODE)
        wait_for(self.is_up, "slurmd")

    def is_up(self) -> bool:
        """True when the node takes jobs."""
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.run("sinfo", "--noheader", "--format=%t").strip() in ("idle", "mix", "alloc")
        return False

    def kill(self, name: str) -> None:
        """Kill a daemon, by its id."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        """Cancel what runs and end every daemon, the last started first."""
        with contextlib.suppress(subprocess.CalledProcessError, OSError):
            for job in self.jobs():
                self.run("scancel", job)
            wait_for(lambda: not self.jobs(), "scancel")
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                continue
            process.kill()
            process.wait()
        self.running.clear()


@contextlib.contextmanager
def slurm_cluster(cpus: int = 2) -> Iterator[Cluster]:
    """A cluster of one node that takes jobs."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = Cluster(folder, cpus)
    try:
        cluster.write_config()
        cluster.start_munged()
        cluster.start("slurmctld", "-D", "-i")
        cluster.start_slurmd()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens to now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Raises TimeoutError when `reached` stays false."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not there after {seconds:g} s")
        time.sleep(0.1)


def main() -> int:
    """Command line; the exit status is that of the command."""
    if missing():
        sys.exit(f"error: {missing()}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemons are ended
    with slurm_cluster() as cluster:
        return subprocess.run(sys.argv[1:], env={**os.environ, **cluster.environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
