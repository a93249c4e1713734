"""What runs in a container of the tests' making, as its only process besides the first: commands, and a look at what
they leave.

Standard input has JSON: a list of commands, each a list of words. Three are not run but done here: `["await-warm"]`
waits until services wait for a session, `["await-end"]` until no process is left, and `["up"]` has `up` serve,
asks `status`, and ends it. Standard output gets JSON:
``done``, pairs of exit code and output, and ``left``, what is there after the last one has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

from realservices.system.warm_pool import look_at, waiting_sessions

_TIMEOUT_S = 120.0
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
# What stays on purpose: slots' locks, unpacked templates, and schemas where there is no home; pytest's and the
# enclosure's own.
_KEPT = (f"realservices-{os.geteuid()}", "pytest-of-root", "filling", *os.environ["ENCLOSURE_KEPT"].split(":"))


def main() -> None:
    """Do what standard input says."""
    done = [_do(command) for command in json.load(sys.stdin)]
    _await_end()
    json.dump({"done": done, "left": _left()}, sys.stdout)


def _do(command: list[str]) -> tuple[int, str]:
    if command == ["await-warm"]:
        return _await_warm()
    if command == ["up"]:
        return _up()
    if command == ["await-end"]:
        return _await_end()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + (_logs() if done.returncode else "")


def _logs() -> str:
    """Return what services' processes have said last, if they did not live to remove that."""
    found = []
    for directory, _, names in os.walk("/tmp"):  # It passes over what is gone meanwhile.
        if "serve.log" in names:
            with contextlib.suppress(FileNotFoundError):
                found.append(Path(directory, "serve.log").read_text("utf-8"))
    return "".join(found)


def _await_warm() -> tuple[int, str]:
    deadline = time.monotonic() + _TIMEOUT_S / 4
    while time.monotonic() < deadline:
        for found in filter(None, map(look_at, waiting_sessions())):
            states = [each["state"] for each in json.loads(found)["services"].values()]
            if set(states) == {"ready"}:
                return 0, f"{len(states)} wait"
        Event().wait(0.01)
    return 1, "nothing waits"


def _await_end() -> tuple[int, str]:
    deadline = time.monotonic() + _TIMEOUT_S / 4
    while (processes := _processes()) and time.monotonic() < deadline:
        Event().wait(0.01)
    return bool(processes), "\n".join(processes)


def _up() -> tuple[int, str]:
    command = [sys.executable, "-m", "realservices"]
    with subprocess.Popen([*command, "up", "--json", "postgres", "redis"], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        for line in up.stdout:
            if json.loads(line)["event"] == "ready":
                break
        status = subprocess.run([*command, "status"], capture_output=True, text=True, check=False)
        up.send_signal(signal.SIGINT)
        rest = up.stdout.read()
    return up.returncode or status.returncode, status.stdout + rest


def _left() -> list[str]:
    paths = [f"{place}/{name}" for place in _PLACES for name in os.listdir(place) if name not in _KEPT]
    segments = Path("/proc/sysvipc/shm").read_text("ascii").splitlines()[1:]
    return [*_processes(), *paths, *segments]


def _processes() -> list[str]:
    """Return the command lines of all but the first process and this one."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes()
            except OSError:
                continue  # Gone meanwhile.
            found.append(words.decode("utf-8", "replace").replace("\0", " "))
    return found


if __name__ == "__main__":
    main()
