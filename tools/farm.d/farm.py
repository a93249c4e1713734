"""A build farm on one machine: PostgreSQL, BuildGrid, workers. Run by tools/farm, in the root filesystem.

Serves until its standard input ends, or SIGTERM or Ctrl-C. A worker may die: its action is given to another one, and
so the farm goes on. The end of the server or of its database is the farm's.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server_config import server_config
from worker_command import worker_command

DEADLINE_S = 120.0
_BUILDGRID = str(Path(sys.executable).with_name("bgd"))


class FarmError(Exception):
    """Why there is no farm."""


class Farm:
    """The processes of one farm.

    Args:
        project: The checkout whose package runs the database.
        directory: What all of it writes to.
        workers: How many there are.
    """

    def __init__(self, project: Path, directory: Path, workers: int) -> None:
        self._project, self._directory, self._workers = project, directory, workers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lost: set[str] = set()
        self.executor = ""

    def start(self) -> None:
        """Start all of it, each after what it needs.

        Raises:
            FarmError: One of them does not start.
        """
        url = self._start_database()
        self._run("migration", [_BUILDGRID, "migrate", "apply", url])
        self._finish("migration")
        port = self._start_server(url)
        self.executor = f"grpc://127.0.0.1:{port}"
        for number in range(1, self._workers + 1):
            self._run(f"worker-{number}", worker_command(number, port))

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers."""
        return [each.pid for name, each in self._processes.items() if name.startswith("worker-")]

    def check(self) -> None:
        """Tell which workers have died.

        Raises:
            FarmError: The server or its database has.
        """
        for name, process in self._processes.items():
            if process.poll() is None or name in self._lost:
                continue
            if not name.startswith("worker-"):
                raise FarmError(self._failure(name))
            self._lost.add(name)
            print(f"farm: {name} has ended with {process.returncode}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """End all of it, what needs another one first."""
        for process in reversed(self._processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
            # Also what a worker that was killed has left.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def _start_database(self) -> str:
        place = self._directory / "database"
        place.mkdir()
        (place / "pyproject.toml").touch()
        command = [sys.executable, "-m", "realservices", "up", "postgres", "--dynamic-ports", "--json"]
        process = self._run("postgres", command, cwd=place, output=subprocess.PIPE, PYTHONPATH=str(self._project))
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
        line = process.stdout.readline() if ready else b""
        event = json.loads(line or b"{}")
        if event.get("event") != "ready":
            raise FarmError(self._failure("postgres"))
        url: str = event["services"]["postgres"]["url"]
        return url

    def _start_server(self, url: str) -> int:
        port = _free_port()
        config = self._directory / "server.yml"
        config.touch(0o600)  # It holds the database's password.
        config.write_text(server_config(url=url, cas=self._directory / "cas", port=port), encoding="utf-8")
        self._run("server", [_BUILDGRID, "server", "start", str(config)])
        deadline = time.monotonic() + DEADLINE_S
        while not _listens(port):
            if time.monotonic() > deadline or self._processes["server"].poll() is not None:
                raise FarmError(self._failure("server"))
            time.sleep(0.05)
        return port

    def _run(
        self, name: str, command: list[str], *, cwd: Path | None = None, output: int | None = None, **env: str
    ) -> subprocess.Popen[bytes]:
        # A process group of its own, so that Ctrl-C is this process's to pass on; and none outlives this one.
        with (self._directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", *command],
                cwd=cwd or self._directory,
                env=os.environ | {"TMPDIR": str(self._directory)} | env,
                stdin=subprocess.DEVNULL,
                stdout=output or log,
                stderr=log,
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    def _finish(self, name: str) -> None:
        try:
            code = self._processes[name].wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            code = -1
        if code:
            raise FarmError(self._failure(name))
        del self._processes[name]

    def _failure(self, name: str) -> str:
        lines = (self._directory / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n  | ".join([f"the farm's {name} does not run; its last lines:", *lines[-15:]])


def _make_directory(state: Path) -> Path:
    """Make the farm's directory, which is locked while it serves, and remove those of farms that were killed."""
    for left in state.glob("farm.*"):
        descriptor = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            pass  # Another farm's, which serves.
        finally:
            os.close(descriptor)
    directory = tempfile.mkdtemp(prefix="farm.", dir=state)
    fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_SH)
    return Path(directory)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    """Run a farm until its end is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="farm", description=__doc__)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not 0 < options.workers <= 64:
        parser.error(f"--workers {options.workers}: 1 to 64")
    read_end, write_end = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(write_end, b"."))
    directory = _make_directory(options.state)
    farm = Farm(options.project, directory, options.workers)
    try:
        farm.start()
        _tell(farm, directory, as_json=options.json)
        while not select.select([read_end, *([sys.stdin] if options.json else [])], [], [], 1.0)[0]:
            farm.check()
        return 0
    except FarmError as error:
        print(f"farm: {error}", file=sys.stderr)
        return 1
    finally:
        farm.end()
        shutil.rmtree(directory, ignore_errors=True)


def _tell(farm: Farm, directory: Path, *, as_json: bool) -> None:
    if as_json:
        described = {"executor": farm.executor, "workers": farm.worker_pids, "directory": str(directory)}
        print(json.dumps(described), flush=True)
        return
    print(f"{farm.executor} serves; Ctrl-C ends it. Options for Bazel:\n", flush=True)
    for option in (f"--remote_executor={farm.executor}", "--@rules_realservices//rules:remote"):
        print(f"  {option}")
    print("\ndocs/remote.md has more of them, and those for another user.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
