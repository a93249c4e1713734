"""Processes that cannot outlive the launcher.

Every child gets PR_SET_PDEATHSIG, so the kernel kills it when the launcher dies, however it dies. The signal fires
when the spawning *thread* ends: spawn from the main thread only. It is set last, just before exec, because changing
credentials or namespaces clears it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import time

from realservices.host.libc import libc
from realservices.host.process_tags import tag_child
from realservices.system.process_ids import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
EXIT_CANNOT_START = 127
# The child could not make its namespaces: the caller may try again with less isolation.
EXIT_NO_NAMESPACE = 126
# What the launcher handles, and what Python itself ignores.
_RESET_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
_MOST_SWEEPS = 200

# struct rusage of getrusage(2): two times of two longs each, then the peak of the resident memory, then what we leave.
_RUSAGE = ctypes.c_long * 18
_PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def die_with_parent(parent_pid: int, death_signal: int = signal.SIGKILL) -> None:
    """Have the kernel send ``death_signal`` to this process when its parent thread ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() not in (parent_pid, 0):  # 0: the parent is outside of our process namespace.
            os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants, so that none can slip away (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(
    argv: list[str],
    *,
    env: dict[str, str],
    output: int | None = None,
    stdin: int | None = None,
    own_session: bool = True,
    cwd: str | None = None,
    death_signal: int = signal.SIGKILL,
    fork: Callable[[], int] = os.fork,
    prepare: Callable[[], None] | None = None,
) -> int:
    """Start ``argv`` and return its process id.

    Args:
        argv: Program (an absolute path) and arguments.
        env: Its whole environment.
        output: File descriptor for standard output and error; None inherits both.
        stdin: File descriptor for standard input; None means /dev/null if ``own_session``, else inherited.
        own_session: True for services: signals to the test's process group must not reach them directly, as the
            launcher stops them in order.
        cwd: Working directory; None inherits.
        death_signal: What the kernel sends the child when the launcher dies.
        fork: How the child is made; `namespaces.fork_into` gives it namespaces of its own.
        prepare: Runs in the child before exec; an OSError from it ends the child with EXIT_NO_NAMESPACE.
    """
    parent_pid = os.getpid()
    pid, mask = _fork(fork)
    if pid:
        return pid
    code = EXIT_CANNOT_START
    try:
        _take_own_signals(mask)
        if own_session:
            os.setsid()
            if stdin is None:
                stdin = os.open("/dev/null", os.O_RDONLY)
        if stdin is not None:
            os.dup2(stdin, 0)
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        if prepare:
            code = EXIT_NO_NAMESPACE
            prepare()
            code = EXIT_CANNOT_START
        if cwd:
            os.chdir(cwd)
        tag_child()
        die_with_parent(parent_pid, death_signal)
        os.execve(argv[0], argv, env)  # noqa: S606 - there is no shell on purpose
    # The child must end here whatever happens; it must never return into the caller.
    except BaseException as error:  # noqa: BLE001
        os.write(2, f"realservices: cannot start {argv[0]}: {error}\n".encode())
    finally:
        os._exit(code)


def run_beside(work: Callable[[], object]) -> int:
    """Do some work in a child that leads a session of its own, and return its process id.

    It exits with code 0 when the work is done; an error of it is not told.
    """
    parent_pid = os.getpid()
    pid, mask = _fork(os.fork)
    if pid:
        return pid
    code = 1
    try:
        _take_own_signals(mask)
        os.setsid()
        tag_child()
        die_with_parent(parent_pid)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - as above; the caller does the work itself and learns why
        code = 1
    finally:
        os._exit(code)


def _fork(fork: Callable[[], int]) -> tuple[int, set[int | signal.Signals]]:
    """Fork, and return the process id and the mask of signals that were blocked before: in the child, more are.

    Until the child has the system's own actions it would answer a signal as the launcher does, whose handlers it has,
    and would tell the launcher of it, whose wake-up descriptor it shares.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _RESET_SIGNALS)
    pid = -1
    try:
        pid = fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid, mask


def _take_own_signals(mask: set[int | signal.Signals]) -> None:
    for number in _RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def kill_descendants(spared: set[int]) -> None:
    """Kill every descendant of this process except the ``spared`` ones, and reap those that are its children.

    After `adopt_orphans` daemons that a test started are among them. Sweeps until none is left, as one may fork while
    it is being killed.
    """
    for _ in range(_MOST_SWEEPS):
        found = [pid for pid in descendants(os.getpid()) if pid not in spared]
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for pid in found:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue  # It becomes ours when its parent, killed above, is gone: the next sweep reaps it.


def wait(pid: int, options: int = 0) -> tuple[int, int, float, int]:
    """Reap a child as os.waitpid does, and say what it used, with those that it had waited for itself.

    Not os.wait4: that imports the module `resource`, half a millisecond before the end of every test.

    Returns:
        Process id, wait status, processor time in seconds, and the most memory in bytes that it or one of them held.

    Raises:
        OSError: As os.waitpid; ChildProcessError where there is no such child.
    """
    status, usage = ctypes.c_int(), _RUSAGE()
    while (found := libc.wait4(pid, ctypes.byref(status), options, ctypes.byref(usage))) < 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    # Where microseconds are 32 bits wide, the rest of the long is padding.
    cpu_s = usage[0] + usage[2] + ((usage[1] & 0xFFFFFFFF) + (usage[3] & 0xFFFFFFFF)) / 1e6
    return found, status.value, cpu_s, usage[4] * _PEAK_UNIT_BYTES


def kill_session(pid: int) -> None:
    """Kill the whole process group of a child that leads a session of its own."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def reap(pid: int, deadline: float) -> tuple[float, int]:
    """Wait for a child that leads a session and has been told to end; kill the session at the (monotonic) deadline.

    Returns:
        Its processor time in seconds and the peak of its memory in bytes, as of `wait`.
    """
    while not (ended := wait(pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            kill_session(pid)
            return wait(pid)[2:]
        time.sleep(0.0005)  # Death by SIGKILL takes about a millisecond.
    kill_session(pid)
    return ended[2:]


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9, and a description for the real-time signals that have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe_exit(status: int) -> str:
    """Say in words how a process ended, from its wait status."""
    if os.WIFSIGNALED(status):
        return f"was killed by {signal_name(os.WTERMSIG(status))}"
    return f"exited with code {os.waitstatus_to_exitcode(status)}"
