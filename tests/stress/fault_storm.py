"""Kill whatever a test run is made of, at random moments, and look for what is left: `python fault_storm.py --kills 300`.

The victims take turns: launchers, their guardians, both at once; sessions of plain pytest, their workers, controllers and
service processes; `up`, groups, the tools that build templates. Among the services are nginx, where there is one, and a
daemon that has left its parent, its session and its environment. Where a guardian lives, nothing may be left; else nothing
may be left once `clean` has run. Prints one line and exits with 1 on any leak.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parent.parent.parent))

from tests.host import places
from tests.launcher.executables import PORT, executable, http
from tests.launcher.family import guardian_of
from tests.launcher.grouped import Group
from tests.launcher.launched import Launched, postgres, redis
from tests.launcher.template import make_template
from tests.services.template_tool import TemplateBuild
from tests.stress import enclosed

_DEADLINE_S = 60
_NGINX = "/usr/sbin/nginx"
_SERVER = Path(__file__).absolute().parents[1] / "launcher" / "server.py"
_PLUGIN = ("-p", "realservices.fixtures.plugin", "-p", "xdist.plugin")
# Both last for a while, so that there is something to kill.
_PROGRAM = "#!/bin/sh\nsleep 0.5\n"
_TEST = """
import asyncio
import pytest

@pytest.mark.parametrize("number", range(2))
async def test_it(isolated_database, isolated_redis, comprehensive_test_environment, number):
    await asyncio.sleep(0.3)
"""


class Storm:
    """What is killed, and where. Each method kills one victim, and says whether nobody was left to clean up after it.

    Args:
        seed: Of the moments.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        (enclosed.WORK / "template").mkdir()
        self._template = make_template(enclosed.WORK / "template")

    def launcher(self) -> bool:
        """Kill a launcher."""
        with self._launched() as launched:
            self._pause(1.0, launched.pid)
            _kill(launched.pid)
            launched.wait()
        return False

    def guardian(self) -> bool:
        """Kill a guardian: the test goes on, and its launcher cleans up."""
        with self._launched() as launched:
            self._pause(0.5, launched.pid)
            _kill(*_guardians(launched.pid))
            code = launched.wait()
            if code:
                raise SystemExit(f"fault_storm: without its guardian a launcher ended with {code}:\n{launched.output}")
        return False

    def launcher_and_guardian(self) -> bool:
        """Kill both at once."""
        with self._launched() as launched:
            self._pause(1.0, launched.pid)
            _kill(*_guardians(launched.pid), launched.pid)
            launched.wait()
        return True

    def session(self) -> bool:
        """Kill the one process of a session."""
        return self._kill_in_session(lambda pid: [pid])

    def worker(self) -> bool:
        """Kill a worker of pytest-xdist."""
        return self._kill_in_session(lambda _: _processes(b"sys.stdin.readline")[:1], "-n", "2")

    def controller(self) -> bool:
        """Kill pytest-xdist's controller."""
        return self._kill_in_session(lambda pid: [pid], "-n", "2")

    def services(self) -> bool:
        """Kill the process that runs a session's services."""
        return self._kill_in_session(lambda _: _processes(b"\0serve\0")[:1])

    def session_and_services(self) -> bool:
        """Kill a session's process and the one that runs its services."""
        return self._kill_in_session(lambda pid: [*_processes(b"\0serve\0")[:1], pid])

    def services_and_guardian(self) -> bool:
        """Kill the process that runs a session's services with its guardian."""
        self._kill_in_session(lambda _: _processes(b"\0serve\0"))
        return True

    def up(self) -> bool:
        """Kill `up`."""
        with self._project("realservices", "up") as process:
            self._pause(2.0, process.pid)
            _kill(process.pid)
            process.communicate()
        return False

    def group(self) -> bool:
        """Kill a group of services."""
        with Group([*self._services(), postgres()], template=self._template) as group, group.start() as run:
            self._pause(1.0, run.pid)
            _kill(run.pid)
            run.wait()
        return False

    def template_tool(self) -> bool:
        """Kill the tool that builds a template, which has no guardian."""
        directory = enclosed.WORK / f"built.{next(self._numbers)}"
        directory.mkdir()
        with TemplateBuild(directory).migration("001.sql", "CREATE TABLE items (id int)").start() as process:
            self._pause(2.0, process.pid)
            _kill(process.pid)
            process.communicate()
        return True

    def _kill_in_session(self, victims: Callable[[int], list[int]], *options: str) -> bool:
        with self._project("pytest", "-q", "-p", "no:cacheprovider", *_PLUGIN, *options) as process:
            self._pause(3.0, process.pid)
            _kill(*victims(process.pid))
            process.communicate(timeout=_DEADLINE_S)
        return False

    def _project(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command in a new project with a database, a Redis and servers of its own."""
        directory = enclosed.WORK / f"project.{next(self._numbers)}"
        directory.mkdir()
        (directory / "test_it.py").write_text(_TEST, "utf-8")
        (directory / "realservices.toml").write_text(_declarations(self._services()), "utf-8")
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _launched(self) -> Launched:
        directory = enclosed.WORK / f"run.{next(self._numbers)}"
        services = [postgres(), redis(), *self._services()]
        return Launched(directory, services, template=self._template, script=_PROGRAM, base=str(enclosed.WORK))

    def _services(self) -> list[dict[str, Any]]:
        number = next(self._numbers)
        daemon = executable("daemon", "listen", PORT, "worker", str(enclosed.WORK / f"worker.{number}"))
        if not os.path.exists(_NGINX):
            return [daemon]
        directory = enclosed.WORK / f"nginx.{number}"
        directory.mkdir()
        return [daemon, executable("web", "nginx", str(directory), PORT, ready=http("/"))]

    def _pause(self, most_s: float, pid: int) -> None:
        """Let some time pass, but no longer than a process lives."""
        end = os.pidfd_open(pid)
        select.select([end], [], [], self._chance.uniform(0, most_s))
        os.close(end)


def main(arguments: Sequence[str]) -> int:
    """Run the storm and return the exit code."""
    options = _parse(arguments)
    enclosed.enclose("--uid", "0")
    storm = Storm(options.seed)
    begin = time.monotonic()
    found: list[str] = []
    unguarded = 0
    for number in range(options.kills):
        victim = VICTIMS[number % len(VICTIMS)]
        is_unguarded = getattr(storm, victim)()
        if is_unguarded or _sessions_without_services():
            unguarded += 1
            _clean()
        left = enclosed.await_all_ends(_DEADLINE_S) or [
            *enclosed.leaks(),
            *enclosed.unfinished_templates(),
            *enclosed.left_blocks(),
        ]
        found += [f"{victim} (kill {number + 1}): {leak}" for leak in left]
        if left:
            break
    services = "nginx and a daemon" if os.path.exists(_NGINX) else "a daemon"
    print(
        f"fault_storm: {number + 1} kills of {len(VICTIMS)} kinds, {unguarded} followed by clean, with {services} among the "
        f"services, seed {options.seed}: {len(found)} leaks; {time.monotonic() - begin:.1f} s"
    )
    for leak in found:
        print(f"  {leak}")
    return 1 if found else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fault_storm", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    return parser.parse_args(arguments)


def _sessions_without_services() -> list[Path]:
    """Return the directories of sessions that were killed before there was a process that runs their services."""
    enclosed.await_all_ends(_DEADLINE_S)
    sessions = Path("/tmp").glob("realservices-*/session.*")
    return [path for path in sessions if not {each.name for each in path.iterdir()} - {"alive", "engine.lock"}]


def _clean() -> None:
    command = [sys.executable, "-m", "realservices", "clean"]
    done = subprocess.run(command, cwd=enclosed.WORK, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise SystemExit(f"fault_storm: clean ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(enclosed.WORK),
        "PYTHONPATH": os.pathsep.join([str(places.command_line()), *sys.path]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "REALSERVICES_POSTGRES": str(places.postgres_distribution()),
        "REALSERVICES_REDIS": str(places.redis_server()),
        "XDG_CACHE_HOME": str(enclosed.WORK / "cache"),
    }


def _declarations(services: list[dict[str, Any]]) -> str:
    """Return entries of a manifest as a project declares them."""
    text = '[services.db]\nkind = "postgres"\n[services.cache]\nkind = "redis"\n'
    for service in services:
        words = [word[0] if isinstance(word[0], str) else "$(port)" for word in service["config"]["args"]]
        command = json.dumps(["{python}", str(_SERVER), *words])
        text += (
            f'[services.{service["name"]}]\nkind = "executable"\ncommand = {command}\nready = {{ tcp = ["http"] }}\n'
        )
    return text


def _guardians(pid: int) -> list[int]:
    try:
        return [guardian_of(pid)]
    except (OSError, ValueError):
        return []  # There is none yet, or none any more.


def _processes(words: bytes) -> list[int]:
    """Return the processes whose command lines have these words in them, the oldest first."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if words in (directory / "cmdline").read_bytes():
                found.append(int(directory.name))
        except OSError:
            continue  # Gone meanwhile.
    return sorted(found)


def _kill(*pids: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # It was too late for this one.


VICTIMS = [name for name, each in vars(Storm).items() if not name.startswith("_") and callable(each)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
