"""The process that runs one migrator: a program of a project's own that makes a schema on a server that serves.

It is the tool `migrator` of zip_main.py and reads from standard input what to run (migrator_runs.py). It is a process
of its own so that what the program leaves running comes to it, and can be ended without anything else: a template tool
has the server among its children, too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from realservices.contract.environment import resolved_text
from realservices.contract.errors import RealServicesError, TemplateError
from realservices.host.process import adopt_orphans, describe_exit, kill_descendants, spawn
from realservices.kinds.registry import find
from realservices.schema.psql_words import indented
from realservices.services.migrators_needs import what_is_lacking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATH = "/usr/local/bin:/usr/bin:/bin"
_MOST_BYTES = 1 << 16
_SHOWN_LINES = 40
_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05


def main() -> int:
    """Run the migrator that standard input describes; return the exit code, with the reason on standard error."""
    request = json.load(sys.stdin)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    adopt_orphans()
    try:
        _run(request)
    except RealServicesError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        kill_descendants(set())
    return 0


def _run(request: dict[str, Any]) -> None:
    migrator, timeout_s = request["migrator"], request["timeout_s"]
    name = migrator["name"]
    directory = request["directory"]
    cwd = os.path.join(directory, migrator.get("cwd", ""))
    for path in (f"{directory}/tmp", cwd):
        os.makedirs(path, mode=0o700, exist_ok=True)
    for path, file in migrator.get("files", {}).items():
        _link(f"{directory}/{path}", os.path.join(request["base"], file))
    program = os.path.abspath(migrator["program"])
    argv = [program, *(_resolved(request, f"the arguments of {name}", parts) for parts in migrator["args"])]
    output = _Output()
    began = time.monotonic()
    environment = _environment(request, program)
    pid = spawn(argv, env=environment, output=output.descriptor, cwd=cwd)
    output.read()
    status = _await_end(pid, began + timeout_s)
    took_s = time.monotonic() - began
    # Whatever it has left, and that holds its output, too.
    kill_descendants(set())
    words = output.close()
    if status is None:
        raise TemplateError(
            f"migrate: {name} has not ended within {timeout_s:g} s (migrate_timeout_s), and was ended. It waits for "
            "something: for an answer at a prompt, for a lock that another migrator's connection has, or for a server "
            f"that is not there. Have it end by itself, or give it more time. {_last_lines(words)}"
        )
    if status:
        lacking = what_is_lacking(words, environment)
        raise TemplateError(
            f"migrate: {name} {describe_exit(status)} after {took_s:.1f} s. {_last_lines(words)}"
            + (f"\n  {lacking}" if lacking else "")
        )


def _link(path: str, file: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):  # Of an earlier one.
        os.symlink(file, path)


def _await_end(pid: int, deadline: float) -> int | None:
    """Return the wait status of a child, None if it has not ended at the (monotonic) deadline."""
    pause_s = _PAUSE_S
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        if time.monotonic() > deadline:
            return None
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.2, _LONGEST_PAUSE_S)


class _Output:
    """The end of what a program says. It may say any amount."""

    def __init__(self) -> None:
        self._reading, self.descriptor = os.pipe()
        self._end = b""
        self._thread = threading.Thread(target=self._read, daemon=True)

    def read(self) -> None:
        """Begin to read; after the program has been forked, because threads are not."""
        self._thread.start()

    def close(self) -> str:
        """Return it, when all who could say something are gone."""
        os.close(self.descriptor)
        self._thread.join()
        os.close(self._reading)
        return self._end.decode("utf-8", "replace")

    def _read(self) -> None:
        while chunk := os.read(self._reading, _MOST_BYTES):
            self._end = (self._end + chunk)[-_MOST_BYTES:]


def _last_lines(words: str) -> str:
    lines = words.rstrip().splitlines()[-_SHOWN_LINES:]
    return "Its last lines:\n" + indented("\n".join(lines)) if lines else "It said nothing"


def _environment(request: dict[str, Any], program: str) -> dict[str, str]:
    """Return what a migrator finds: nothing of the user's shell, so that the same inputs give the same schema."""
    endpoint, directory = request["endpoint"], request["directory"]
    found: dict[str, str] = {
        "PATH": os.environ.get("PATH") or _PATH,
        "HOME": directory,
        "TMPDIR": f"{directory}/tmp",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # Files of a project are not a migrator's to change.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    runfiles = f"{program}.runfiles"
    if os.path.isdir(runfiles):
        found |= dict.fromkeys(("RUNFILES_DIR", "JAVA_RUNFILES", "PYTHON_RUNFILES"), runfiles)
    kind = find(request["kind"])
    variables = {**kind.variables, **kind.more_variables}
    found |= {name: str(endpoint[field]) for name, field in variables.items() if endpoint.get(field)}
    found |= request["migrator"].get("env", {})
    return found | {name: _resolved(request, f"migrate_env {name}", parts) for name, parts in request["env"].items()}


def _resolved(request: dict[str, Any], where: str, parts: list[Any]) -> str:
    return resolved_text(where, parts, {"": request["endpoint"]}, runfiles=request["base"])
