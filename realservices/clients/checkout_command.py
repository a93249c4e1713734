"""The command ``realservices-checkout SERVICE … -- PROGRAM …``: a program with databases of its own, undone behind it.

The program finds them where it would find the services: under the names of the environment contract, and under those
that the target gives by ``env``. For tests in shell, and for languages without unix sockets.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from realservices.contract import environment
from realservices.contract.errors import RealServicesError
from realservices.control.answers import read_answer
from realservices.control.received_lines import receive_line
from realservices.system.bazel_files import load_manifest

TYPE_CHECKING = False  # A shell test runs this command many times, and typing takes 5 ms of each.
if TYPE_CHECKING:
    from typing import Any

_USAGE = "usage: realservices-checkout SERVICE … -- PROGRAM ARGUMENT …"


class RefusedError(RealServicesError):
    """The launcher gives nothing, or has ended."""


def main() -> int:
    """Run the program of the arguments; return its exit code."""
    services, dashes, command = _split(sys.argv[1:])
    if not (services and dashes and command):
        print(_USAGE, file=sys.stderr)
        return 64
    try:
        # The databases are ours as long as this connection lives, and no longer, however this process ends.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(os.environ.get(environment.CONTROL, ""))
            changed = {name: _check_out(connection, name, " ".join(command)) for name in services}
            code = _run(command, _environment(changed))
            _ask(connection, {"op": "release"})
            return code if code >= 0 else 128 - code
    except (RealServicesError, OSError, ValueError) as error:
        print(f"realservices-checkout: {error}", file=sys.stderr)
        return 1


def _run(command: list[str], env: dict[str, str]) -> int:
    """Run a command to its end; return its exit code, or the signal that has ended it as a negative number."""
    pid = os.posix_spawnp(command[0], command, env)  # No subprocess: it takes 10 ms to import.
    while True:
        try:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except KeyboardInterrupt:
            continue  # It has heard of Ctrl-C, too, and what it holds is undone behind it.


def _split(arguments: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in arguments:
        return arguments, False, []
    place = arguments.index("--")
    return arguments[:place], True, arguments[place + 1 :]


def _check_out(connection: socket.socket, service: str, test: str) -> dict[str, Any]:
    return _ask(connection, {"op": "checkout", "service": service, "test": test})


def _ask(connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    connection.sendall(json.dumps(request).encode() + b"\n")
    line = receive_line(connection, bytearray())
    if not line:
        raise RefusedError("the launcher has closed the connection: it is ending")
    answer = read_answer(line, request["op"])
    if not answer["ok"]:
        raise RefusedError(answer["error"])
    return answer


def _environment(changed: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return this process's environment, in which the services are what was checked out."""
    with open(os.environ[environment.RUNTIME], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 10 ms
        endpoints: dict[str, dict[str, Any]] = json.load(file)["services"]
    for name, fields in changed.items():
        endpoints[name] |= {field: value for field, value in fields.items() if field in endpoints[name]}
    # A kind's own names, such as DATABASE_URL, are those of what was checked out: it comes first.
    ordered = {name: endpoints[name] for name in changed} | endpoints
    manifest = load_manifest(os.environ[environment.MANIFEST])
    mapped = environment.mapped_environment(manifest.env, endpoints)
    return dict(os.environ) | environment.service_environment(ordered) | mapped


if __name__ == "__main__":
    sys.exit(main())
