"""Processes: started as asked, ended with their launcher, and described in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from realservices.host.process import EXIT_CANNOT_START, EXIT_NO_NAMESPACE, describe_exit, spawn, wait
from tests.host import places

_SHELL = "/bin/sh"


def _run(argv: list[str], **options: object) -> tuple[int, str]:
    """Spawn ``argv``; return its exit code and what it wrote."""
    read_end, write_end = os.pipe()
    pid = spawn(argv, output=write_end, **({"env": {}} | options))  # type: ignore[arg-type]
    os.close(write_end)
    with os.fdopen(read_end) as output:
        text = output.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def _script(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code that has the package, in a process of its own."""
    source = f"import os, signal, sys\nsys.path.insert(0, {str(places.PACKAGE_ROOT)!r})\n{source}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", source, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_environment_is_exactly_what_is_given() -> None:
    assert _run(["/usr/bin/env"], env={"A": "1", "B": "two words"}) == (0, "A=1\nB=two words\n")


def test_a_service_reads_nothing_and_leads_a_session_of_its_own() -> None:
    code, text = _run([_SHELL, "-c", "cat; ps -o sid= -p $$; echo $$"], env={"PATH": os.environ["PATH"]})
    session, pid = text.split()
    assert (code, session) == (0, pid)


def test_a_program_stays_in_the_callers_process_group() -> None:
    code, text = _run([_SHELL, "-c", "ps -o pgid= -p $$"], env={"PATH": os.environ["PATH"]}, own_session=False)
    assert (code, int(text)) == (0, os.getpgrp())


def test_a_program_that_is_not_there() -> None:
    code, text = _run(["/no/such/program"])
    assert code == EXIT_CANNOT_START
    assert text.startswith("realservices: cannot start /no/such/program: [Errno 2] No such file or directory")


def test_a_preparation_that_fails() -> None:
    def prepare() -> None:
        raise OSError(1, "not here")

    assert _run([_SHELL], prepare=prepare) == (
        EXIT_NO_NAMESPACE,
        "realservices: cannot start /bin/sh: [Errno 1] not here\n",
    )


def test_ignored_signals_are_not_inherited() -> None:
    # Python ignores SIGPIPE and SIGXFSZ; a server or test program expects the system's defaults.
    code, text = _run([_SHELL, "-c", "grep SigIgn /proc/self/status"], env={"PATH": os.environ["PATH"]})
    assert (code, text) == (0, "SigIgn:\t0000000000000000\n")


def test_a_signal_before_exec_ends_the_child_and_is_not_mistaken_for_the_launchers() -> None:
    # Between fork and exec the child still has the launcher's handlers, and its wake-up descriptor is the launcher's.
    done = _script("""
from realservices.host.process import spawn
read_end, write_end = os.pipe()
os.set_blocking(read_end, False)
os.set_blocking(write_end, False)
signal.set_wakeup_fd(write_end)
signal.signal(signal.SIGTERM, lambda number, frame: None)
reached, release = os.pipe(), os.pipe()
def prepare():
    os.write(reached[1], b"x")
    os.read(release[0], 1)
pid = spawn(["/bin/true"], env={}, prepare=prepare)
os.read(reached[0], 1)
os.kill(pid, signal.SIGTERM)
os.write(release[1], b"x")  # For a child that has survived.
_, status = os.waitpid(pid, 0)
try:
    woken = os.read(read_end, 100)
except BlockingIOError:
    woken = b""
print(os.waitstatus_to_exitcode(status), woken)
""")
    assert (done.stdout, done.stderr) == ("-15 b''\n", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with code 0"),
        (3 << 8, "exited with code 3"),
        (signal.SIGKILL, "was killed by SIGKILL"),
        (signal.SIGSEGV | 0x80, "was killed by SIGSEGV"),
        (40, "was killed by signal 40"),
    ],
)
def test_an_end_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


def test_a_child_ends_with_a_killed_launcher() -> None:
    read_end, write_end = os.pipe()
    assert _launch_and_die(read_end, write_end) == -signal.SIGKILL
    os.close(write_end)
    # End-of-file comes when the last holder of the write end is gone.
    with os.fdopen(read_end, "rb") as output:
        assert output.read() == b""


def _launch_and_die(read_end: int, write_end: int) -> int:
    source = (
        f"import os, signal, sys; sys.path.insert(0, {str(places.PACKAGE_ROOT)!r})\n"
        "from realservices.host.process import spawn\n"
        f"spawn(['/bin/sh', '-c', 'echo started; exec sleep 1000'], env=dict(os.environ), output={write_end})\n"
        f"assert os.read({read_end}, 8) == b'started\\n'\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", source], pass_fds=(read_end, write_end), check=False, timeout=60
    ).returncode


def test_all_descendants_are_killed_daemons_and_restless_ones_too() -> None:
    done = _script("""
import time
from realservices.system.process_ids import descendants
from realservices.host.process import adopt_orphans, kill_descendants
adopt_orphans()
ready = os.pipe()
def daemonize(is_restless):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(ready[1], b"x")
    if not is_restless:
        signal.pause()
    for _ in range(5000):
        time.sleep(0.001)
        if os.fork():
            os._exit(0)
    os._exit(0)
for is_restless in (False, True, True):
    daemonize(is_restless)
    os.read(ready[0], 1)
kill_descendants(set())
print(descendants(os.getpid()))
""")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_spared_descendants_live_on() -> None:
    done = _script("""
from realservices.host.process import kill_descendants
pids = []
for _ in range(2):
    pid = os.fork()
    if not pid:
        signal.pause()
    pids.append(pid)
kill_descendants({pids[0]})
os.kill(pids[0], 0)
os.kill(pids[0], signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
""")
    assert (done.stdout, done.stderr) == ("-15\n", "")


def test_what_a_child_used_is_told_with_its_status() -> None:
    program = "import sys, time\nheld = bytearray(100_000_000)\nwhile time.process_time() < 0.2: pass\nsys.exit(7)"
    pid = spawn([sys.executable, "-I", "-S", "-B", "-c", program], env={})
    ended, status, cpu_s, peak_bytes = wait(pid)
    assert (ended, os.waitstatus_to_exitcode(status)) == (pid, 7)
    assert 0.2 <= cpu_s < 60
    assert 100_000_000 < peak_bytes < 1_000_000_000


def test_a_child_that_still_runs_and_one_that_is_not_there() -> None:
    pid = spawn(["/bin/cat"], env={}, stdin=(pipe := os.pipe())[0])
    os.close(pipe[0])
    assert wait(pid, os.WNOHANG)[0] == 0
    os.close(pipe[1])
    assert wait(pid)[:2] == (pid, 0)
    with pytest.raises(ChildProcessError):
        wait(pid)
