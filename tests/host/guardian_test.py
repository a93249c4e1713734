"""The guardian: cleans up after a launcher that was killed, and holds its locks until that is done."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from realservices.system.abandoned_directories import new_id
from tests.host import places

_DEADLINE_MS = 30_000
# A launcher in small: a lock, a directory, a guardian, and a daemon that has left its parent, its session and its
# environment, as nginx and whatever sets its title do.
_SMALL_LAUNCHER = """
import fcntl, json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from realservices.host.guardian import start_guardian
from realservices.host.process_tags import tag_child, tag_children
directory, name, ending = sys.argv[2:5]
lock = os.open(directory + ".lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
guardian = start_guardian(name, [directory])
tag_children(name)
os.mkdir(directory)
open(directory + "/file", "w").close()
started = os.pipe()
if not os.fork():
    tag_child()
    os.setsid()
    pid = os.fork()
    if pid:
        os.write(started[1], str(pid).encode())
        os._exit(0)
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    os.execve("/bin/sleep", ["sleep", "1000"], {})
daemon = int(os.read(started[0], 20))
os.wait()
print(json.dumps({"guardian": guardian.pid, "daemon": daemon}), flush=True)
sys.stdin.readline()
if ending == "dismiss":
    guardian.dismiss()
elif ending == "dismiss late":
    os.kill(guardian.pid, signal.SIGKILL)
    os.waitid(os.P_PID, guardian.pid, os.WEXITED | os.WNOWAIT)
    print(guardian.dismiss(), flush=True)
elif ending == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(_DEADLINE_MS), f"process {pid} still runs"
    finally:
        os.close(descriptor)


class SmallLauncher:
    """A process with a guardian, waiting for a line on its standard input before it ends."""

    def __init__(self, tmp_path: Path, ending: str) -> None:
        self.directory = tmp_path / "owned"
        self.name = new_id()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SMALL_LAUNCHER, str(places.PACKAGE_ROOT), str(self.directory), self.name, ending],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        pids = json.loads(self.process.stdout.readline())
        self.output = ""
        self.guardian: int = pids["guardian"]
        self.daemon: int = pids["daemon"]

    def end(self) -> int:
        """Let it end in its way; return its exit code when its output has ended too."""
        self.output, _ = self.process.communicate("\n", timeout=30)
        return self.process.returncode


def test_after_a_sudden_death_it_kills_and_removes(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "kill")
    assert launcher.end() == -signal.SIGKILL
    _wait_for_end(launcher.guardian)
    _wait_for_end(launcher.daemon)
    assert not launcher.directory.exists()


def test_an_exit_without_a_word_counts_as_sudden_death(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "forget")
    assert launcher.end() == 0
    _wait_for_end(launcher.guardian)
    _wait_for_end(launcher.daemon)
    assert not launcher.directory.exists()


def test_dismissed_it_touches_nothing(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "dismiss")
    assert launcher.end() == 0
    _wait_for_end(launcher.guardian)
    assert (launcher.directory / "file").exists()
    os.kill(launcher.daemon, signal.SIGKILL)


def test_the_lock_is_free_only_when_it_is_done(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "kill")
    # The guardian cannot go on while it is stopped, so neither can anybody take the lock. Before that it must have let
    # go of the launcher's output.
    deadline = time.monotonic() + 30
    while os.readlink(f"/proc/{launcher.guardian}/fd/1") != "/dev/null":
        assert time.monotonic() < deadline
    os.kill(launcher.guardian, signal.SIGSTOP)
    launcher.end()
    with Path(f"{launcher.directory}.lock").open("rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(launcher.guardian, signal.SIGCONT)
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert not launcher.directory.exists()
    _wait_for_end(launcher.daemon)


def test_signals_that_end_a_test_do_not_end_it(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "kill")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(launcher.guardian, number)
    launcher.end()
    _wait_for_end(launcher.guardian)
    assert not launcher.directory.exists()


def test_a_guardian_that_was_killed_is_worth_a_warning(tmp_path: Path) -> None:
    launcher = SmallLauncher(tmp_path, "dismiss late")
    assert launcher.end() == 0
    assert launcher.output.startswith(f"the guardian (process {launcher.guardian}), which cleans up after a launcher")
    os.kill(launcher.daemon, signal.SIGKILL)
