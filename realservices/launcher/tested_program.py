"""The program under test: pytest or any executable, its environment, and how it ended."""

from __future__ import annotations

import os
import signal
import sys
import time

from realservices.contract import environment
from realservices.contract.coverage_environment import with_coverage
from realservices.host.process import describe_exit, spawn, wait
from realservices.system.bazel_files import advertise_shards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from realservices.contract.manifest import Manifest
    from realservices.host.launcher_directories import LauncherDirectories

_PYTEST = "from realservices.fixtures.pytest_main import run; run()"
_SELECTING = "import sys; sys.path.insert(0, sys.argv.pop(1)); from realservices.launcher.selecting import run; run()"


class Program:
    """The program's process.

    Attributes:
        pid: Its process id while it runs, else 0.
        exit_code: As a shell would report it (128 + N for signal N), or None while it has not ended.
        first_start: When it was started (monotonic), or None.
        last_end: When it ended, or None.
        cpu_s: Its processor time, with the processes that it waited for.
        peak_bytes: The most memory that one of them held.
        end: In words how a signal ended it, or how it ended before its tests did, else "".
        takes_interrupts: Whether Ctrl-C is the program's own business; the terminal tells it, too.
    """

    takes_interrupts = False

    def __init__(self, manifest: Manifest, runfiles: str, arguments: list[str]) -> None:
        self._test = manifest.test
        self._runfiles = runfiles
        self._arguments = arguments
        self.pid = 0
        self.exit_code: int | None = None
        self.first_start: float | None = None
        self.last_end: float | None = None
        self.cpu_s = 0.0
        self.peak_bytes = 0
        self.end = ""
        self._premature_exit = ""

    def start(self, env: dict[str, str]) -> None:
        """Start it in the launcher's own process group, where Bazel's signals reach it."""
        if self._test.runner == "pytest":
            # -S and -P: only what the target declares is importable. -B: runfiles are somebody's source tree.
            argv = [sys.executable, "-s", "-S", "-P", "-B", "-c", _PYTEST, *self._arguments]
        elif self._test.test_runner:
            argv, env = self._told_what_bazel_wants(env)
        else:
            argv = [self._path, *self._arguments]
        self._premature_exit = env[environment.PREMATURE_EXIT]
        self.first_start = time.monotonic()
        self.pid = spawn(argv, env=env, own_session=False)

    @property
    def _path(self) -> str:
        return f"{self._runfiles}/{self._test.program}"

    def _told_what_bazel_wants(self, env: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return command and environment of a program whose runner does not know Bazel."""
        from realservices.launcher import test_runners  # noqa: PLC0415 - for its users only

        runner = self._test.test_runner
        options = test_runners.translated(runner, env)
        is_sharded = test_runners.is_sharded(env)
        if is_sharded:
            advertise_shards()
        if is_sharded and runner in test_runners.LISTING:
            here = os.path.abspath(sys.path[0])
            selecting = [sys.executable, "-I", "-S", "-B", "-c", _SELECTING, here]
            return [*selecting, runner, self._path, *self._arguments], env
        ours = {name: value for name, value in env.items() if name not in test_runners.TRANSLATED}
        words = [*self._arguments, *options] if runner in test_runners.COMMAND_FIRST else [*options, *self._arguments]
        return [self._path, *words], ours

    def ended(self, status: int, cpu_s: float, peak_bytes: int) -> None:
        """Take note of its end, from what `wait` returned."""
        self.pid = 0
        self.last_end = time.monotonic()
        self.cpu_s, self.peak_bytes = cpu_s, peak_bytes
        code = os.waitstatus_to_exitcode(status)
        self.exit_code = code if code >= 0 else 128 - code
        if code < 0:
            self.end = describe_exit(status)
        elif code == 0 and os.path.exists(self._premature_exit):
            # As after os._exit(0) in the middle of a test, with a runner that knows the protocol.
            self.end = (
                f"exited with code 0 before its tests were done: the file that {environment.PREMATURE_EXIT} names is "
                "still there"
            )

    def withdraw(self) -> None:
        """Kill it before it has done anything, so that it can be started again."""
        self.kill()
        self.exit_code, self.end = None, ""

    def kill(self) -> None:
        """Kill it if it still runs, and wait for its end."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.ended(*wait(self.pid)[1:])


def program_environment(
    manifest: Manifest,
    runfiles: str,
    directories: LauncherDirectories,
    paths: tuple[str, str],
    endpoints: dict[str, dict[str, Any]],
) -> dict[str, str]:
    """Return the whole environment of the program: Bazel's, the contract's, then the target's own mapping.

    Args:
        manifest: The target's.
        runfiles: The directory that runfiles paths start from.
        directories: The action's.
        paths: Those of the runtime description and of the control socket.
        endpoints: All services by name.

    Raises:
        ManifestError: The mapping refers to something that is not there.
    """
    test = manifest.test
    runtime_path, control_path = paths
    env = dict(os.environ)
    env |= {"HOME": directories.home, "TMPDIR": directories.temporary, environment.SANDBOX: directories.root}
    env |= environment.service_environment(endpoints)
    env[environment.PREMATURE_EXIT] = f"{directories.private}/premature_exit"
    env |= {
        environment.CONTROL: control_path,
        environment.RUNTIME: runtime_path,
        environment.MANIFEST: os.path.abspath(manifest.path),
    }
    env["RUNFILES_DIR"] = runfiles
    if test.runner == "pytest":
        here = os.path.abspath(sys.path[0])  # The archive or directory that this package was loaded from.
        import_paths = os.pathsep.join([here, *(f"{runfiles}/{path}" for path in test.import_paths)])
        env["PYTHONPATH"] = with_coverage(import_paths)
    if test.on_path or test.checkout_paths is not None:
        from realservices.launcher.path_programs import put_on_path  # noqa: PLC0415 - for its users only

        programs = put_on_path(manifest, runfiles, f"{directories.private}/bin")
        env["PATH"] = os.pathsep.join(filter(None, [programs, env.get("PATH")]))
    if test.durations:
        env[environment.DURATIONS] = f"{runfiles}/{test.durations}"
    return env | environment.mapped_environment(manifest.env, endpoints)
