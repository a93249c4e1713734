"""The launcher: runs one test action, from the manifest to the exit code.

A pytest program is started together with the services, whose addresses are fixed beforehand: its own start-up hides
theirs, and its plugin waits for them before the first line of a test file runs. Any other program is started when all
services are ready.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from realservices.contract import environment
from realservices.contract.errors import InfrastructureError, ManifestError, RealServicesError, ServiceError
from realservices.contract.manifest import Manifest, load_manifest
from realservices.host.guardian import Guardian, start_guardian
from realservices.host.process import adopt_orphans, descendants, describe_exit, spawn
from realservices.host.sandbox import Sandbox
from realservices.host.slots import Slot, acquire_slot
from realservices.launcher import contract_files
from realservices.launcher.control import ControlServer
from realservices.launcher.report import write_report
from realservices.launcher.supervisor import Supervisor
from realservices.services.postgres import Postgres
from realservices.services.redis import Redis

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from realservices.services.base import Service

KINDS: dict[str, type[Service]] = {"postgres": Postgres, "redis": Redis}
_PYTEST = "import sys; from realservices.launcher.pytest_main import main; sys.exit(main())"
# How long a program may go on after a service died or after SIGTERM. Bazel's own grace is 15 s.
_GRACE_S = 5.0
_TERM_GRACE_S = 8.0
_EXIT_INTERNAL = 70  # EX_SOFTWARE: nothing that a test program usually returns.


class Launch:
    """One test action while it runs.

    Args:
        manifest: What to run.
        runfiles: The directory that runfiles paths start from.
        arguments: Arguments for the program.
    """

    def __init__(self, manifest: Manifest, runfiles: str, arguments: list[str]) -> None:
        self._manifest = manifest
        self._runfiles = runfiles
        self._arguments = arguments
        self._begin = time.monotonic()
        self._program_pid = 0
        self._exit_code: int | None = None
        self._signal: int | None = None
        self._kill_at: float | None = None
        self._signals_read, self._signals_write = os.pipe()
        self._slot = Slot()
        self._sandbox: Sandbox | None = None
        self._guardian: Guardian | None = None
        self._supervisor: Supervisor | None = None

    def run(self) -> int:
        """Run services and program; return the test's exit code. Everything that was made is gone afterwards."""
        reason = ""
        try:
            supervisor = self._set_up()
            self._main_loop(supervisor)
            reason = self._reason(supervisor)
        except ServiceError as error:
            reason = str(error)
        finally:
            self._end_program()
            self._clean_up()
        code = self._exit_code if self._exit_code is not None else 1
        if reason:
            print(f"\nrealservices: {self._manifest.label}: {reason}", file=sys.stderr, flush=True)
            code = code or 1
        services = list(self._supervisor.services.values()) if self._supervisor else []
        write_report(self._manifest.label, services, code, reason, time.monotonic() - self._begin)
        return code

    def _set_up(self) -> Supervisor:
        manifest = self._manifest
        self._sandbox = sandbox = Sandbox()
        runtime_path = f"{sandbox.private}/runtime.json"
        mark = f"{environment.RUNTIME}={runtime_path}"
        kinds = [_kind(spec.kind, manifest.label) for spec in manifest.services]
        self._slot = acquire_slot(sum(kind.port_count for kind in kinds))
        self._guardian = start_guardian(mark, sandbox.paths)
        adopt_orphans()
        ports = list(self._slot.ports)
        services = []
        for kind, spec in zip(kinds, manifest.services, strict=True):
            services.append(kind(spec, sandbox, self._runfiles, ports[: kind.port_count]))
            del ports[: kind.port_count]
        endpoints = {service.spec.name: service.endpoint for service in services}
        logs = f"{sandbox.private}/logs"
        os.mkdir(logs, 0o700)
        for name, endpoint in endpoints.items():
            endpoint["log"] = f"{logs}/{name}.log"
        control_path = f"{sandbox.private}/control.sock"
        _write_private(
            runtime_path,
            {
                "version": 1,
                "label": manifest.label,
                "control": control_path,
                "sandbox": sandbox.root,
                "isolation": manifest.isolation,
                "services": endpoints,
            },
        )
        env = self._environment(sandbox, runtime_path, endpoints)
        service_env = {name: env[name] for name in ("PATH", "HOME", "TMPDIR", environment.RUNTIME) if name in env}
        self._supervisor = supervisor = Supervisor(services, logs, service_env | {"LC_ALL": "C", "TZ": "UTC"})
        self._control = ControlServer(control_path, supervisor)
        self._catch_signals(supervisor)
        if manifest.test.runner == "pytest":
            self._start_program(env)
        supervisor.start_waiting()
        while manifest.test.runner != "pytest" and not supervisor.is_ready() and self._signal is None:
            self._step(supervisor)
        if not self._program_pid and self._signal is None:
            self._start_program(env)
        return supervisor

    def _environment(
        self, sandbox: Sandbox, runtime_path: str, endpoints: dict[str, dict[str, object]]
    ) -> dict[str, str]:
        test = self._manifest.test
        env = dict(os.environ)
        env |= {"HOME": sandbox.home, "TMPDIR": sandbox.temporary, environment.SANDBOX: sandbox.root}
        env |= environment.service_environment(endpoints)
        env |= {environment.RUNTIME: runtime_path, environment.MANIFEST: os.path.abspath(self._manifest.path)}
        env["RUNFILES_DIR"] = self._runfiles
        if test.runner == "pytest":
            here = os.path.abspath(sys.path[0])  # The zip or directory that this package was loaded from.
            paths = [here, *(f"{self._runfiles}/{path}" for path in test.import_paths)]
            env["PYTHONPATH"] = os.pathsep.join(paths)
        if test.durations:
            env["REALSERVICES_DURATIONS"] = f"{self._runfiles}/{test.durations}"
        return env | environment.mapped_environment(self._manifest.env, endpoints)

    def _start_program(self, env: dict[str, str]) -> None:
        test = self._manifest.test
        if test.runner == "pytest":
            # -S and -P: only what the target declares is importable. -B: runfiles are somebody's source tree.
            argv = [sys.executable, "-s", "-S", "-P", "-B", "-c", _PYTEST, *self._arguments]
        else:
            argv = [f"{self._runfiles}/{test.program}", *self._arguments]
        self._program_pid = spawn(argv, env=env, own_session=False)

    def _main_loop(self, supervisor: Supervisor) -> None:
        while self._exit_code is None:
            self._step(supervisor)

    def _step(self, supervisor: Supervisor) -> None:
        timeout_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        supervisor.step(timeout_s)
        self._control.answer_waiting()
        if self._kill_at is None and supervisor.failures() and self._program_pid:
            # The program's own errors may say more, but a program that hangs on a dead service must not run on.
            self._kill_at = time.monotonic() + _GRACE_S
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._end_program()

    # Signals

    def _catch_signals(self, supervisor: Supervisor) -> None:
        os.set_blocking(self._signals_write, False)
        signal.set_wakeup_fd(self._signals_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _ignore)
        supervisor.watch(self._signals_read, lambda: self._on_signals(supervisor))

    def _on_signals(self, supervisor: Supervisor) -> None:
        numbers = set(os.read(self._signals_read, 256))
        for number in numbers - {int(signal.SIGCHLD)}:
            self._on_end_signal(number)
        if int(signal.SIGCHLD) in numbers:
            self._reap(supervisor)

    def _on_end_signal(self, number: int) -> None:
        """Pass SIGTERM (Bazel's timeout) or Ctrl-C on; a second one ends the program at once."""
        self._kill_at = time.monotonic() + (_TERM_GRACE_S if self._signal is None else 0.0)
        self._signal = number
        if self._program_pid:
            os.kill(self._program_pid, number)

    def _reap(self, supervisor: Supervisor) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._program_pid:
                self._program_pid = 0
                self._exit_code = os.waitstatus_to_exitcode(status)
                if self._exit_code < 0:
                    self._program_end = describe_exit(status)
                    self._exit_code = 128 - self._exit_code
            else:
                supervisor.on_exit(pid, status)

    # Ends

    _program_end = ""

    def _reason(self, supervisor: Supervisor) -> str:
        """Say why the launcher fails the test, or return ""."""
        reasons = [str(error) for error in supervisor.failures()]
        if self._signal is not None:
            name = signal.Signals(self._signal).name
            after_s = time.monotonic() - self._begin
            timeout = os.environ.get("TEST_TIMEOUT", "")
            why = f"; the test's time-out is {timeout} s" if self._signal == signal.SIGTERM and timeout else ""
            reasons.insert(0, f"ended by {name} after {after_s:.1f} s{why}")
        elif self._program_end:
            reasons.insert(0, f"the test program {self._program_end}")
        return "\n".join(reasons)

    def _end_program(self) -> None:
        """Kill the program if it still runs, and what it left behind."""
        if self._program_pid:
            os.kill(self._program_pid, signal.SIGKILL)
            os.waitpid(self._program_pid, 0)
            self._program_pid = 0
            if self._exit_code is None:
                self._exit_code = 128 + signal.SIGKILL

    def _clean_up(self) -> None:
        failed = bool(self._exit_code) or self._exit_code is None
        if self._supervisor:
            for supervised in self._supervisor.services.values():
                if supervised.service.warning:
                    contract_files.write_warning(supervised.service.warning)
                failed = failed or bool(supervised.error)
            self._control.close()
            self._supervisor.kill_all()
            _kill_strays(self._guardian)
            if failed or os.environ.get("REALSERVICES_LOGS") == "always":
                _keep_logs([s.log.path for s in self._supervisor.services.values()])
        if self._sandbox:
            self._sandbox.remove()
        if self._guardian:
            self._guardian.dismiss()
        self._slot.release()


def main(arguments: list[str]) -> int:
    """Run the test whose manifest is the first argument; return the exit code."""
    if not arguments:
        print("realservices: the first argument must be the path of a manifest", file=sys.stderr)
        return _EXIT_INTERNAL
    contract_files.mark_unfinished()
    try:
        manifest = load_manifest(arguments[0])
        code = Launch(manifest, os.path.abspath(os.environ["RUNFILES_DIR"]), arguments[1:]).run()
    except InfrastructureError as error:
        contract_files.write_infrastructure_failure(error)
        print(f"realservices: {error.component}: {error}", file=sys.stderr)
        code = 1
    except RealServicesError as error:
        print(f"realservices: {error}", file=sys.stderr)
        code = 1
    contract_files.mark_finished()
    return code


def _kind(kind: str, label: str) -> type[Service]:
    if kind not in KINDS:
        raise ManifestError(f"{label}: unknown kind of service {kind!r}; known are {sorted(KINDS)}")
    return KINDS[kind]


def _ignore(number: int, frame: FrameType | None) -> None:
    """Let the wake-up descriptor tell of the signal."""


def _kill_strays(guardian: Guardian | None) -> None:
    """Kill processes that the test left running: as orphans they have become the launcher's own children."""
    spared = {guardian.pid} if guardian else set()
    for pid in descendants(os.getpid()):
        if pid not in spared:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def _keep_logs(paths: list[str]) -> None:
    outputs = contract_files.undeclared_outputs()
    if not outputs:
        return
    import shutil  # noqa: PLC0415 - only where a test failed

    for path in paths:
        if os.path.exists(path):
            shutil.copy(path, f"{outputs}/{os.path.basename(path)}")


def _write_private(path: str, content: dict[str, object]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
