"""The tag that identifies the processes of a launcher, whatever they do to look like others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from realservices.host.process_tags import kill_tagged, tagged
from realservices.system.abandoned_directories import new_id
from tests.host import places

# Prints its process id when it is what it is to be; its end is the end of its standard input, or a signal.
_MARKED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from realservices.host.process_tags import tag_this_process
tag_this_process(sys.argv[2])
exec(sys.argv[3])
print(os.getpid(), flush=True)
sys.stdin.read()
"""
_SURROUNDINGS = {
    "itself": "",
    # Its parent has ended when it goes on.
    "a daemon": "parent = os.getpid()\nos.setsid()\nif os.fork(): os._exit(0)\nwhile os.getppid() == parent: pass",
    "without an environment": (
        "code = 'import os, sys; print(os.getpid(), flush=True); sys.stdin.read()'\n"
        "os.execve(sys.executable, [sys.executable, '-S', '-c', code], {})"
    ),
    "in a user namespace": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "in a tagged process": "tag_this_process('0' * 12)\ntag_this_process(sys.argv[2])",
}


@contextmanager
def _process(name: str, before: str) -> Iterator[int]:
    command = [sys.executable, "-c", _MARKED, str(places.PACKAGE_ROOT), name, before]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())


@pytest.mark.parametrize("before", _SURROUNDINGS.values(), ids=_SURROUNDINGS)
def test_it_stays_with_a_process(before: str) -> None:
    name = new_id()
    with _process(name, before) as pid:
        assert tagged(name) == [pid]
        assert kill_tagged(name) == [pid]
    assert tagged(name) == []


def test_another_launchers_are_left_alone() -> None:
    with _process(new_id(), "") as pid:
        assert kill_tagged(new_id()) == []
        os.kill(pid, 0)


def test_a_process_that_kills_is_not_killed() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from realservices.host.process_tags import *; "
        "tag_this_process(sys.argv[2]); print(kill_tagged(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(places.PACKAGE_ROOT), new_id()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_one_that_has_ended_is_not_found() -> None:
    name = new_id()
    command = [sys.executable, "-c", _MARKED, str(places.PACKAGE_ROOT), name, ""]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert tagged(name) == []
    assert process.wait() == 0


def test_who_has_a_hard_limit_on_it_goes_without() -> None:
    name = new_id()
    code = "import resource; resource.setrlimit(10, (5, 5)); tag_this_process(sys.argv[2])"
    with _process(name, code) as pid:
        assert tagged(name) == []
        os.kill(pid, signal.SIGKILL)
