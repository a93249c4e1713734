"""A launcher under test: a real process with real services, and the actor as its program at the end of a socket.

`Launched` is a context manager. Inside, the test talks to the program (`program`), to the services (by the endpoints
that the program was given) and to the launcher's control socket; `wait` returns how it all ended. Every wait has a
deadline, and whatever happens, nothing of it outlives the `with` block.
"""

from __future__ import annotations

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
from typing import Any

from tests.host import places
from tests.launcher.control_client import ControlClient
from tests.launcher.family import children, guardian_of
from tests.launcher.program import Program

DEADLINE_S = 60.0
_HERE = Path(__file__).absolute().parent
_ENCLOSURE = _HERE.parent / "host" / "enclosure.py"
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from realservices.launcher.main import main; sys.exit(main(sys.argv[1:]))"
)

# A program that asks both services, by TCP, as its first act; and what it prints.
QUERY_AT_ONCE = """#!/bin/bash
set -e
"$RUNFILES_DIR/postgres/pginstall/bin/psql" -XAtq "$DATABASE_URL" -c "SELECT name FROM items"
exec 3<>"/dev/tcp/$TEST_REDIS_HOST/$TEST_REDIS_PORT"
printf 'AUTH %s\\r\\nPING\\r\\n' "$TEST_REDIS_PASSWORD" >&3
read -r answer <&3
read -r answer <&3
echo "${answer%?}"
"""
ANSWERS = "seeded\n+PONG\n"


def postgres(name: str = "db", **settings: str) -> dict[str, Any]:
    """Return the manifest's entry of a PostgreSQL that stands on the tests' template."""
    config = {
        "distribution": "postgres/pginstall",
        "template": "template/db.tar",
        "template_info": "template/db.json",
        "database": "test",
        "user": "test",
        "settings": settings,
    }
    return {"name": name, "kind": "postgres", "label": f"//app:{name}", "needs": [], "config": config}


def redis(name: str = "cache", *, needs: list[str] | None = None, **settings: str) -> dict[str, Any]:
    """Return the manifest's entry of a Redis; underscores in names of settings become hyphens."""
    directives = {key.replace("_", "-"): value for key, value in settings.items()}
    config = {"server": "redis/redis-server", "databases": 1024, "settings": directives}
    return {"name": name, "kind": "redis", "label": f"//app:{name}", "needs": needs or [], "config": config}


class Launched:
    """One launcher.

    Args:
        directory: The test's own, for what the launcher writes (TEST_TMPDIR, XML, …).
        services: Entries of the manifest.
        template: Directory with db.tar and db.json, where a PostgreSQL is among the services.
        script: A program to run in place of the actor, with its ``#!`` line.
        pytest: The content of a test file, for pytest in place of the actor.
        mapping: The manifest's ``env``.
        env: More variables for the launcher.
        enclosure: Options of `tests/host/enclosure.py`; none means no enclosure. SHORT in them stands for `short`.
        arguments: Passed on to the program.
        test_runner: What runs the tests in it.
        on_path: Clients of services for its PATH.
        checks_out: It may check databases out.
        client_paths: Where the client libraries for that are, by default where this process has them.
        after: Shell commands to run after the launcher's end, where it ran.
        base: Where `short` is made.
    """

    def __init__(
        self,
        directory: Path,
        services: list[dict[str, Any]],
        *,
        template: Path | None = None,
        script: str = "",
        pytest: str = "",
        mapping: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        enclosure: list[str] | None = None,
        arguments: list[str] | None = None,
        test_runner: str = "",
        on_path: list[str] | None = None,
        checks_out: bool = False,
        client_paths: list[str] | None = None,
        after: str = "",
        base: str = "/tmp",
    ) -> None:
        self.directory = directory
        # Short, because it holds a unix socket; open, because the launcher may run as somebody else.
        self.short = Path(tempfile.mkdtemp(prefix="rst.", dir=base))
        self.short.chmod(0o755)
        self.runfiles = self._make_runfiles(template, is_bound="=SHORT/distribution" in " ".join(enclosure or ()))
        if script:
            _write_program(self.runfiles / "script", script)
        test: dict[str, Any] = {"runner": "executable", "program": "script" if script else "actor"}
        test |= {"test_runner": test_runner} if test_runner else {}
        test |= {"on_path": on_path} if on_path else {}
        if checks_out:
            test["checkout_paths"] = [
                os.path.relpath(path, self.runfiles)
                for path in (filter(None, sys.path) if client_paths is None else client_paths)
            ]
        if pytest:
            (self.runfiles / "app").mkdir()
            (self.runfiles / "app" / "app_test.py").write_text(pytest, "utf-8")
            test = {"runner": "pytest", "files": ["app/app_test.py"], "import_paths": [], "durations": None}
            mapping = {"PYTHONPATH": [os.pathsep.join(filter(None, sys.path))], **(mapping or {})}
        self._manifest = self.short / "manifest.json"
        content = {
            "version": 1,
            "label": "//app:app_test",
            "services": services,
            "test": test,
            "env": mapping or {},
            "isolation": "transaction",
        }
        self._manifest.write_text(json.dumps(content), "utf-8")
        self._env = self._environment() | (env or {})
        options = [option.replace("SHORT", str(self.short)) for option in enclosure or ()]
        self._enclosure = [str(_ENCLOSURE), *options, "--"] if options else []
        self._arguments = arguments or []
        self._after = ["/bin/sh", "-c", f'"$@"; code=$?; {after}; exit $code', "launch-and-look"] if after else []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._program: Program | None = None
        self._process: subprocess.Popen[str] | None = None
        self.output = ""

    @property
    def command(self) -> list[str]:
        """The launcher's command line, for a test that starts it in a way of its own."""
        interpreter = [sys.executable, "-I", "-S", "-B", "-c", _LAUNCH, str(places.PACKAGE_ROOT)]
        return [*interpreter, str(self._manifest), *self._arguments]

    @property
    def variables(self) -> dict[str, str]:
        """The launcher's environment, likewise."""
        return self._env

    def remove(self) -> None:
        """Remove what was made for a launcher that was started in another way."""
        self._listener.close()
        shutil.rmtree(self.short, ignore_errors=True)

    def __enter__(self) -> Launched:
        self._listener.bind(str(self.short / "actor.sock"))
        (self.short / "actor.sock").chmod(0o777)
        self._listener.listen(1)
        enclosed = [sys.executable, "-I", "-S", "-B", *self._enclosure] if self._enclosure else []
        self._process = subprocess.Popen(
            [*enclosed, *self._after, *self.command],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        if self._program:
            self._program.close()
        self.remove()

    @property
    def pid(self) -> int:
        """The launcher's process id."""
        assert self._process
        return self._process.pid

    @property
    def program(self) -> Program:
        """The program; waits for it to start."""
        if not self._program:
            self._await_connection()
            connection, _ = self._listener.accept()
            connection.settimeout(DEADLINE_S)
            self._program = Program(connection)
        return self._program

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """The services' entries of the runtime description."""
        services: dict[str, dict[str, Any]] = self.program.runtime["services"]
        return services

    def control(self) -> ControlClient:
        """Return a new connection to the launcher's control socket; the caller closes it."""
        return ControlClient(self.program.runtime["control"], DEADLINE_S)

    def signal(self, number: signal.Signals) -> None:
        """Send the launcher a signal."""
        os.kill(self.pid, number)

    def await_state(self, service: str, state: str) -> None:
        """Wait until the launcher says that a service has this state."""
        deadline = time.monotonic() + DEADLINE_S
        with self.control() as control:
            while (now := control.state(service)) != state:
                assert time.monotonic() < deadline, f"{service} is {now}, not {state}"

    def await_service(self, program: str) -> int:
        """Wait until a child of the launcher runs ``program``, and return its process id."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            for pid in children(self.pid):
                try:
                    if Path(os.readlink(f"/proc/{pid}/exe")).name == program:
                        return pid
                except FileNotFoundError:
                    continue
        raise AssertionError(f"the launcher started no {program}")

    def kill_and_await_guardian(self) -> None:
        """Kill the launcher and wait until its guardian has cleaned up after it."""
        guardian = os.pidfd_open(self.guardian_pid)
        try:
            self.signal(signal.SIGKILL)
            assert self.wait() == -signal.SIGKILL
            ready, _, _ = select.select([guardian], [], [], DEADLINE_S)
            assert ready, "the guardian still runs"
        finally:
            os.close(guardian)

    @property
    def guardian_pid(self) -> int:
        """The guardian's process id."""
        return guardian_of(self.pid)

    def wait(self) -> int:
        """Wait for the launcher's end, keep its output in `output`, and return its exit code."""
        assert self._process
        self.output, _ = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode

    def await_line(self) -> str:
        """Return the first line that it writes, while it writes nothing else; `output` has what comes later."""
        assert self._process
        assert self._process.stdout
        assert select.select([self._process.stdout], [], [], DEADLINE_S)[0], "the launcher says nothing"
        return self._process.stdout.readline()

    def finish(self, code: int = 0) -> int:
        """Let the program exit with ``code``, and return the launcher's exit code."""
        self.program.exit(code)
        return self.wait()

    def written(self, name: str) -> str:
        """Return the content of a file that Bazel's test contract names, such as ``test.xml``; "" if there is none."""
        path = self.directory / name
        return path.read_text("utf-8") if path.exists() else ""

    def _await_connection(self) -> None:
        ended = os.pidfd_open(self.pid)
        try:
            ready, _, _ = select.select([self._listener.fileno(), ended], [], [], DEADLINE_S)
        finally:
            os.close(ended)
        if self._listener.fileno() not in ready:
            how = f"the launcher ended with {self.wait()}" if ready else "the launcher still runs"
            raise AssertionError(f"no program was started; {how}; its output:\n{self.output}")

    def _make_runfiles(self, template: Path | None, *, is_bound: bool) -> Path:
        runfiles = self.short / "runfiles"
        distribution = self.short / "distribution"
        if is_bound:
            distribution.mkdir()
        else:
            distribution.symlink_to(places.postgres_distribution())
        for name, target in (
            ("postgres/pginstall", distribution),
            ("redis/redis-server", places.redis_server()),
            *([("template", template)] if template else []),
        ):
            (runfiles / name).parent.mkdir(parents=True, exist_ok=True)
            (runfiles / name).symlink_to(target)
        for program in ("actor", "server"):
            script = shutil.copy(_HERE / f"{program}.py", self.short)
            _write_program(runfiles / program, f'#!/bin/sh\nexec "{sys.executable}" -I -S -B "{script}" "$@"\n')
        return runfiles

    def _environment(self) -> dict[str, str]:
        for name in ("tmp", "outputs"):
            (self.directory / name).mkdir(parents=True)
        # What a launcher around this test was given must not reach the launcher under test.
        inherited = ("PATH", "LANG", "LD_LIBRARY_PATH")
        return {name: os.environ[name] for name in inherited if name in os.environ} | {
            "ACTOR_SOCKET": str(self.short / "actor.sock"),
            "RUNFILES_DIR": str(self.runfiles),
            "TEST_TMPDIR": str(self.directory / "tmp"),
            "TEST_UNDECLARED_OUTPUTS_DIR": str(self.directory / "outputs"),
            "XML_OUTPUT_FILE": str(self.directory / "test.xml"),
            "TEST_WARNINGS_OUTPUT_FILE": str(self.directory / "warnings"),
            "TEST_INFRASTRUCTURE_FAILURE_FILE": str(self.directory / "infrastructure_failure"),
            "TEST_PREMATURE_EXIT_FILE": str(self.directory / "premature_exit"),
        }


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)
